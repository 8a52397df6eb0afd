/*
 * A mailbox served by lib/sp.c, for tests against nng.
 *
 *   sp_echo serve DIR NAME          PULL: prints each body as `cast BODY`. REP: answers `+BODY`
 *                                   to the request, whose header words go back first. PUB: every
 *                                   50 ms `tick N`. PAIR0: sends each body back. `open 0xNN`,
 *                                   `close WHY` are printed, too.
 *   sp_echo dial DIR NAME PROTOCOL COUNT [TEXT]
 *                                   dials; push sends `TEXT N`, COUNT of them; pair, req send and
 *                                   wait for as many answers, sub for as many messages, printing
 *                                   them. Exits 0 then; 1, with the reason, when it ended before.
 */
#include "buf.h"
#include "rundir.h"
#include "sp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct ev_loop *loop;
static struct sp_listener *listener;

/* ---- serving ------------------------------------------------------------------------------ */

static bool on_open(struct sp_conn *conn)
{
    printf("open 0x%02x\n", (unsigned)sp_conn_protocol(conn));
    return true;
}

static void answer(struct sp_conn *conn, const uint8_t *body, size_t size)
{
    size_t header = sp_request_header(body, size);
    struct iovec parts[] = {
        {(void *)body, header}, {(void *)"+", 1}, {(void *)(body + header), size - header}};

    if (header)
        sp_send(conn, parts, 3, -1);
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct iovec part = {(void *)body, size};

    if (fd >= 0)
        close(fd);
    switch (sp_conn_protocol(conn)) {
    case SP_PUSH:
        printf("cast %.*s\n", (int)(size > 100 ? 100 : size), (const char *)body);
        break;
    case SP_REQ:
        answer(conn, body, size);
        break;
    case SP_PAIR0:
        sp_send(conn, &part, 1, -1);
        break;
    default:
        break;
    }
}

static void on_close(struct sp_conn *conn, const char *why)
{
    printf("close 0x%02x %s\n", (unsigned)sp_conn_protocol(conn), why);
}

static void publish(struct sp_conn *conn, void *text)
{
    struct iovec part = {text, strlen(text)};

    if (sp_conn_protocol(conn) == SP_SUB)
        sp_send(conn, &part, 1, -1);
}

static void on_tick(struct ev_loop *l, ev_timer *w, int revents)
{
    static unsigned n;
    char text[32];

    (void)l;
    (void)w;
    (void)revents;
    snprintf(text, sizeof text, "tick\t%u", n++);
    sp_listener_each(listener, publish, text);
}

static int serve(const char *dir, const char *name)
{
    static const struct sp_handlers handlers = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close};
    ev_timer tick;
    int fd = rundir_listen(dir, name);

    if (fd < 0) {
        fprintf(stderr, "%s/%s: %s\n", dir, name, strerror(errno));
        return 1;
    }
    listener = sp_listen(loop, fd, NULL, &handlers, NULL);
    ev_timer_init(&tick, on_tick, 0.05, 0.05);
    ev_timer_start(loop, &tick);
    printf("serving\n");
    ev_run(loop, 0);
    return 0;
}

/* ---- dialling ----------------------------------------------------------------------------- */

static struct {
    struct sp_conn *conn;
    enum sp_protocol protocol;
    const char *text;
    int wanted, sent, got, status;
} dialer;

static void send_next(void)
{
    uint8_t id[4] = {0x80, 0, 0, (uint8_t)dialer.sent};
    char text[64];
    struct iovec parts[] = {{id, dialer.protocol == SP_REQ ? sizeof id : 0}, {text, 0}};

    parts[1].iov_len = (size_t)snprintf(text, sizeof text, "%s %d", dialer.text, dialer.sent);
    if (!sp_send(dialer.conn, parts, 2, -1))
        dialer.sent++;
}

static void on_answer(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    size_t header = dialer.protocol == SP_REQ ? sp_request_header(body, size) : 0;

    (void)conn;
    (void)fd;
    printf("%.*s\n", (int)(size - header), (const char *)body + header);
    if (++dialer.got < dialer.wanted) {
        if (dialer.protocol != SP_SUB)
            send_next();
        return;
    }
    dialer.status = 0;
    ev_break(loop, EVBREAK_ALL);
}

static bool on_connected(struct sp_conn *conn)
{
    (void)conn;
    if (dialer.protocol == SP_PUSH) {
        while (dialer.sent < dialer.wanted)
            send_next();
    } else if (dialer.protocol != SP_SUB) {
        send_next();
    }
    return true;
}

static void on_lost(struct sp_conn *conn, const char *why)
{
    (void)conn;
    fprintf(stderr, "%s\n", why);
    dialer.conn = NULL;
    ev_break(loop, EVBREAK_ALL);
}

/* PUSH has no answers: done when everything is written. */
static void on_look(struct ev_loop *l, ev_timer *w, int revents)
{
    (void)w;
    (void)revents;
    if (dialer.protocol != SP_PUSH || dialer.sent < dialer.wanted || sp_conn_queued(dialer.conn))
        return;
    dialer.status = 0;
    ev_break(l, EVBREAK_ALL);
}

static int protocol_of(const char *name)
{
    static const struct {
        const char *name;
        enum sp_protocol protocol;
    } known[] = {{"push", SP_PUSH}, {"req", SP_REQ}, {"sub", SP_SUB}, {"pair", SP_PAIR0}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!strcmp(known[i].name, name))
            return (int)known[i].protocol;
    }
    return -1;
}

static int dial(const char *dir, const char *name, const char *protocol, const char *count,
                const char *text)
{
    static const struct sp_handlers handlers = {
        .on_open = on_connected, .on_message = on_answer, .on_close = on_lost};
    int number = protocol_of(protocol);
    ev_timer look;

    if (number < 0)
        return 2;
    dialer.protocol = (enum sp_protocol)number;
    dialer.text = text;
    dialer.wanted = atoi(count);
    dialer.status = 1;
    ev_timer_init(&look, on_look, 0.01, 0.01);
    ev_timer_start(loop, &look);
    dialer.conn = sp_dial(loop, dir, name, dialer.protocol, mono_add_ms(mono_now(), 20000), NULL,
                          &handlers, NULL);
    if (dialer.conn)
        ev_run(loop, 0);
    if (dialer.conn)
        sp_conn_close(dialer.conn, true);
    return dialer.status;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    loop = loop_create();
    if (argc == 4 && !strcmp(argv[1], "serve"))
        return serve(argv[2], argv[3]);
    if (argc >= 6 && !strcmp(argv[1], "dial"))
        return dial(argv[2], argv[3], argv[4], argv[5], argc > 6 ? argv[6] : "message");
    fprintf(stderr,
            "usage: sp_echo serve DIR NAME | sp_echo dial DIR NAME PROTOCOL COUNT [TEXT]\n");
    return 2;
}
