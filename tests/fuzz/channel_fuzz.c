/*
 * Any messages of a proven peer about channels (each: two length bytes, that many bytes), with a
 * mailbox here that answers, and a process here that has two channels to its own: what is not for a
 * channel ends the session by name, a channel stays within its bounds, and nothing is left when the
 * session is over.
 */
#include "../../cluster/channel.h"
#include "../../cluster/switchboard.h"
#include "peer.h"
#include "rundir.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DESCRIPTORS = 64, CHANNELS = DESCRIPTORS / 4, CALLERS = 2 };

static char run_dir[] = "/tmp/channel-fuzz.XXXXXX";
static struct ev_loop *loop;
static struct switchboard board;
static struct losses losses;
static struct sp_listener *mailbox;
static struct peer *member, *callers[CALLERS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What would go over the session: always a frame that the other side understands. */
static int send_message(struct switchboard_side *side, const struct switchboard_message *message)
{
    struct channel_frame frame;
    struct buf bytes = {0};
    const char *why;

    (void)side;
    for (int i = 0; i < message->count; i++)
        if (buf_append(&bytes, message->parts[i].iov_base, message->parts[i].iov_len) < 0)
            abort();
    if (!buf_length(&bytes) ||
        channel_decode(buf_front(&bytes), buf_length(&bytes), &frame, &why) < 0)
        abort();
    buf_finish(&bytes);
    return 0;
}

static void on_visit(void *data, struct sp_conn *conn, const uint8_t *hello, size_t size)
{
    (void)data;
    (void)hello;
    (void)size;
    sp_conn_close(conn, false);
}

static void on_lost(uint64_t messages)
{
    (void)messages;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    if (fd >= 0)
        close(fd);
    if (env->kind == ENVELOPE_CALL)
        peer_reply_error(peer, env->ref, "error no");
}

/* The mailbox is one process with one connection at a time; of callers it is not kept. */
static void on_close(struct peer *peer, const char *why)
{
    (void)why;
    if (peer == member)
        member = NULL;
    for (int i = 0; i < CALLERS; i++)
        if (peer == callers[i])
            callers[i] = NULL;
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static bool accept_peer(struct sp_conn *conn)
{
    peer_close(member, false);
    member = peer_accept(conn, "shop/db@west#3", &handlers, NULL);
    return member != NULL;
}

static void turn(int times)
{
    while (times--)
        ev_run(loop, EVRUN_NOWAIT);
}

static void remove_run_dir(void)
{
    char command[PATH_MAX];

    snprintf(command, sizeof command, "rm -rf %s", run_dir);
    if (system(command) != 0)
        abort();
}

static void start(void)
{
    const struct sp_handlers sp = peer_sp_handlers(accept_peer);

    if (loop)
        return;
    if (!mkdtemp(run_dir))
        abort();
    atexit(remove_run_dir);
    loop = ev_default_loop(0);
    losses_init(&losses, loop, on_lost);
    board = (struct switchboard){.loop = loop,
                                 .run_dir = run_dir,
                                 .node = "west",
                                 .rights = {.node_uid = geteuid()},
                                 .grant = RIGHT_ALL,
                                 .hooks = {send_message, on_visit},
                                 .losses = &losses};
    switchboard_start(&board, rundir_listen(run_dir, "sys/node"), DESCRIPTORS);
    mailbox = sp_listen(loop, rundir_listen(run_dir, "shop/db"), NULL, &sp, NULL);
}

static void receive_all(struct switchboard_side *side, const uint8_t *data, size_t size)
{
    while (size >= 2) {
        size_t n = (size_t)data[0] << 8 | data[1];
        const char *why = NULL;
        uint8_t *message;

        n = n < size - 2 ? n : size - 2;
        message = malloc(n ? n : 1);
        memcpy(message, data + 2, n);
        if (switchboard_receive(side, message, n, &why) < 0 && !(why && *why))
            abort(); /* a session never ends without a reason */
        free(message);
        turn(1);
        if (switchboard_counts(side).incoming > CHANNELS + 1)
            abort();
        data += 2 + n;
        size -= 2 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct switchboard_side side;

    start();
    switchboard_begin(&board, &side, "east");
    for (int i = 0; i < CALLERS; i++) /* their channels are 1 and 2 */
        callers[i] = peer_dial(loop, run_dir, "shop/cart@east", "shop/a@west#1", (struct mono){0},
                               &handlers, NULL);
    turn(3);
    receive_all(&side, data, size);
    turn(2);
    switchboard_end(&side);
    if (side.incoming || side.outgoing)
        abort();
    for (int i = 0; i < CALLERS; i++) {
        peer_close(callers[i], false);
        callers[i] = NULL;
    }
    turn(2);
    return 0;
}
