/*
 * A subscriber's side of a subscription, with this test as its supervisor and as the publisher:
 * what is said on the wire, and what the author's function hears. It tells by its status.
 */
#include "audience.h"
#include "boot.h"
#include "contact.h"
#include "ctl.h"
#include "peer.h"
#include "rundir.h"
#include "tap.h"
#include "troupe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, SWEEP_MS = 20 };

/* ---- the subscriber ------------------------------------------------------------------------ */

static void on_event(struct troupe *self, enum troupe_event_kind kind, struct troupe_message *event,
                     void *data)
{
    uint64_t *number = data;

    switch (kind) {
    case TROUPE_EVENT:
        troupe_status(
            self, "event %s %d %lld from %s", troupe_name(event), (int)troupe_sequence(event),
            troupe_count(event) ? (long long)troupe_int(event, 0) : -1, troupe_from(event));
        if (strcmp(troupe_name(event), "enough") == 0)
            troupe_unsubscribe(self, *number);
        break;
    case TROUPE_GAP:
        troupe_status(self, "gap %d %d", (int)troupe_sequence(event), (int)troupe_lost(event));
        break;
    case TROUPE_ENDED:
        troupe_status(self, "ended %s", troupe_failure(event));
        break;
    }
}

static int init(struct troupe *self)
{
    uint64_t *number = troupe_state(self);

    *number = troupe_subscribe(self, "publisher", "news", TROUPE_LAST, on_event, number);
    troupe_status(self, "subscribed");
    return TROUPE_READY;
}

TROUPE_ACTOR(.state_size = sizeof(uint64_t), .init = init);

/* ---- the publisher and supervisor ---------------------------------------------------------- */

struct request {
    uint8_t kind;
    uint64_t ref;
    char type[256], topic[256];
    unsigned flags;
};

struct stage {
    char dir[64];
    int control;
    pid_t pid;
    struct ev_loop *loop;
    struct sp_listener *listener;
    struct peer *peer;
    int requests, closed;
    struct request last;
    char said[CTL_DATAGRAM_MAX + 1]; /* the last datagram of the subscriber */
    size_t said_at, said_size;
};

static struct stage *the_stage; /* what the callbacks of a listener's connections belong to */

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct stage *stage = peer_data(peer);
    union wire_value asked[2];

    (void)fd;
    stage->last = (struct request){.kind = env->kind, .ref = env->ref};
    envelope_text_copy(env->type, stage->last.type, sizeof stage->last.type);
    if (env->flags & ENVELOPE_TYPED &&
        wire_unpack_values("su", env->payload, env->payload_size, asked) == 0) {
        snprintf(stage->last.topic, sizeof stage->last.topic, "%s", asked[0].bytes.at);
        stage->last.flags = (unsigned)asked[1].u;
        wire_values_finish("su", asked);
    }
    stage->requests++;
}

static void on_close(struct peer *peer, const char *why)
{
    struct stage *stage = peer_data(peer);

    (void)why;
    stage->peer = NULL;
    stage->closed++;
}

static const struct peer_handlers PEER = {.on_envelope = on_envelope, .on_close = on_close};

static bool on_open(struct sp_conn *conn)
{
    the_stage->peer = peer_accept(conn, "publisher@east#4", &PEER, the_stage);
    return the_stage->peer != NULL;
}

static void run_subscriber(const struct stage *stage, int control)
{
    struct troupe_boot boot = {.abi = TROUPE_BOOT_ABI,
                               .path = "subscriber",
                               .node = "east",
                               .incarnation = 1,
                               .run_dir = stage->dir,
                               .mailbox_fd = -1,
                               .stats_fd = -1,
                               .control_fd = control};

    contact_sweep_ms = SWEEP_MS;
    alarm(60); /* no test leaves a child behind */
    _exit(troupe_actor_run(&troupe_actor, &boot));
}

static struct stage *stage_create(void)
{
    struct stage *stage = calloc(1, sizeof *stage);
    struct sp_handlers handlers = peer_sp_handlers(on_open);
    int pair[2], fd;

    snprintf(stage->dir, sizeof stage->dir, "/tmp/troupe-subscription-test.XXXXXX");
    if (!mkdtemp(stage->dir) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    stage->control = pair[0];
    fd = rundir_listen(stage->dir, "publisher");
    fflush(NULL);
    stage->pid = fork();
    if (stage->pid == 0) {
        close(pair[0]);
        run_subscriber(stage, pair[1]);
    }
    close(pair[1]);
    the_stage = stage;
    stage->loop = loop_create();
    stage->listener = sp_listen(stage->loop, fd, NULL, &handlers, stage);
    if (!stage->listener)
        abort();
    return stage;
}

static void stage_destroy(struct stage *stage)
{
    char path[128];

    kill(stage->pid, SIGKILL);
    waitpid(stage->pid, NULL, 0);
    peer_close(stage->peer, false);
    sp_listener_destroy(stage->listener, false);
    ev_loop_destroy(stage->loop);
    close(stage->control);
    snprintf(path, sizeof path, "%s/publisher", stage->dir);
    unlink(path);
    rmdir(stage->dir);
    free(stage);
}

/* Serves for at most ms, or until *what is n. */
static bool serve_until(struct stage *stage, const int *what, int n, int64_t ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);

    while (*what < n && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(stage->loop, 5);
    return *what >= n;
}

/* The next line with this verb, while the publisher goes on serving; NULL when patience is over. */
static const char *wait_said(struct stage *stage, enum ctl_verb verb, int64_t ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);
    struct ctl_line line;

    while (mono_diff_ms(deadline, mono_now()) > 0) {
        ssize_t size;

        while (ctl_next(stage->said, stage->said_size, &stage->said_at, &line))
            if (line.verb == verb)
                return line.rest;
        loop_run_for(stage->loop, 5);
        size = recv(stage->control, stage->said, sizeof stage->said - 1, MSG_DONTWAIT);
        stage->said_size = size > 0 ? (size_t)size : 0;
        stage->said_at = 0;
    }
    return NULL;
}

static void hears(struct stage *stage, const char *text, const char *sentence)
{
    tap_is_text(wait_said(stage, CTL_STATUS, PATIENCE_MS), text, sentence);
}

static bool hears_nothing(struct stage *stage)
{
    return !wait_said(stage, CTL_STATUS, 5 * SWEEP_MS);
}

static void say(struct stage *stage, enum envelope_kind kind, uint64_t ref, const char *type,
                uint64_t number, const char *format, uint64_t value)
{
    union wire_value values[] = {{.u = value}};
    struct wire_image image = {0};
    struct envelope env = {
        .kind = (uint8_t)kind, .ref = ref, .deadline_us = number, .type = envelope_text(type)};

    if (*format && wire_pack_values(format, values, &image) == 0) {
        env.flags = ENVELOPE_TYPED;
        env.payload = image.data;
        env.payload_size = (uint32_t)image.size;
    }
    if (!stage->peer || peer_send(stage->peer, &env, -1) < 0)
        tap_note("not said: %s", strerror(errno));
    wire_image_finish(&image);
}

/* It stands. Returns its ref. */
static uint64_t subscribed(struct stage *stage)
{
    if (!serve_until(stage, &stage->requests, 1, PATIENCE_MS))
        tap_ok(false, "a request has come");
    say(stage, ENVELOPE_REPLY, stage->last.ref, "", 0, "", 0);
    wait_said(stage, CTL_STATUS, PATIENCE_MS); /* "subscribed" */
    return stage->last.ref;
}

/* ---- tests --------------------------------------------------------------------------------- */

static void test_events(void)
{
    struct stage *stage = stage_create();
    uint64_t ref = subscribed(stage);

    CHECK(stage->last.kind == ENVELOPE_CALL && strcmp(stage->last.type, AUDIENCE_SUBSCRIBE) == 0 &&
              strcmp(stage->last.topic, "news") == 0 && stage->last.flags == AUDIENCE_LAST,
          "a subscription is a call .subscribe with topic and flags");
    say(stage, ENVELOPE_EVENT, ref, "news", 1, "I", 5);
    hears(stage, "event news 1 5 from publisher@east#4",
          "an event has name, number, value, sender");
    say(stage, ENVELOPE_EVENT, ref, AUDIENCE_GAP, 5, "U", 4);
    hears(stage, "gap 5 4", "a gap tells how many are missing, up to which");
    say(stage, ENVELOPE_EVENT, ref, "news", 6, "", 0);
    hears(stage, "event news 6 -1 from publisher@east#4", "an event may have no values");
    say(stage, ENVELOPE_EVENT, ref + 1, "news", 7, "I", 5);
    say(stage, ENVELOPE_EVENT, ref, AUDIENCE_GAP, 7, "s", 0);
    CHECK(hears_nothing(stage),
          "events of other subscriptions are ignored, and gaps that are none");
    CHECK(stage->peer && stage->closed == 0,
          "with a subscription, the connection is not swept away");
    say(stage, ENVELOPE_EVENT, ref, "enough", 8, "I", 5);
    hears(stage, "event enough 8 5 from publisher@east#4", "the last one is heard");
    CHECK(serve_until(stage, &stage->requests, 2, PATIENCE_MS) &&
              stage->last.kind == ENVELOPE_CAST && stage->last.ref == ref &&
              strcmp(stage->last.type, AUDIENCE_UNSUBSCRIBE) == 0,
          "unsubscribing is a cast .unsubscribe with the ref of the call");
    if (stage->peer)
        say(stage, ENVELOPE_EVENT, ref, "news", 9, "I", 5);
    CHECK(hears_nothing(stage), "nothing is heard after that");
    CHECK(serve_until(stage, &stage->closed, 1, PATIENCE_MS), "and the connection is given up");
    stage_destroy(stage);
}

static void test_malformed(void)
{
    struct stage *stage = stage_create();
    uint64_t ref = subscribed(stage);
    struct envelope env = {.kind = ENVELOPE_EVENT,
                           .flags = ENVELOPE_TYPED,
                           .ref = ref,
                           .deadline_us = 1,
                           .type = envelope_text("news"),
                           .payload = "rubbish",
                           .payload_size = 7};

    if (stage->peer)
        peer_send(stage->peer, &env, -1);
    hears(stage, "gap 1 1", "an event that cannot be read is a gap, not silence");
    stage_destroy(stage);
}

static void test_refused(void)
{
    struct stage *stage = stage_create();

    serve_until(stage, &stage->requests, 1, PATIENCE_MS);
    if (stage->peer)
        peer_reply_error(stage->peer, stage->last.ref, "overloaded too many subscriptions");
    hears(stage, "subscribed", "the answer comes after troupe_subscribe() has returned");
    hears(stage, "ended overloaded too many subscriptions",
          "a refusal is the end, with its reason");
    stage_destroy(stage);
}

static void test_end(bool supervisor_knows)
{
    struct stage *stage = stage_create();
    const char *rest;
    char line[128];

    subscribed(stage);
    peer_close(stage->peer, false);
    stage->peer = NULL;
    rest = wait_said(stage, CTL_ENDED, PATIENCE_MS);
    CHECK(rest && strstr(rest, " publisher@east#4"),
          "the supervisor is asked how the publisher ended");
    snprintf(line, sizeof line, "DOWN %d publisher@east#4 error out of paper\n",
             rest ? atoi(rest) : 0);
    if (supervisor_knows && send(stage->control, line, strlen(line), MSG_NOSIGNAL) < 0)
        tap_note("send: %s", strerror(errno));
    hears(stage, supervisor_knows ? "ended down error out of paper" : "ended down unknown",
          supervisor_knows ? "its answer is the reason" : "silence for 1 s is down unknown");
    stage_destroy(stage);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    test_events();
    test_malformed();
    test_refused();
    test_end(true);
    test_end(false);
    return tap_done();
}
