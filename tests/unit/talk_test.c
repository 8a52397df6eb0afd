/*
 * What an actor asks of others, and how that ends when they behave badly. The actor is a child of
 * this test, which plays its supervisor (a socket pair) and the other actor (a mailbox, by hand).
 */
#include "boot.h"
#include "contact.h"
#include "control.h"
#include "ctl.h"
#include "loop.h"
#include "peer.h"
#include "rundir.h"
#include "seat.h"
#include "tap.h"
#include "troupe.h"
#include "undelivered.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000, LARGE = 300 * 1024, PIECE = 100 * 1024, TOO_LARGE = 2 << 20 };

#define OTHER "other"
#define AWAY  "things/1" /* of a service that other nodes have */

/* ---- the actor ----------------------------------------------------------------------------- */

struct subject {
    struct troupe_message *kept;
    uint64_t subscription;
};

static char piece[TOO_LARGE];

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    const char *failure = troupe_failure(answer);

    troupe_status(self, "%s %s", (const char *)data, failure ? failure : "answered");
}

static void on_ask_away(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_ask(self, AWAY, 20000, on_answer, "away", "small");
}

static void on_ask(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_ask(self, OTHER, 20000, on_answer, "small", "small");
}

/* Asks again at once, until there is an answer. */
static void on_retried(struct troupe *self, struct troupe_message *answer, void *data)
{
    (void)data;
    if (!troupe_failure(answer))
        troupe_status(self, "retried");
    else
        troupe_ask(self, OTHER, 20000, on_retried, NULL, "retry");
}

static void on_retry(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_ask(self, OTHER, 20000, on_retried, NULL, "retry");
}

static void on_large(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_ask(self, OTHER, 20000, on_answer, "large", "large", troupe_bytes_of(piece, LARGE));
}

/* Goes on with a question to somebody who never answers. */
static void ask_the_deaf(struct troupe *self, struct troupe_message *answer, void *data)
{
    (void)answer;
    (void)data;
    troupe_free(troupe_call(self, "deaf", 20000, "anything"));
}

static void on_ask_on(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_ask(self, OTHER, 20000, ask_the_deaf, NULL, "small");
}

static void on_event(struct troupe *self, enum troupe_event_kind kind, struct troupe_message *event,
                     void *data)
{
    (void)event;
    (void)data;
    troupe_status(self, "event %d", kind);
}

static void on_subscribe(struct troupe *self, struct troupe_message *message)
{
    struct subject *subject = troupe_state(self);

    (void)message;
    subject->subscription = troupe_subscribe(self, OTHER, "", 0, on_event, NULL);
}

static void on_unsubscribe(struct troupe *self, struct troupe_message *message)
{
    struct subject *subject = troupe_state(self);

    troupe_unsubscribe(self, subject->subscription);
    troupe_reply(message, "unsubscribed");
}

static void send_away(struct troupe *self, uint64_t count, void *data)
{
    (void)self;
    (void)count;
    troupe_forward(data, OTHER "@elsewhere");
}

static void on_away(struct troupe *self, struct troupe_message *message)
{
    troupe_after(self, 1, send_away, troupe_keep(message));
}

static void on_both(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_forward(message, OTHER);
    errno = 0;
    if (troupe_reply(message, "mine") == 0 || errno != ENOTCONN ||
        troupe_forward(message, OTHER) == 0)
        troupe_status(self, "answered twice");
}

static void on_hand_over(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_forward(troupe_keep(message), OTHER);
}

static void on_drain(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_drain(self, "normal");
}

/* Sends, and goes on sending when the other has long gone. */
static void on_storm(struct troupe *self, struct troupe_message *message)
{
    int failed = troupe_cast(self, OTHER, "piece", troupe_bytes_of(piece, PIECE)) < 0;

    troupe_status(self, "begun");
    usleep(200000);
    for (int i = 0; i < 5; i++)
        failed += troupe_cast(self, OTHER, "piece", troupe_bytes_of(piece, PIECE)) < 0;
    troupe_reply(message, failed ? strerror(errno) : "sent");
}

static void on_big(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    errno = 0;
    troupe_reply(message, troupe_bytes_of(piece, sizeof piece));
    troupe_status(self, "big %s", strerrorname_np(errno));
}

static void on_later(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_cast_after(self, 1, "no address", "x");
    troupe_cast_after(self, 50, OTHER, ".name"); /* two that are due at once come in either order */
}

static void on_forever(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer = troupe_call(self, OTHER, INT64_MAX, "small");

    troupe_reply(message, troupe_failure(answer) ? troupe_failure(answer) : "answered");
    troupe_free(answer);
}

/* 4 GiB and a little, of which there is nothing: their number is more than an envelope's field
 * holds. */
static void on_huge(struct troupe *self, struct troupe_message *message)
{
    size_t size = (UINT64_C(1) << 32) + 5;
    void *nothing = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct troupe_message *answer;
    bool is_cast;

    is_cast = troupe_cast(self, OTHER, "huge", troupe_bytes_of(nothing, size)) == 0;
    answer = troupe_call(self, OTHER, 1000, "huge", troupe_bytes_of(nothing, size));
    troupe_reply(message, is_cast ? "cast" : troupe_failure(answer));
    troupe_free(answer);
    munmap(nothing, size);
}

static void on_flood_away(struct troupe *self, struct troupe_message *message)
{
    for (int i = 0; i < 5 * UNDELIVERED_MAX; i++)
        troupe_cast(self, OTHER "@elsewhere", "away");
    troupe_reply(message, "flooded");
}

static void keep_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    (void)self;
    (void)data;
    troupe_keep(answer);
}

static void on_keep_answer(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_ask(self, "nobody", 20000, keep_answer, NULL, "small");
}

static void on_ping(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, "pong");
}

static void on_note(struct troupe *self, struct troupe_message *message)
{
    troupe_cast(self, OTHER, "noted");
    troupe_reply(message, "sent");
}

static void receive(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    if (troupe_forward(message, OTHER) < 0)
        troupe_refuse(message, "bad_message %s", strerrorname_np(errno));
}

static void undelivered(struct troupe *self, const char *to, const char *name, const char *why)
{
    troupe_status(self, "undelivered %s %s: %s", to, name, why);
}

static const struct troupe_handler messages[] = {
    {"ask", "", "", on_ask, NULL},
    {"ask_away", "", "", on_ask_away, NULL},
    {"retry", "", "", on_retry, NULL},
    {"large", "", "", on_large, NULL},
    {"ask_on", "", "", on_ask_on, NULL},
    {"subscribe", "", "", on_subscribe, NULL},
    {"unsubscribe", "", "s", on_unsubscribe, NULL},
    {"away", "", "s", on_away, NULL},
    {"both", "", "s", on_both, NULL},
    {"hand_over", "", "", on_hand_over, NULL},
    {"drain", "", "", on_drain, NULL},
    {"storm", "", "s", on_storm, NULL},
    {"big", "", "B", on_big, NULL},
    {"later", "", "", on_later, NULL},
    {"forever", "", "s", on_forever, NULL},
    {"huge", "", "s", on_huge, NULL},
    {"flood_away", "", "s", on_flood_away, NULL},
    {"keep_answer", "", "", on_keep_answer, NULL},
    {"ping", "", "s", on_ping, NULL},
    {"note", "", "s", on_note, NULL},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct subject), .messages = messages, .receive = receive,
             .undelivered = undelivered);

/* ---- the stage ------------------------------------------------------------------------------ */

/* The other actor's mailbox: takes connections, and remembers the last CALL. */
struct other {
    struct sp_listener *listener;
    struct peer *peer; /* the newest connection */
    struct peer *left; /* the one before, when the actor was asked to leave it */
    int came, casts;
    bool is_rude; /* reads nothing, so that a long frame is cut */
    const char *refusal; /* what is said in place of HELLO to who has sent a message; NULL: HELLO */
    uint64_t ref;
    char heard[256]; /* the names of all that came, in order, each with its connection: "1:small " */
};

struct stage {
    char dir[64];
    int control, mailbox;
    pid_t pid;
    struct ev_loop *loop;
    struct other other;
    struct sp_conn *client;
    int answers;
    char answer[1024];
    char lines[CTL_DATAGRAM_MAX + 1];
    size_t size, at;
};

static struct stage stage;

/* In a build with the address sanitizer: what the runtime leaked is a failure, too. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void run_child(int control, int64_t sweep_ms)
{
    struct troupe_boot boot = {.abi = TROUPE_BOOT_ABI,
                               .path = "subject",
                               .node = "east",
                               .incarnation = 3,
                               .control_fd = control,
                               .mailbox_fd = stage.mailbox,
                               .stats_fd = -1,
                               .run_dir = stage.dir,
                               .max_message = 1 << 20};
    int status;

    close(stage.control);
    alarm(60); /* no test leaves a child behind */
    contact_sweep_ms = sweep_ms;
    status = troupe_actor_run(&troupe_actor, &boot);
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
        status = 99;
    _exit(status);
}

static bool wait_line(enum ctl_verb verb, struct ctl_line *line)
{
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    ssize_t size;

    while (mono_diff_ms(deadline, mono_now()) > 0) {
        while (ctl_next(stage.lines, stage.size, &stage.at, line))
            if (line->verb == verb)
                return true;
        size = recv(stage.control, stage.lines, sizeof stage.lines - 1, MSG_DONTWAIT);
        stage.size = size > 0 ? (size_t)size : 0;
        stage.at = 0;
        if (size == 0)
            return false;
        if (size < 0)
            loop_run_for(stage.loop, 5);
    }
    return false;
}

static bool status_is(const char *text)
{
    struct ctl_line line;

    if (!wait_line(CTL_STATUS, &line))
        return false;
    if (strcmp(line.rest, text) == 0)
        return true;
    tap_note("status: %s", line.rest);
    return false;
}

static void say(const char *lines)
{
    send(stage.control, lines, strlen(lines), MSG_NOSIGNAL);
}

static void run_for(int64_t ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);

    while (mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(stage.loop, 5);
}

static bool reaches(const int *what, int n)
{
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);

    while (*what < n && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(stage.loop, 5);
    return *what >= n;
}

static bool on_client_message(const uint8_t *body, size_t size)
{
    size = size < 4 ? 0 : size - 4;
    size = size < sizeof stage.answer - 1 ? size : sizeof stage.answer - 1;
    memcpy(stage.answer, body + 4, size);
    stage.answer[size] = '\0';
    stage.answers++;
    return true;
}

static void client_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    (void)conn;
    (void)fd;
    on_client_message(body, size);
}

static void client_closed(struct sp_conn *conn, const char *why)
{
    (void)conn;
    (void)why;
    stage.client = NULL;
}

static void stage_up(int64_t sweep_ms)
{
    static const struct sp_handlers client = {.on_message = client_message,
                                              .on_close = client_closed};
    struct ctl_line line;
    int pair[2];

    stage = (struct stage){.dir = "/tmp/troupe-talk-test.XXXXXX"};
    if (!mkdtemp(stage.dir) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    stage.control = pair[0];
    stage.mailbox = rundir_listen(stage.dir, "subject");
    fflush(NULL);
    stage.pid = fork();
    if (stage.pid == 0)
        run_child(pair[1], sweep_ms);
    close(pair[1]);
    stage.loop = loop_create();
    if (!wait_line(CTL_READY, &line))
        tap_ok(false, "the actor became ready");
    stage.client =
        sp_dial(stage.loop, stage.dir, "subject", SP_REQ, (struct mono){0}, NULL, &client, NULL);
}

static void ask(const char *line)
{
    static uint8_t id;
    uint8_t header[4] = {0x80, 0, 0, ++id};
    struct iovec parts[] = {{header, 4}, {(void *)line, strlen(line)}};

    if (!stage.client || sp_send(stage.client, parts, 2, -1) < 0)
        tap_note("the actor hung up");
}

static bool answers(const char *line, const char *answer)
{
    int before = stage.answers;

    ask(line);
    if (!reaches(&stage.answers, before + 1))
        return false;
    if (strcmp(stage.answer, answer) == 0)
        return true;
    tap_note("%s: %s", line, stage.answer);
    return false;
}

/* ---- the other actor ------------------------------------------------------------------------ */

static void other_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    char *heard = stage.other.heard;
    size_t length = strlen(heard);

    (void)fd;
    snprintf(heard + length, sizeof stage.other.heard - length, "%d:%.*s ", *(int *)peer_data(peer),
             (int)env->type.length, env->type.at);
    stage.other.casts += env->kind == ENVELOPE_CAST;
    if (env->kind == ENVELOPE_CALL || env->kind == ENVELOPE_CONTROL)
        stage.other.ref = env->ref;
}

static void other_refuses(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    const char *reason = stage.other.refusal, *why;
    struct envelope env, error = {.kind = ENVELOPE_ERROR, .payload_size = (uint32_t)strlen(reason)};
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct iovec parts[] = {{header, envelope_encode_header(&error, header)},
                            {(void *)reason, strlen(reason)}};

    (void)fd;
    if (envelope_decode(body, size, &env, &why) < 0 || env.kind == ENVELOPE_HELLO)
        return;
    strcat(stage.other.heard, "refused ");
    sp_send(conn, parts, 2, -1);
    sp_conn_close(conn, true);
}

static void other_closed(struct peer *peer, const char *why)
{
    (void)why;
    if (stage.other.peer == peer)
        stage.other.peer = NULL;
    if (stage.other.left == peer)
        stage.other.left = NULL;
}

static bool other_open(struct sp_conn *conn)
{
    static const struct peer_handlers handlers = {.on_envelope = other_envelope,
                                                  .on_close = other_closed};

    static const struct sp_handlers refuses = {.on_message = other_refuses};
    static int numbers[16];
    int *number = &numbers[stage.other.came++ % 16];

    if (stage.other.refusal) {
        sp_conn_set_handlers(conn, &refuses);
        return true;
    }
    *number = stage.other.came;
    stage.other.peer = peer_accept(conn, OTHER "@east#1", &handlers, number);
    peer_pause(stage.other.peer, stage.other.is_rude);
    sp_conn_flush(conn);
    return true;
}

static void other_up_at(const char *path)
{
    struct sp_handlers handlers = peer_sp_handlers(other_open);

    stage.other.listener =
        sp_listen(stage.loop, rundir_listen(stage.dir, path), NULL, &handlers, NULL);
}

static void other_up(void)
{
    other_up_at(OTHER);
}

static bool other_has_call(void)
{
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);

    while (!stage.other.ref && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(stage.loop, 5);
    return stage.other.ref != 0;
}

static void other_says(enum envelope_kind kind, uint64_t ref, const char *payload)
{
    struct envelope env = {.kind = (uint8_t)kind,
                           .ref = ref,
                           .payload = payload,
                           .payload_size = (uint32_t)strlen(payload)};

    if (stage.other.peer)
        peer_send(stage.other.peer, &env, -1);
    run_for(20);
}

static void other_returns(enum envelope_kind kind, uint64_t ref, const char *name)
{
    struct envelope env = {.kind = (uint8_t)kind, .ref = ref, .type = envelope_text(name)};

    peer_send(stage.other.peer, &env, -1);
    run_for(50);
}

static void other_answers(void)
{
    other_says(ENVELOPE_REPLY, stage.other.ref, "");
    stage.other.ref = 0;
}

static void other_hangs_up(void)
{
    peer_close(stage.other.peer, false);
    stage.other.peer = NULL;
    stage.other.ref = 0;
}

static bool other_heard(const char *names)
{
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);

    while (strlen(stage.other.heard) < strlen(names) && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(stage.loop, 5);
    if (strcmp(stage.other.heard, names) == 0)
        return true;
    tap_note("heard: %s", stage.other.heard);
    return false;
}

/* On the connection that is there now: .yield, or that all was taken that came by it. */
static void other_makes_room(struct peer *peer, const char *event)
{
    struct envelope env = {.kind = ENVELOPE_EVENT, .type = envelope_text(event)};

    stage.other.left = peer;
    peer_send(peer, &env, -1);
    run_for(50);
}

/* The number of the question how the other ended; 0: it is not asked. */
static uint64_t end_is_asked(void)
{
    struct ctl_line line;

    return wait_line(CTL_ENDED, &line) ? strtoull(line.rest, NULL, 10) : 0;
}

static int wait_end(void)
{
    int status = -1;

    waitpid(stage.pid, &status, 0); /* alarm() bounds it */
    stage.pid = 0;
    return status;
}

static bool ends_well(void)
{
    return wait_end() == 0;
}

static void stage_down(void)
{
    static const char *const left[] = {"subject", OTHER, "deaf", PEER_NODE, RUNDIR_PLACES, "sys"};
    char path[128];

    if (stage.pid) {
        say("STOP\n");
        CHECK(ends_well(), "… and the actor ends in order");
    }
    peer_close(stage.other.left != stage.other.peer ? stage.other.left : NULL, false);
    peer_close(stage.other.peer, false);
    sp_listener_destroy(stage.other.listener, false);
    if (stage.client)
        sp_conn_close(stage.client, false);
    ev_loop_destroy(stage.loop);
    close(stage.control);
    close(stage.mailbox);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        snprintf(path, sizeof path, "%s/%s", stage.dir, left[i]);
        remove(path);
    }
    rmdir(stage.dir);
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_retry(void)
{
    stage_up(10000);
    ask("retry");
    run_for(50);
    other_up();
    if (tap_ok(other_has_call(),
               "who asks again within on_answer of a noproc reaches the next one"))
        other_answers();
    CHECK(status_is("retried"), "… and is answered");
    stage_down();
}

static void test_unsubscribe_while_the_end_is_asked(int64_t sweep_ms, const char *sentence)
{
    char line[64];
    uint64_t ref;

    stage_up(sweep_ms);
    other_up();
    ask("subscribe");
    CHECK(other_has_call(), "a subscription is asked for");
    run_for(4 * sweep_ms < 500 ? 4 * sweep_ms : 0);
    other_hangs_up();
    ref = end_is_asked();
    run_for(4 * sweep_ms < 500 ? 4 * sweep_ms : 0);
    CHECK(answers("unsubscribe", "+unsubscribed"), "… and taken back while its end is asked for");
    snprintf(line, sizeof line, "DOWN %" PRIu64 " " OTHER "#1 killed\n", ref);
    say(line);
    CHECK(ref && answers("ping", "+pong"), "%s", sentence);
    stage_down();
}

static void test_stop_behind_an_end(void)
{
    struct mono start;
    char line[128];
    int deaf;

    stage_up(10000);
    other_up();
    deaf = rundir_listen(stage.dir, "deaf");
    ask("ask_on");
    CHECK(other_has_call(), "a call is made");
    other_hangs_up();
    snprintf(line, sizeof line, "DOWN %" PRIu64 " " OTHER "#1 killed\nSTOP\n", end_is_asked());
    start = mono_now();
    say(line);
    CHECK(ends_well() && mono_diff_ms(mono_now(), start) < 10000,
          "a stop in one datagram with an end is obeyed though on_answer of that end waits");
    close(deaf);
    stage_down();
}

static void test_forwards(void)
{
    stage_up(10000);
    other_up();
    CHECK(answers("away", "!noconnection"),
          "a kept call that is forwarded to another node fails by name");
    ask("both");
    CHECK(other_has_call(), "a call is forwarded");
    CHECK(answers("ping", "+pong"), "… that its handler had answered by itself as well");
    other_answers();
    CHECK(answers("ping", "+pong"), "… to the actor's surprise, not to its end");
    stage_down();
}

static void test_long_name(void)
{
    char line[400];

    stage_up(10000);
    other_up();
    memset(line, 'n', 300);
    line[300] = '\0';
    CHECK(answers(line, "!bad_message EINVAL"),
          "a name of 300 bytes is not forwarded as another one");
    stage_down();
}

static void test_hand_over_and_drain(void)
{
    struct iovec part = {"hand_over", 9};
    struct sp_conn *push;

    stage_up(10000);
    other_up();
    push = sp_dial(stage.loop, stage.dir, "subject", SP_PUSH, (struct mono){0}, NULL,
                   &(struct sp_handlers){.on_message = client_message}, NULL);
    sp_send(push, &part, 1, -1);
    CHECK(reaches(&stage.other.casts, 1), "a cast that was kept is forwarded by its handler");
    sp_conn_close(push, false);
    ask("drain");
    run_for(1000);
    say("EXIT x killed\n"); /* a draining one that hangs would end with a cascade */
    CHECK(ends_well(), "… and owes nothing any more: the drain comes to its end");
    stage_down();
}

static void test_storm(void)
{
    int before = 0;

    stage_up(10000);
    other_up();
    ask("storm");
    CHECK(status_is("begun") && reaches(&stage.other.casts, 1), "casts have begun");
    other_hangs_up();
    CHECK(reaches(&stage.answers, before + 1) && strcmp(stage.answer, "+sent") == 0,
          "casts to one that has just ended wait for the next");
    if (strcmp(stage.answer, "+sent") != 0)
        tap_note("storm: %s", stage.answer);
    CHECK(reaches(&stage.other.casts, 4), "… who gets them");
    stage_down();
}

static void test_cut_twice(void)
{
    stage_up(10000);
    other_up();
    ask("ask");
    CHECK(other_has_call(), "a connection stands");
    other_answers();
    CHECK(status_is("small answered"), "… and is used");
    for (int i = 0; i < 2; i++) {
        peer_pause(stage.other.peer, true);
        if (i == 0)
            ask("large");
        run_for(200);
        other_hangs_up();
        reaches(&stage.other.came, i + 2);
    }
    if (tap_ok(other_has_call(), "a large call that was cut off twice comes whole at last"))
        other_answers();
    CHECK(status_is("large answered"), "… and its answer is the one that it has");
    stage_down();
}

static void test_big_answer(void)
{
    stage_up(10000);
    CHECK(answers("big", "!error reply to big: more than 1048576 bytes"),
          "an answer that is too large is an error, by name");
    CHECK(status_is("big EMSGSIZE"), "… its handler hears of it");
    CHECK(answers("ping", "+pong"), "… and the connection lives on");
    stage_down();
}

static void test_huge(void)
{
    stage_up(10000);
    other_up();
    CHECK(answers("huge", "+bad_message too large"),
          "what is longer than an envelope's field can say is refused, not cut");
    stage_down();
}

static void test_later(void)
{
    stage_up(10000);
    ask("later");
    CHECK(status_is(
              "undelivered no address x: bad_message no address, or values that cannot travel") &&
              status_is("undelivered " OTHER
                        " .name: bad_message no address, or values that cannot travel"),
          "a later cast to no address, or of no name, is told as such");
    stage_down();
}

static void test_forever(void)
{
    stage_up(10000);
    other_up();
    ask("forever");
    if (tap_ok(other_has_call(), "a call may wait as long as a number can say"))
        other_answers();
    CHECK(reaches(&stage.answers, 1) && strcmp(stage.answer, "+answered") == 0,
          "… and is answered");
    stage_down();
}

static void test_strangers(void)
{
    uint64_t ref;

    stage_up(10000);
    other_up();
    ask("ask");
    CHECK(other_has_call(), "somebody is asked");
    ref = stage.other.ref;
    other_says(ENVELOPE_REPLY, ref + 1, "x");
    other_says(ENVELOPE_REPLY, ref ^ UINT64_C(1) << 32, "x");
    other_says(ENVELOPE_ERROR, UINT64_MAX, "noproc");
    other_says(ENVELOPE_EVENT, ref, "x");
    other_says(ENVELOPE_CALL, ref, "x");
    other_answers();
    CHECK(status_is("small answered"), "answers and events that nobody waits for change nothing");
    other_says(ENVELOPE_REPLY, ref, "");
    CHECK(answers("ping", "+pong"), "… nor does a second answer");
    ask("ask");
    CHECK(other_has_call(), "somebody is asked");
    other_says(ENVELOPE_HELLO, 0, "12345678");
    CHECK(end_is_asked() != 0, "a second HELLO is the end of that connection");
    say("DOWN 1 " OTHER "#1 error rude\n");
    CHECK(status_is("small down error rude"), "… which its callers hear, with the reason");
    stage_down();
}

/* What sys/node says for mailboxes of other nodes no mailbox says for itself. */
static void test_false_returns(void)
{
    stage_up(10000);
    other_up();
    ask("ask");
    CHECK(other_heard("1:small "), "somebody is asked");
    other_returns(ENVELOPE_CALL, stage.other.ref, "small");
    other_returns(ENVELOPE_CAST, 0, "forged");
    other_hangs_up();
    CHECK(answers("note", "+sent") && other_heard("1:small 2:noted "),
          "what a mailbox here returns nobody sends to its next life");
    stage_down();
}

static void test_returns(void)
{
    stage_up(10000);
    other_up_at(PEER_NODE);
    ask("away");
    CHECK(other_heard("1:away "), "somebody on another node is asked");
    other_returns(ENVELOPE_CALL, stage.other.ref, "away");
    other_returns(ENVELOPE_CALL, stage.other.ref, "away");
    other_makes_room(stage.other.peer, SEAT_YIELD);
    stage.other.left = NULL;
    other_hangs_up();
    CHECK(other_heard("1:away 2:away ") && answers("ping", "+pong") &&
              other_heard("1:away 2:away "),
          "a call that is returned twice goes again once, by a connection that nobody leaves");
    stage_down();
}

/* Its session ends before the HELLO of who was meant has come: nothing was handled. */
static void test_session_lost_before_hello(void)
{
    char *west[] = {"west"};
    char path[128];

    stage_up(10000);
    other_up_at(PEER_NODE);
    snprintf(path, sizeof path, "%s/" RUNDIR_PLACES, stage.dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    ask("ask_away");
    CHECK(other_heard("1:" CONTROL_PLACE " "), "an actor of a service is asked for");
    stage.other.refusal = "noconnection";
    peer_reply_words(stage.other.peer, stage.other.ref, &(struct words){1, west}, -1);
    CHECK(other_heard("1:" CONTROL_PLACE " refused 1:" CONTROL_PLACE " "),
          "and again, when the way to where it is ends before anybody was reached");
    stage_down();
}

static void test_room(void)
{
    uint64_t first;

    stage_up(10000);
    other_up();
    ask("one");
    CHECK(other_heard("1:one "), "somebody is asked");
    first = stage.other.ref;
    other_makes_room(stage.other.peer, SEAT_YIELD);
    ask("two");
    CHECK(other_heard("1:one 1:.yielded ") && stage.other.came == 1,
          "who is asked to make room says that nothing follows, and nothing does");
    run_for(50);
    ask("three");
    run_for(50);
    CHECK(other_heard("1:one 1:.yielded "), "… before the other says that it has taken all");
    other_makes_room(stage.other.peer, SEAT_YIELDED);
    CHECK(other_heard("1:one 1:.yielded 2:two 2:three "), "… then all goes by another connection");
    other_answers();
    CHECK(reaches(&stage.answers, 1), "… on which it is answered");
    stage.answers = 0;
    peer_send(stage.other.left, &(struct envelope){.kind = ENVELOPE_REPLY, .ref = first}, -1);
    CHECK(reaches(&stage.answers, 1), "… as what was asked before is on the first");
    run_for(50);
    CHECK(!stage.other.left, "… which is closed then");
    stage_down();
}

/* Else what goes by the next one could be read before it. */
static void test_rest_while_unread(void)
{
    enum { SWEEP_MS = 20, SWEEPS = 10 };
    struct mono deadline;

    stage_up(SWEEP_MS);
    other_up();
    CHECK(answers("note", "+sent") && other_heard("1:noted "), "a cast goes to one who reads");
    peer_pause(stage.other.peer, true);
    CHECK(answers("note", "+sent"), "another to one who does not");
    run_for(SWEEPS * SWEEP_MS);
    CHECK(answers("note", "+sent"), "and much later a third");
    run_for(SWEEPS * SWEEP_MS);
    CHECK(stage.other.came == 1, "a connection in which something is unread is not closed for its rest");
    peer_pause(stage.other.peer, false);
    CHECK(other_heard("1:noted 1:noted 1:noted "), "… and all is read from it in order");
    deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    while (stage.other.peer && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(stage.loop, 5);
    CHECK(!stage.other.peer, "… and then it is closed");
    stage_down();
}

static void test_room_while_subscribed(void)
{
    stage_up(10000);
    other_up();
    ask("subscribe");
    CHECK(other_has_call(), "a subscription is asked for");
    other_answers();
    other_makes_room(stage.other.peer, SEAT_YIELD);
    ask("one");
    CHECK(other_heard("1:.subscribe 1:one "), "a connection with a subscription is not left");
    stage.other.left = NULL;
    stage_down();
}

/* What is not whole with the other goes again, before what was held back. */
static void test_end_while_leaving(void)
{
    uint64_t ref;

    stage_up(10000);
    other_up();
    ask("one");
    CHECK(other_heard("1:one "), "somebody is asked");
    peer_pause(stage.other.peer, true);
    ask("large");
    run_for(50);
    other_makes_room(stage.other.peer, SEAT_YIELD);
    ask("two");
    run_for(50);
    stage.other.left = NULL;
    other_hangs_up();
    ref = end_is_asked();
    CHECK(other_heard("1:one 2:large 2:.yielded 2:two "),
          "who dies before it has taken all: what it had not got goes again, in its order");
    stage_down();
    CHECK(ref != 0, "… and of what it had got it is asked how it ended");
}

/* Greets, and cuts the same frame, for as long as it is dialled. */
static void test_rude(void)
{
    struct mono begin;
    struct ctl_line line;

    stage_up(10000);
    stage.other.is_rude = true;
    other_up();
    ask("large");
    begin = mono_now();
    while (mono_diff_ms(mono_now(), begin) < 2000) {
        run_for(5);
        if (stage.other.peer)
            other_hangs_up();
    }
    CHECK(stage.other.came > 3 && stage.other.came < 30,
          "who greets and then cuts each time is dialled ever more seldom");
    tap_note("%d times in 2 s", stage.other.came);
    while (stage.other.came < 100 && mono_diff_ms(mono_now(), begin) < 12000 &&
           recv(stage.control, &line, 1, MSG_PEEK | MSG_DONTWAIT) < 0) {
        run_for(5);
        if (stage.other.peer)
            other_hangs_up();
    }
    CHECK(status_is("large down unknown"), "… and given up");
    CHECK(answers("ping", "+pong"), "… and the actor lives on");
    stage_down();
}

static void test_many_undelivered(void)
{
    char wanted[128];
    struct ctl_line line;
    int told = 0;

    stage_up(10000);
    CHECK(answers("flood_away", "+flooded"), "casts that go nowhere, more than can wait to be told");
    while (wait_line(CTL_STATUS, &line) && strstr(line.rest, "noconnection"))
        told++;
    snprintf(wanted, sizeof wanted, "undelivered  : overloaded %d more", 4 * UNDELIVERED_MAX);
    CHECK(told == UNDELIVERED_MAX && strcmp(line.rest, wanted) == 0,
          "… are told up to a bound, and then how many there were besides");
    stage_down();
}

static void test_keep_answer(void)
{
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);
    int status;

    stage_up(10000);
    ask("keep_answer");
    while (stage.client && mono_diff_ms(deadline, mono_now()) > 0)
        run_for(5);
    status = wait_end();
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "an answer that is kept ends the actor");
    stage_down();
}

static void test_one_question(void)
{
    struct ctl_line line;
    uint64_t ref;
    char down[64];

    stage_up(10000);
    other_up();
    ask("ask");
    ask("ask");
    CHECK(other_heard("1:small 1:small "), "somebody is asked twice, and dies");
    other_hangs_up();
    ref = end_is_asked();
    snprintf(down, sizeof down, "DOWN %" PRIu64 " " OTHER "#1 killed\n", ref);
    say(down);
    CHECK(status_is("small down killed") && status_is("small down killed"),
          "both hear how it ended");
    CHECK(answers("ping", "+pong") && !ctl_next(stage.lines, stage.size, &stage.at, &line) &&
              recv(stage.control, stage.lines, sizeof stage.lines - 1, MSG_DONTWAIT) < 0,
          "… for which one question was asked");
    stage_down();
}

int main(void)
{
    test_retry();
    test_unsubscribe_while_the_end_is_asked(10000, "… whose answer meets nothing");
    test_unsubscribe_while_the_end_is_asked(40, "… also when the connection is long forgotten");
    test_stop_behind_an_end();
    test_forwards();
    test_long_name();
    test_hand_over_and_drain();
    test_storm();
    test_cut_twice();
    test_big_answer();
    test_huge();
    test_later();
    test_forever();
    test_strangers();
    test_false_returns();
    test_returns();
    test_session_lost_before_hello();
    test_one_question();
    test_rude();
    test_many_undelivered();
    test_keep_answer();
    test_room();
    test_rest_while_unread();
    test_room_while_subscribed();
    test_end_while_leaving();
    return tap_done();
}
