/*
 * Plays a supervisor and its only actor, for those who ask it how that ended: `oracle CALLS REASON`
 * listens at $TROUPE_RUN/other/x and $TROUPE_RUN/other/.supervisor. When CALLS calls have come to
 * the actor it hangs up on everybody, and then on each further call at once. Each question is
 * printed, `asked KIND WHOM TARGET`, and answered a while later: by then all have asked. Runs until
 * it is ended.
 */
#include "control.h"
#include "loop.h"
#include "peer.h"
#include "rundir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CALLERS_MAX = 1000, THINKING_MS = 300 };

static struct ev_loop *loop;
static const char *reason;
static int wanted, calls;

struct caller {
    struct peer *peer;
};

static struct caller callers[CALLERS_MAX];

/* ---- the actor ----------------------------------------------------------------------------- */

static void hang_up(void)
{
    for (int i = 0; i < CALLERS_MAX; i++) {
        peer_close(callers[i].peer, false);
        callers[i].peer = NULL;
    }
}

static void on_call(struct peer *peer, const struct envelope *env, int fd)
{
    (void)peer;
    (void)fd;
    if (env->kind == ENVELOPE_CALL && ++calls >= wanted)
        hang_up();
}

static void on_caller_close(struct peer *peer, const char *why)
{
    struct caller *caller = peer_data(peer);

    (void)why;
    caller->peer = NULL;
}

static bool on_caller(struct sp_conn *conn)
{
    static const struct peer_handlers handlers = {.on_envelope = on_call,
                                                  .on_close = on_caller_close};
    int i = 0;

    while (i < CALLERS_MAX - 1 && callers[i].peer)
        i++;
    callers[i].peer = peer_accept(conn, "other/x@local#1", &handlers, &callers[i]);
    sp_conn_flush(conn);
    return callers[i].peer != NULL;
}

/* ---- its supervisor ------------------------------------------------------------------------ */

struct answer {
    ev_timer timer;
    struct peer *peer;
    uint64_t ref;
    char *target;
};

static void on_thought(struct ev_loop *l, ev_timer *timer, int revents)
{
    struct answer *answer = container_of(timer, struct answer, timer);
    struct words words = {3, (char *[]){answer->target, (char *)reason, "0"}};
    struct envelope event = {
        .kind = ENVELOPE_EVENT, .ref = answer->ref, .type = envelope_text(EVENT_DOWN)};
    struct wire_image image = {0};

    (void)l;
    (void)revents;
    if (wire_pack_words(&words, &image) == 0) {
        event.payload = image.data;
        event.payload_size = (uint32_t)image.size;
        peer_send(answer->peer, &event, -1);
    }
    wire_image_finish(&image);
    free(answer->target);
    free(answer);
}

static void think(struct peer *peer, uint64_t ref, const char *target)
{
    struct answer *answer = calloc(1, sizeof *answer);

    answer->peer = peer;
    answer->ref = ref;
    answer->target = strdup(target);
    ev_timer_init(&answer->timer, on_thought, THINKING_MS / 1000., 0.);
    ev_timer_start(loop, &answer->timer);
}

static void on_question(struct peer *peer, const struct envelope *env, int fd)
{
    struct words words = {0};

    (void)fd;
    if (!envelope_text_equals(env->type, CONTROL_WATCH) ||
        wire_unpack_words(env->payload, env->payload_size, &words) < 0)
        return;
    if (words.count == 3) {
        printf("asked %s %s %s\n", words.at[0], words.at[1], words.at[2]);
        fflush(stdout);
        think(peer, env->ref, words.at[2]);
    }
    words_finish(&words);
}

/* Whoever leaves takes its questions along: then this has nobody to answer, and ends. */
static void on_asker_close(struct peer *peer, const char *why)
{
    (void)peer;
    (void)why;
    exit(0);
}

static bool on_asker(struct sp_conn *conn)
{
    static const struct peer_handlers handlers = {.on_envelope = on_question,
                                                  .on_close = on_asker_close};

    return peer_accept(conn, "other@local#1", &handlers, NULL) != NULL;
}

/* ---- both ---------------------------------------------------------------------------------- */

static void serve(const char *path, bool (*on_open)(struct sp_conn *))
{
    struct sp_handlers handlers = peer_sp_handlers(on_open);
    int fd = rundir_listen(getenv("TROUPE_RUN"), path);

    if (fd < 0 || !sp_listen(loop, fd, NULL, &handlers, NULL)) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    char directory[4096];

    if (argc != 3)
        return 2;
    wanted = atoi(argv[1]);
    reason = argv[2];
    snprintf(directory, sizeof directory, "%s/other", getenv("TROUPE_RUN"));
    mkdir(directory, 0711);
    loop = loop_create();
    serve("other/x", on_caller);
    serve("other/.supervisor", on_asker);
    puts("ready");
    fflush(stdout);
    ev_run(loop, 0);
    return 0;
}
