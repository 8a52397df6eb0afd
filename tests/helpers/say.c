/*
 * Says one thing to an actor, by the raw line on its mailbox: for tests that want it fast.
 *
 *   say ADDRESS MESSAGE [ARG…]      a cast: done when it is out
 *   say -c ADDRESS MESSAGE [ARG…]   a call: prints the values of the answer, without its sign
 *
 * ADDRESS is a path below $TROUPE_RUN. Exits 0 when done, 8 when the answer is a refusal (printed),
 * 1 with the reason on stderr when the actor was not reached in 5 s, 2 for wrong usage.
 */
#include "buf.h"
#include "raw.h"
#include "sp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 5000 };

static struct {
    struct ev_loop *loop;
    struct sp_conn *conn;
    bool call, open;
    int status;
} say = {.status = 1};

static void done(int status)
{
    say.status = status;
    ev_break(say.loop, EVBREAK_ALL);
}

static void on_answer(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    size_t header = sp_request_header(body, size);
    const char *text = (const char *)body + header;

    (void)conn;
    (void)fd;
    if (size > header)
        printf("%.*s\n", (int)(size - header - 1), text + 1);
    done(size > header && *text == '+' ? 0 : 8);
}

static bool on_open(struct sp_conn *conn)
{
    (void)conn;
    say.open = true;
    return true;
}

/* What ends an actor may end its connection before we look whether all is out. */
static void on_close(struct sp_conn *conn, const char *why)
{
    bool said = !say.call && say.open && !sp_conn_queued(conn);

    say.conn = NULL;
    if (said) {
        done(0);
        return;
    }
    fprintf(stderr, "say: %s\n", why);
    done(1);
}

/* A cast has no answer: it is done when nothing of it waits any more. */
static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    if (say.open && !sp_conn_queued(say.conn))
        done(0);
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    fprintf(stderr, "say: no answer\n");
    done(1);
}

static int put(char **words)
{
    uint8_t id[4] = {0x80, 0, 0, 1};
    struct buf line = {0};
    struct iovec parts[2] = {{id, say.call ? sizeof id : 0}, {0}};
    int result;

    for (int i = 0; words[i]; i++) {
        if (raw_put(&line, i == 0, words[i], strlen(words[i])) < 0)
            return -1;
    }
    parts[1].iov_base = buf_front(&line);
    parts[1].iov_len = buf_length(&line);
    result = sp_send(say.conn, parts, 2, -1);
    buf_finish(&line);
    return result;
}

static void wait_for_end(void)
{
    ev_timer look, late;

    ev_timer_init(&late, on_late, PATIENCE_MS / 1000., 0.);
    ev_timer_start(say.loop, &late);
    ev_timer_init(&look, on_look, 0.001, 0.001);
    if (!say.call)
        ev_timer_start(say.loop, &look);
    ev_run(say.loop, 0);
}

int main(int argc, char **argv)
{
    static const struct sp_handlers handlers = {
        .on_open = on_open, .on_message = on_answer, .on_close = on_close};
    bool call = argc > 1 && strcmp(argv[1], "-c") == 0;
    const char *run_dir = getenv("TROUPE_RUN");
    char **words = argv + 1 + call;

    if (!run_dir || argc < 3 + call) {
        fprintf(stderr, "usage: TROUPE_RUN=DIR say [-c] ADDRESS MESSAGE [ARG...]\n");
        return 2;
    }
    say.call = call;
    say.loop = loop_create();
    say.conn = sp_dial(say.loop, run_dir, words[0], call ? SP_REQ : SP_PUSH,
                       mono_add_ms(mono_now(), PATIENCE_MS), NULL, &handlers, NULL);
    if (!say.conn || put(words + 1) < 0) {
        perror("say");
        return 1;
    }
    wait_for_end();
    return say.status;
}
