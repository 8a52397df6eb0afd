/*
 * A stranger's bytes at a listener, in chunks: each chunk is one length byte and that many bytes.
 * What is delivered must be what the stream says; the owner answers, pauses and closes as the
 * bodies tell it. A second connection must be served all the same at the end.
 */
#include "rundir.h"
#include "sp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ev_loop *loop;
static char dir[64];
static int opened;

static bool on_open(struct sp_conn *conn)
{
    (void)conn;
    opened++;
    return true;
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct iovec part = {(void *)body, size};

    if (fd >= 0)
        close(fd);
    if (size == 0)
        return;
    switch (body[0] % 8) {
    case 0:
        sp_conn_close(conn, body[0] & 8);
        break;
    case 1:
        sp_conn_pause(conn, true);
        ev_run(loop, EVRUN_NOWAIT);
        sp_conn_pause(conn, false);
        break;
    case 2:
        ev_run(loop, EVRUN_NOWAIT);
        break;
    default:
        sp_send(conn, &part, 1, -1);
    }
}

static void on_close(struct sp_conn *conn, const char *why)
{
    (void)conn;
    if (!why[0])
        abort();
}

static void clean_up(void)
{
    char path[96];

    snprintf(path, sizeof path, "%s/box", dir);
    unlink(path);
    rmdir(dir);
}

static struct sp_listener *begin(void)
{
    static const struct sp_handlers handlers = {on_open, on_message, on_close, NULL};
    static const struct sp_limits limits = {.max_message = 4096, .max_outbox = 8192};
    int fd;

    snprintf(dir, sizeof dir, "/tmp/troupe-sp-fuzz.XXXXXX");
    if (!mkdtemp(dir))
        abort();
    atexit(clean_up);
    loop = loop_create();
    fd = rundir_listen(dir, "box");
    return sp_listen(loop, fd, &limits, &handlers, NULL);
}

static void turns(int n)
{
    while (n--)
        ev_run(loop, EVRUN_NOWAIT);
}

static void check_service(void)
{
    uint8_t header[8];
    int fd = rundir_connect(dir, "box");

    sp_header_write(SP_PAIR0, header);
    if (fd < 0 || write(fd, header, sizeof header) != sizeof header)
        abort();
    opened = 0;
    for (int i = 0; i < 100 && !opened; i++)
        turns(1);
    if (!opened || read(fd, header, sizeof header) != sizeof header ||
        sp_header_read(header) != SP_PAIR0)
        abort();
    close(fd);
    turns(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_listener *listener;
    int fd;

    if (!listener)
        listener = begin();
    fd = rundir_connect(dir, "box");
    if (fd < 0)
        abort();
    while (size > 1) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;

        if (n && write(fd, data + 1, n) < 0)
            break;
        turns(2);
        data += n + 1;
        size -= n + 1;
    }
    close(fd);
    turns(3);
    check_service();
    return 0;
}
