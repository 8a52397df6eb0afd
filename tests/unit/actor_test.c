/*
 * A module's runtime with this test as its supervisor: socket pair, listening socket, stats page
 * and fork made by hand; requests come through sp.c and peer.c as dialers.
 */
#include "audience.h"
#include "boot.h"
#include "ctl.h"
#include "mailbox.h"
#include "peer.h"
#include "raw.h"
#include "rundir.h"
#include "stats.h"
#include "tap.h"
#include "troupe.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

/* ---- the actor under test ------------------------------------------------------------------ */

struct subject {
    int64_t sum;
    struct troupe_message *kept;
};

static void nap(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

static int init(struct troupe *self)
{
    struct subject *subject = troupe_state(self);
    const char *how = troupe_arg(self, "init");
    size_t size;
    const char *last = troupe_last_state(self, &size);

    subject->sum = troupe_arg_int(self, "start", 0);
    if (how && strcmp(how, "ignore") == 0)
        return TROUPE_IGNORE;
    if (how && strcmp(how, "error") == 0)
        return troupe_error(self, "disk full");
    if (how && strcmp(how, "exit") == 0)
        troupe_exit(self, "abort", "error no licence");
    troupe_ready_text(self, "%.*s", (int)size, last ? last : "");
    return TROUPE_READY;
}

static void terminate(struct troupe *self, const char *reason)
{
    const char *other = troupe_arg(self, "end");
    char state[64];
    int length = snprintf(state, sizeof state, "ended by %.40s", reason);

    troupe_status(self, "terminate %s", reason);
    troupe_set_last_state(self, state, (size_t)length);
    if (other)
        troupe_exit(self, NULL, "%s", other);
}

static void on_add(struct troupe *self, struct troupe_message *message)
{
    struct subject *subject = troupe_state(self);

    subject->sum += troupe_int(message, 0);
    troupe_reply(message, subject->sum);
}

static void on_mixed(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_int(message, 0), troupe_uint(message, 1),
                 troupe_double(message, 2), troupe_text(message, 3), troupe_bytes(message, 4));
}

static void on_fail(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_fail(message, "no %s here", troupe_text(message, 0));
}

static void on_keep(struct troupe *self, struct troupe_message *message)
{
    struct subject *subject = troupe_state(self);

    subject->kept = troupe_keep(message);
}

static void on_release(struct troupe *self, struct troupe_message *message)
{
    struct subject *subject = troupe_state(self);
    int result = troupe_reply(subject->kept, "late");

    troupe_reply(message, result == 0 ? "sent" : strerrorname_np(errno));
}

static void on_nap(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    nap(troupe_int(message, 0));
}

static void on_wrong(struct troupe *self, struct troupe_message *message)
{
    troupe_status(self, "wrong %d", troupe_reply(message, "a text"));
}

static void on_misuse(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_int(message, 0);
}

static void on_exit_now(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, "bye");
    troupe_exit(self, "restart_after 5s", "error %s", troupe_text(message, 0));
}

static void on_publish(struct troupe *self, struct troupe_message *message)
{
    int n = troupe_publish(self, "topic", troupe_text(message, 0), -3, 1.5);

    troupe_reply(message, n);
}

static void on_crash(struct troupe *self, struct troupe_message *message)
{
    struct rlimit no_core = {0, 0};
    volatile uintptr_t nowhere = 0x10;

    (void)self;
    (void)message;
    setrlimit(RLIMIT_CORE, &no_core);
    *(volatile int *)nowhere = 1;
}

static void on_raw(struct troupe *self, struct troupe_message *message)
{
    struct troupe_bytes bytes = troupe_bytes(message, 0);

    (void)self;
    if (bytes.size == 0)
        troupe_fail(message, "empty");
    else
        troupe_reply(message, bytes);
}

static void receive(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_name(message), troupe_count(message),
                 troupe_count(message) ? troupe_bytes(message, 0) : troupe_bytes_of("", 0));
}

static void on_who(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_from(message));
}

static const struct troupe_handler messages[] = {
    {"add", "I", "I", on_add, "adds"},
    {"mixed", "iUfsB", "iUfsB", on_mixed, "gives back all types"},
    {"fail", "s", "s", on_fail, "fails"},
    {"keep", "", "s", on_keep, "is answered by release"},
    {"release", "", "s", on_release, "answers keep"},
    {"nap", "I", "", on_nap, "sleeps"},
    {"wrong", "", "I", on_wrong, "replies another type"},
    {"misuse", "s", "", on_misuse, "reads another type"},
    {"silent", "", "I", on_nap, "never called"},
    {"exit", "s", "s", on_exit_now, "ends"},
    {"publish", "s", "i", on_publish, "publishes"},
    {"crash", "", "", on_crash, "crashes"},
    {"who", "", "s", on_who, "says from whom this is"},
    {"raw", "B", "B", on_raw, "bytes"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct subject), .init = init, .messages = messages,
             .terminate = terminate);

static const struct troupe_handler no_messages[] = {{0}};

/* Ready when it says so, and then it can do what it has learnt; it may rest for a while. */
static void wake(struct troupe *self, uint64_t count, void *data)
{
    (void)count;
    (void)data;
    troupe_resume(self);
}

static void on_rest(struct troupe *self, struct troupe_message *message)
{
    troupe_pause(self);
    troupe_after(self, troupe_int(message, 0), wake, NULL);
}

static const struct troupe_handler learnt[] = {
    {"add", "I", "I", on_add, "adds"},
    {"rest", "I", "", on_rest, "takes no message for so many ms"},
    {0}};

static void learn(struct troupe *self, uint64_t count, void *data)
{
    (void)count;
    (void)data;
    troupe_declare(self, learnt, NULL);
    troupe_ready_text(self, "learnt");
    troupe_ready(self);
    troupe_ready(self);
}

static int init_later(struct troupe *self)
{
    troupe_status(self, "learning");
    troupe_after(self, 50, learn, NULL);
    return TROUPE_LATER;
}

static const struct troupe_actor late_actor = {.abi = TROUPE_ABI,
                                               .size = sizeof(struct troupe_actor),
                                               .run = troupe_actor_run,
                                               .state_size = sizeof(struct subject),
                                               .init = init_later};

static const struct troupe_actor open_actor = {.abi = TROUPE_ABI,
                                               .size = sizeof(struct troupe_actor),
                                               .run = troupe_actor_run,
                                               .messages = no_messages,
                                               .receive = receive};

/* ---- the supervisor ------------------------------------------------------------------------ */

struct stage {
    char dir[64];
    int control, mailbox, stats_fd;
    struct stats_page *stats;
    pid_t pid;
    struct ev_loop *loop;
    char line[CTL_DATAGRAM_MAX + 1]; /* the datagram being read */
    size_t line_size, line_at;
};

static struct troupe_boot boot_default(void)
{
    return (struct troupe_boot){.abi = TROUPE_BOOT_ABI,
                                .path = "shop/subject",
                                .node = "east",
                                .incarnation = 3,
                                .mailbox_messages = 1000,
                                .mailbox_bytes = 1 << 20,
                                .max_message = 1 << 20};
}

/* In a build with the address sanitizer: what the runtime leaked is a failure, too. */
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

static void run_child(const struct troupe_actor *actor, struct troupe_boot *boot,
                      struct stage *stage, int control)
{
    int status;

    close(stage->control);
    boot->control_fd = control;
    boot->mailbox_fd = stage->mailbox;
    boot->stats_fd = stage->stats_fd;
    boot->run_dir = stage->dir;
    alarm(60); /* no test leaves a child behind */
    status = troupe_actor_run(actor, boot);
    if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check())
        status = 99;
    _exit(status);
}

static struct stage *stage_create(const struct troupe_actor *actor, struct troupe_boot boot)
{
    struct stage *stage = calloc(1, sizeof *stage);
    int pair[2];

    snprintf(stage->dir, sizeof stage->dir, "/tmp/troupe-actor-test.XXXXXX");
    if (!mkdtemp(stage->dir) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    stage->control = pair[0];
    stage->mailbox = rundir_listen(stage->dir, "subject");
    stage->stats_fd = stats_create(1);
    stage->stats = stats_map_all(stage->stats_fd, 1);
    if (stage->mailbox < 0 || !stage->stats)
        abort();
    fflush(NULL);
    stage->pid = fork();
    if (stage->pid == 0)
        run_child(actor, &boot, stage, pair[1]);
    close(pair[1]);
    stage->loop = loop_create();
    return stage;
}

/* Reads one more datagram; false at the end of patience or of the stream. */
static bool read_datagram(struct stage *stage)
{
    struct pollfd readable = {.fd = stage->control, .events = POLLIN};
    ssize_t size;

    if (poll(&readable, 1, PATIENCE_MS) <= 0)
        return false;
    size = recv(stage->control, stage->line, sizeof stage->line - 1, 0);
    stage->line_size = size > 0 ? (size_t)size : 0;
    stage->line_at = 0;
    return size > 0;
}

/* The next line with this verb; others are skipped. */
static bool wait_line(struct stage *stage, enum ctl_verb verb, struct ctl_line *line)
{
    for (;;) {
        while (ctl_next(stage->line, stage->line_size, &stage->line_at, line))
            if (line->verb == verb)
                return true;
        if (!read_datagram(stage))
            return false;
    }
}

static const char *wait_rest(struct stage *stage, enum ctl_verb verb)
{
    struct ctl_line line;

    return wait_line(stage, verb, &line) ? line.rest : NULL;
}

static void say(struct stage *stage, const char *line)
{
    send(stage->control, line, strlen(line), MSG_NOSIGNAL);
}

static int wait_end(struct stage *stage)
{
    int status = -1;

    if (stage->pid > 0)
        waitpid(stage->pid, &status, 0); /* alarm() bounds it */
    stage->pid = 0;
    return status;
}

static void stage_destroy(struct stage *stage)
{
    char path[128];

    if (stage->pid > 0)
        kill(stage->pid, SIGKILL);
    wait_end(stage);
    ev_loop_destroy(stage->loop);
    munmap(stage->stats, STATS_PAGE_SIZE);
    close(stage->stats_fd);
    close(stage->mailbox);
    close(stage->control);
    snprintf(path, sizeof path, "%s/subject", stage->dir);
    unlink(path);
    rmdir(stage->dir);
    free(stage);
}

static struct stage *stage_ready(struct troupe_boot boot)
{
    struct stage *stage = stage_create(&troupe_actor, boot);

    if (!wait_rest(stage, CTL_READY))
        tap_ok(false, "the actor became ready");
    return stage;
}

/* ---- clients ------------------------------------------------------------------------------- */

static void on_tick(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents;
}

/* Runs the loop until *what reaches n, at most ms. */
static bool pump_for(struct stage *stage, const int *what, int n, int64_t ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);
    ev_timer tick;

    ev_timer_init(&tick, on_tick, 0.01, 0.01);
    ev_timer_start(stage->loop, &tick);
    while (*what < n && mono_diff_ms(deadline, mono_now()) > 0)
        ev_run(stage->loop, EVRUN_ONCE);
    ev_timer_stop(stage->loop, &tick);
    return *what >= n;
}

static bool pump(struct stage *stage, const int *what, int n)
{
    return pump_for(stage, what, n, PATIENCE_MS);
}

/* An nng dialer. */
struct client {
    struct stage *stage;
    struct sp_conn *conn;
    int opened, count, closed;
    uint32_t last_id;
    size_t size;
    char last[4096]; /* the newest message, without REQ's id */
};

static bool client_opened(struct sp_conn *conn)
{
    ((struct client *)sp_conn_data(conn))->opened++;
    return true;
}

static void client_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct client *client = sp_conn_data(conn);
    size_t head = sp_conn_protocol(conn) == SP_REQ ? 4 : 0;

    (void)fd;
    if (head)
        client->last_id = (uint32_t)body[2] << 8 | body[3];
    client->size = size - head < sizeof client->last - 1 ? size - head : sizeof client->last - 1;
    memcpy(client->last, body + head, client->size);
    client->last[client->size] = '\0';
    client->count++;
}

static void client_closed(struct sp_conn *conn, const char *why)
{
    struct client *client = sp_conn_data(conn);

    (void)why;
    client->conn = NULL;
    client->closed++;
}

static const struct sp_handlers CLIENT = {
    .on_open = client_opened, .on_message = client_message, .on_close = client_closed};

static struct client *dial(struct stage *stage, enum sp_protocol protocol)
{
    struct client *client = calloc(1, sizeof *client);

    client->stage = stage;
    client->conn = sp_dial(stage->loop, stage->dir, "subject", protocol,
                           mono_add_ms(mono_now(), PATIENCE_MS), NULL, &CLIENT, client);
    return client;
}

static void hang_up(struct client *client)
{
    if (client->conn)
        sp_conn_close(client->conn, false);
    free(client);
}

static void push(struct client *client, const char *line)
{
    struct iovec part = {(void *)line, strlen(line)};

    if (sp_send(client->conn, &part, 1, -1) < 0)
        tap_note("push: %s", strerror(errno));
}

static void request(struct client *client, unsigned id, const void *line, size_t size)
{
    uint8_t header[4] = {0x80, 0, (uint8_t)(id >> 8), (uint8_t)id};
    struct iovec parts[] = {{header, 4}, {(void *)line, size}};

    if (sp_send(client->conn, parts, 2, -1) < 0)
        tap_note("request: %s", strerror(errno));
}

/* One raw call with its answer; NULL when none came. */
static const char *call(struct client *client, const char *line)
{
    static unsigned id = 100;
    int before = client->count;

    request(client, ++id, line, strlen(line));
    return pump(client->stage, &client->count, before + 1) ? client->last : NULL;
}

/* A Troupe peer. */
struct caller {
    struct peer *peer;
    int count, closed;
    uint8_t kind;
    uint16_t flags;
    uint64_t ref;
    char type[64];
    size_t size;
    char payload[4096];
};

static void caller_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct caller *caller = peer_data(peer);

    (void)fd;
    caller->kind = env->kind;
    caller->flags = env->flags;
    caller->ref = env->ref;
    envelope_text_copy(env->type, caller->type, sizeof caller->type);
    caller->size =
        env->payload_size < sizeof caller->payload ? env->payload_size : sizeof caller->payload - 1;
    memcpy(caller->payload, env->payload, caller->size);
    caller->payload[caller->size] = '\0';
    caller->count++;
}

static void caller_closed(struct peer *peer, const char *why)
{
    struct caller *caller = peer_data(peer);

    (void)why;
    caller->peer = NULL;
    caller->closed++;
}

static const struct peer_handlers CALLER = {.on_envelope = caller_envelope,
                                            .on_close = caller_closed};

static void hang_up_caller(struct caller *caller)
{
    peer_close(caller->peer, false);
    caller->peer = NULL;
}

static void send_envelope(struct caller *caller, struct envelope env, const char *type,
                          const char *format, const union wire_value *values)
{
    struct wire_image image = {0};

    env.type = envelope_text(type);
    if (format && wire_pack_values(format, values, &image) == 0) {
        env.flags |= ENVELOPE_TYPED;
        env.payload = image.data;
        env.payload_size = (uint32_t)image.size;
    }
    if (peer_send(caller->peer, &env, -1) < 0)
        tap_note("peer_send: %s", strerror(errno));
    wire_image_finish(&image);
}

/* ---- tests --------------------------------------------------------------------------------- */

static void test_life(void)
{
    static const char *const args[] = {"start", "40", NULL};
    struct troupe_boot boot = boot_default();
    struct stage *stage;
    struct client *client;
    struct ctl_line line;

    boot.args = args;
    boot.last_state = "left behind";
    boot.last_state_size = 11;
    stage = stage_create(&troupe_actor, boot);
    tap_is_text(wait_rest(stage, CTL_READY), "left behind",
                "init runs, sees its last state, and its text goes with READY");
    client = dial(stage, SP_REQ);
    tap_is_text(call(client, "add\t2"), "+42", "a raw call is answered by its handler");
    say(stage, "PING\n");
    CHECK(wait_rest(stage, CTL_HEARTBEAT) != NULL, "PING is answered with HEARTBEAT");
    say(stage, "STOP\n");
    tap_is_text(wait_rest(stage, CTL_STATUS), "terminate shutdown", "STOP runs terminate");
    CHECK(wait_line(stage, CTL_LAST_STATE, &line) && line.bytes_size == 17 &&
              memcmp(line.bytes, "ended by shutdown", 17) == 0,
          "the last state is handed over at the end");
    tap_is_text(wait_rest(stage, CTL_EXIT), "shutdown", "the reason of a stop is shutdown");
    tap_is_int(wait_end(stage), 0, "a stopped actor exits with 0");
    hang_up(client);
    stage_destroy(stage);
}

static void test_start(const char *how, enum ctl_verb verb, const char *rest, int status,
                       const char *sentence)
{
    const char *args[] = {"init", how, NULL};
    struct troupe_boot boot = boot_default();
    struct stage *stage;

    boot.args = args;
    stage = stage_create(&troupe_actor, boot);
    tap_is_text(wait_rest(stage, verb), rest, sentence);
    CHECK(WEXITSTATUS(wait_end(stage)) == status, "%s: status %d", how, status);
    stage_destroy(stage);
}

static void test_bad_argument(void)
{
    static const char *const args[] = {"start", "many", NULL};
    struct troupe_boot boot = boot_default();
    struct stage *stage;

    boot.args = args;
    stage = stage_create(&troupe_actor, boot);
    tap_is_text(wait_rest(stage, CTL_STATUS),
                "terminate error args: start: \"many\": expected a whole number",
                "terminate runs also when init failed");
    tap_is_text(wait_rest(stage, CTL_EXIT), "error args: start: \"many\": expected a whole number",
                "an argument that is no number fails the start by name");
    stage_destroy(stage);
}

static void test_ends(void)
{
    static const char *const args[] = {"end", "other reason", NULL};
    struct troupe_boot boot = boot_default();
    struct stage *stage = stage_ready(boot);
    struct client *client = dial(stage, SP_REQ);
    int status;

    tap_is_text(call(client, "exit\tdisk full"), "+bye", "a reply before the end is still sent");
    tap_is_text(wait_rest(stage, CTL_EXIT), "error disk full | restart_after 5s",
                "troupe_exit tells reason and need");
    tap_is_int(WEXITSTATUS(wait_end(stage)), 1, "an error exits with 1");
    hang_up(client);
    stage_destroy(stage);

    stage = stage_ready(boot);
    say(stage, "EXIT shop/db error disk on fire\n");
    tap_is_text(wait_rest(stage, CTL_EXIT), "cascade shop/db error disk on fire",
                "a link's EXIT ends the actor in sympathy");
    stage_destroy(stage);

    boot.args = args;
    stage = stage_ready(boot);
    say(stage, "STOP");
    tap_is_text(wait_rest(stage, CTL_EXIT), "other reason", "terminate may change the reason");
    stage_destroy(stage);

    stage = stage_ready(boot_default());
    kill(stage->pid, SIGTERM);
    tap_is_text(wait_rest(stage, CTL_STATUS), "terminate signal:TERM", "SIGTERM runs terminate");
    CHECK(!wait_rest(stage, CTL_EXIT), "a stray SIGTERM is no reason of the actor's own");
    status = wait_end(stage);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "the wait status tells of SIGTERM");
    stage_destroy(stage);

    stage = stage_ready(boot_default());
    shutdown(stage->control, SHUT_RDWR);
    tap_is_int(WEXITSTATUS(wait_end(stage)), 1, "an actor without supervisor exits at once");
    stage_destroy(stage);
}

static void test_raw(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *req = dial(stage, SP_REQ), *pusher = dial(stage, SP_PUSH);
    const char *answer;

    tap_is_text(call(req, "mixed\t-1\t18446744073709551615\t2.5\ta\\tb\tc"),
                "+-1\t18446744073709551615\t2.5\ta\\tb\tc", "all types go in and out as text");
    tap_is_text(call(req, "what"), "!unknown_message what", "an unknown message is refused");
    tap_is_text(call(req, "add\tx"), "!bad_message add: argument 1: expected I",
                "an argument that does not fit is refused");
    tap_is_text(call(req, "add\t1\t2"), "!bad_message add: expected 1 arguments, got 2",
                "too many arguments are refused");
    answer = call(req, "add\t\\x");
    CHECK(answer && strncmp(answer, "!bad_message ", 13) == 0, "a bad escape is refused");
    tap_is_text(call(req, "fail\tcheese"), "!error no cheese here", "troupe_fail answers an error");
    tap_is_text(call(req, "nap\t0"), "+", "a call with nothing to say is answered for its handler");
    answer = call(req, "wrong");
    CHECK(answer && strncmp(answer, "!error reply to wrong", 21) == 0,
          "a reply of another type than declared is an error");
    tap_is_text(wait_rest(stage, CTL_STATUS), "wrong -1", "and the handler is told");
    push(pusher, "add\t5\n");
    push(pusher, "what");
    push(pusher, "add\t5");
    push(pusher, "nap\t0");
    while (answer && strcmp(answer, "+10") != 0 && strncmp(answer, "+", 1) != 0)
        answer = call(req, "add\t0");
    for (int i = 0; i < 100 && answer && strcmp(answer, "+10") != 0; i++)
        answer = call(req, "add\t0");
    tap_is_text(answer, "+10", "casts are handled, bad ones dropped");
    CHECK(pusher->count == 0, "casts are not answered");
    tap_is_int((long long)stage->stats->dropped, 5, "refused messages are counted");
    CHECK(stage->stats->messages_in > 10 && stage->stats->messages_out > 8 &&
              stage->stats->handling == 0 && stage->stats->last_activity_us > 0,
          "the stats page counts");
    hang_up(req);
    hang_up(pusher);
    stage_destroy(stage);
}

static void test_describe(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *client = dial(stage, SP_REQ);
    struct caller caller = {0};
    struct words words = {0};
    const char *answer = call(client, "describe");

    CHECK(answer && strncmp(answer, "+add\tI\tI\tadds\tmixed\tiUfsB\tiUfsB\t", 32) == 0,
          "describe lists the messages with types and help");
    caller.peer = peer_dial(stage->loop, stage->dir, "subject", "me",
                            mono_add_ms(mono_now(), PATIENCE_MS), &CALLER, &caller);
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 7}, "describe", NULL,
                  NULL);
    CHECK(pump(stage, &caller.count, 1) && caller.kind == ENVELOPE_REPLY &&
              wire_unpack_words(caller.payload, caller.size, &words) == 0 &&
              words.count == 4 * (sizeof messages / sizeof *messages - 1) &&
              strcmp(words.at[0], "add") == 0,
          "and in words to a Troupe peer");
    words_finish(&words);
    peer_close(caller.peer, false);
    hang_up(client);
    stage_destroy(stage);
}

/* Whom the actor takes for the sender of what somebody says is another's. */
static void check_sender(uid_t node_uid, const char *dialler, const char *expected, const char *what)
{
    struct troupe_boot boot = boot_default();
    struct caller caller = {0};
    union wire_value got = {0};
    struct stage *stage;

    boot.node_uid = node_uid;
    stage = stage_ready(boot);
    caller.peer = peer_dial(stage->loop, stage->dir, "subject", dialler,
                            mono_add_ms(mono_now(), PATIENCE_MS), &CALLER, &caller);
    send_envelope(&caller,
                  (struct envelope){.kind = ENVELOPE_CALL, .ref = 1, .from = envelope_text("shop/boss@west#1")},
                  "who", NULL, NULL);
    CHECK(pump(stage, &caller.count, 1) && caller.kind == ENVELOPE_REPLY &&
              wire_unpack_values("s", caller.payload, caller.size, &got) == 0 &&
              got.bytes.size == strlen(expected) &&
              memcmp(got.bytes.at, expected, got.bytes.size) == 0,
          "%s", what);
    wire_values_finish("s", &got);
    peer_close(caller.peer, false);
    stage_destroy(stage);
}

static void test_speaking_for_others(void)
{
    check_sender(getuid(), "sys/node@east#1", "shop/boss@west#1",
                 "the node's own sys/node speaks for others");
    check_sender(getuid(), "sys/node@west#1", "sys/node@west#1", "no other node's does");
    check_sender(getuid(), "shop/web@east#1", "shop/web@east#1", "nor any other actor");
    check_sender(getuid() + 1, "sys/node@east#1", "sys/node@east#1",
                 "nor another user's process that calls itself sys/node");
}

static void test_repeated_ids(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *client = dial(stage, SP_REQ);

    request(client, 1, "keep", 4);
    request(client, 1, "keep", 4);
    request(client, 2, "release", 7);
    CHECK(pump(stage, &client->count, 2), "a kept call is answered later, the repeated one once");
    request(client, 1, "add\t1", 5);
    request(client, 2, "add\t1", 5);
    request(client, 3, "add\t1", 5);
    pump(stage, &client->count, 3);
    CHECK(client->last_id == 3 && strcmp(client->last, "+1") == 0,
          "ids that were answered a moment ago are ignored");
    for (unsigned id = 10; id < 26; id++)
        request(client, id, "add\t0", 5);
    pump(stage, &client->count, 19);
    request(client, 3, "add\t1", 5);
    CHECK(pump(stage, &client->count, 20) && client->last_id == 3 &&
              strcmp(client->last, "+2") == 0,
          "but only the last 16");
    CHECK(!pump_for(stage, &client->count, 21, 50), "nothing more comes");
    hang_up(client);
    stage_destroy(stage);
}

static void test_raw_timeout(void)
{
    struct troupe_boot boot = boot_default();
    struct stage *stage;
    struct client *client;

    mailbox_raw_call_ms = 100;
    stage = stage_ready(boot);
    mailbox_raw_call_ms = 60000;
    client = dial(stage, SP_REQ);
    tap_is_text(call(client, "keep"), "!timeout", "a raw call that is kept too long is answered");
    tap_is_text(call(client, "release"), "+ENOTCONN", "a reply after that is refused");
    request(client, 1, "nap\t300", 7);
    request(client, 2, "add\t1", 5);
    pump(stage, &client->count, 4);
    tap_is_text(call(client, "add\t0"), "+0", "a call that waited too long is not handled");
    CHECK(stage->stats->expired == 1, "and is counted as expired");
    hang_up(client);
    stage_destroy(stage);
}

static void test_envelopes(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct caller caller = {0};
    union wire_value five = {.i = 5}, got = {0};
    uint64_t past = (uint64_t)mono_now().us - 1000;

    caller.peer = peer_dial(stage->loop, stage->dir, "subject", "me@east#1",
                            mono_add_ms(mono_now(), PATIENCE_MS), &CALLER, &caller);
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CAST}, "add", "I", &five);
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 1, .deadline_us = past},
                  "add", "I", &five);
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 2}, "add", "I", &five);
    CHECK(pump(stage, &caller.count, 1) && caller.kind == ENVELOPE_REPLY && caller.ref == 2 &&
              wire_unpack_values("I", caller.payload, caller.size, &got) == 0 && got.i == 10,
          "cast, then call in order; an expired call is dropped");
    tap_is_int((long long)stage->stats->expired, 1, "the expired one is counted");

    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 3}, "add", "s",
                  &(union wire_value){.bytes = {"x", 1}});
    CHECK(pump(stage, &caller.count, 2) && caller.kind == ENVELOPE_ERROR && caller.ref == 3 &&
              strncmp(caller.payload, "bad_message add", 15) == 0,
          "a payload of another format is bad_message");
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 4}, "what", NULL, NULL);
    CHECK(pump(stage, &caller.count, 3) && strcmp(caller.payload, "unknown_message what") == 0,
          "an unknown message is answered so");
    send_envelope(&caller,
                  (struct envelope){.kind = ENVELOPE_CAST, .flags = ENVELOPE_WANTS_UNDELIVERED},
                  "what", NULL, NULL);
    CHECK(pump(stage, &caller.count, 4) && caller.kind == ENVELOPE_ERROR && caller.ref == 0 &&
              strcmp(caller.type, "what") == 0,
          "a cast that wants to hear of its failure does, by its name");
    send_envelope(&caller,
                  (struct envelope){
                      .kind = ENVELOPE_CALL, .ref = 5, .to = envelope_text("shop/subject@east#2")},
                  "add", "I", &five);
    CHECK(pump(stage, &caller.count, 5) && strncmp(caller.payload, "noproc", 6) == 0,
          "a message for another incarnation is noproc");
    send_envelope(
        &caller,
        (struct envelope){.kind = ENVELOPE_CALL, .ref = 6, .payload = "a\0b", .payload_size = 3},
        "raw", NULL, NULL);
    CHECK(pump(stage, &caller.count, 6) && caller.kind == ENVELOPE_REPLY && caller.size == 3 &&
              memcmp(caller.payload, "a\0b", 3) == 0 && !(caller.flags & ENVELOPE_TYPED),
          "bytes go untyped");
    peer_request(caller.peer, "ps", NULL, -1);
    CHECK(pump(stage, &caller.count, 7) && strncmp(caller.payload, "unknown_request", 15) == 0,
          "an actor takes no control requests");
    peer_close(caller.peer, false);
    stage_destroy(stage);
}

/* Typed values of other types than declared. */
static void test_conversions(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct caller caller = {0};
    union wire_value got = {0};

    caller.peer = peer_dial(stage->loop, stage->dir, "subject", "me@east#1",
                            mono_add_ms(mono_now(), PATIENCE_MS), &CALLER, &caller);
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 1}, "fail", "I",
                  &(union wire_value){.i = 5});
    CHECK(pump(stage, &caller.count, 1) && strncmp(caller.payload, "bad_message fail", 16) == 0,
          "a number where a text is declared is refused, and harms nobody");
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 2}, "add", "s",
                  &(union wire_value){.bytes = {"7", 1}});
    CHECK(pump(stage, &caller.count, 2) && caller.kind == ENVELOPE_REPLY &&
              wire_unpack_values("I", caller.payload, caller.size, &got) == 0 && got.i == 7,
          "a text that is a number is taken for one, as in a raw line");
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 3}, "add", "s",
                  &(union wire_value){.bytes = {"7 a", 3}});
    CHECK(pump(stage, &caller.count, 3) && strncmp(caller.payload, "bad_message add", 15) == 0,
          "one that is none is not");
    peer_close(caller.peer, false);
    stage_destroy(stage);
}

static void test_publish(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *one = dial(stage, SP_SUB), *two = dial(stage, SP_SUB);
    struct client *req = dial(stage, SP_REQ);
    const char *answer = NULL;

    pump(stage, &one->opened, 1);
    pump(stage, &two->opened, 1);
    for (int i = 0; i < 1000 && (!answer || strcmp(answer, "+2") != 0); i++)
        answer = call(req, "publish\ta b");
    tap_is_text(answer, "+2", "publishing reaches both subscribers");
    CHECK(pump(stage, &one->count, 1) && pump(stage, &two->count, 1), "both hear of it");
    tap_is_text(two->last, "topic\ta b\t-3\t1.5", "as a line of topic and values");
    hang_up(one);
    hang_up(two);
    hang_up(req);
    stage_destroy(stage);
}

/* What other runtimes may ask, and what they may not. */
static void test_subscriptions(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct caller caller = {0};
    union wire_value asked[] = {{.bytes = {(char *)"top", 3}}, {.u = 0}};

    caller.peer = peer_dial(stage->loop, stage->dir, "subject", "me",
                            mono_add_ms(mono_now(), PATIENCE_MS), &CALLER, &caller);
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 1}, ".subscribe", NULL,
                  NULL);
    CHECK(pump(stage, &caller.count, 1) && caller.kind == ENVELOPE_ERROR &&
              strncmp(caller.payload, "bad_message .subscribe", 22) == 0,
          "a subscription without a topic is refused");
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 2}, ".other", NULL, NULL);
    CHECK(pump(stage, &caller.count, 2) && strcmp(caller.payload, "unknown_message .other") == 0,
          "names with a dot that nobody knows are unknown");
    for (unsigned i = 0; i < AUDIENCE_MAX; i++)
        send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 100 + i}, ".subscribe",
                      "su", asked);
    CHECK(pump(stage, &caller.count, 2 + AUDIENCE_MAX) && caller.kind == ENVELOPE_REPLY,
          "a connection may hold many subscriptions");
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 3}, ".subscribe", "su",
                  asked);
    CHECK(pump(stage, &caller.count, 3 + AUDIENCE_MAX) && caller.kind == ENVELOPE_ERROR &&
              strcmp(caller.payload, "overloaded too many subscriptions") == 0,
          "but not too many");
    for (unsigned i = 1; i < AUDIENCE_MAX; i++)
        send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CAST, .ref = 100 + i},
                      ".unsubscribe", NULL, NULL);
    asked[0].bytes.at = (char *)"now";
    send_envelope(&caller, (struct envelope){.kind = ENVELOPE_CALL, .ref = 4}, "publish", "s", asked);
    CHECK(pump(stage, &caller.count, 5 + AUDIENCE_MAX) && caller.kind == ENVELOPE_REPLY,
          "whose are taken back hear nothing; the one that is left hears it before the answer");
    hang_up_caller(&caller);
    stage_destroy(stage);
}

static void test_raw_bytes(void)
{
    struct troupe_boot boot = boot_default();
    struct stage *stage;
    struct client *client;

    boot.raw_bytes = true;
    stage = stage_ready(boot);
    client = dial(stage, SP_REQ);
    request(client, 1, "a\tb\\\0c", 6);
    CHECK(pump(stage, &client->count, 1) && client->size == 6 &&
              memcmp(client->last, "a\tb\\\0c", 6) == 0,
          "raw: bytes hands over and sends back whole bodies");
    tap_is_text(call(client, ""), "!error empty", "an empty body too; failures are said with !");
    hang_up(client);
    stage_destroy(stage);
}

static void test_raw_off(void)
{
    struct troupe_boot boot = boot_default();
    struct stage *stage;
    struct client *client;

    boot.raw_off = true;
    stage = stage_ready(boot);
    client = dial(stage, SP_REQ);
    request(client, 1, "add\t1", 5);
    CHECK(pump(stage, &client->closed, 1) && client->count == 0, "raw: off refuses raw calls");
    hang_up(client);
    client = dial(stage, SP_SUB);
    CHECK(pump(stage, &client->opened, 1), "but subscribers are let in");
    hang_up(client);
    stage_destroy(stage);
}

static void test_no_header(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *client = dial(stage, SP_REQ);

    push(client, "add\t1");
    CHECK(pump(stage, &client->closed, 1), "a request without an id costs its connection");
    hang_up(client);
    client = dial(stage, SP_REQ);
    tap_is_text(call(client, "add\t1"), "+1", "and nothing else");
    hang_up(client);
    stage_destroy(stage);
}

static void test_fallback(void)
{
    struct stage *stage = stage_create(&open_actor, boot_default());
    struct client *client = dial(stage, SP_REQ);

    wait_rest(stage, CTL_READY);
    tap_is_text(call(client, "hello\tbig\tworld"), "+hello\t2\tbig",
                "receive gets what the table does not name");
    hang_up(client);
    stage_destroy(stage);
}

static void test_later(void)
{
    struct stage *stage = stage_create(&late_actor, boot_default());
    struct client *client = dial(stage, SP_REQ);
    const char *rest;

    CHECK(wait_rest(stage, CTL_STATUS), "it starts");
    CHECK(recv(stage->control, stage->line, 1, MSG_DONTWAIT) < 0, "and is not ready yet");
    request(client, 1, "add\t5", 5);
    tap_is_text(pump(stage, &client->count, 1) ? client->last : NULL, "+5",
                "what was sent meanwhile is handled by what it has learnt");
    rest = wait_rest(stage, CTL_READY);
    tap_is_text(rest, "learnt", "it said that it is ready");
    pump_for(stage, &client->count, 2, 50);
    CHECK(recv(stage->control, stage->line, 1, MSG_DONTWAIT) < 0, "once");
    hang_up(client);
    stage_destroy(stage);
}

static void test_pause(void)
{
    struct stage *stage = stage_create(&late_actor, boot_default());
    struct client *client = dial(stage, SP_REQ);
    struct mono start;

    wait_rest(stage, CTL_READY);
    tap_is_text(call(client, "rest\t200"), "+", "an actor takes a rest");
    start = mono_now();
    request(client, 1, "add\t5", 5);
    CHECK(!pump_for(stage, &client->count, 2, 100), "messages wait then");
    tap_is_text(pump(stage, &client->count, 2) ? client->last : NULL, "+5", "until it goes on");
    CHECK(mono_diff_ms(mono_now(), start) >= 100, "and not before");
    CHECK(stage->stats->mailbox_depth == 0, "nothing waits any more");
    hang_up(client);
    stage_destroy(stage);
}

/* Many casts behind a slow one: the actor must stop reading at its bound. */
static void test_bound(void)
{
    struct troupe_boot boot = boot_default();
    struct stage *stage;
    struct client *pusher, *req;
    const char *answer = NULL;
    uint64_t deepest = 0;
    int sent = 0; /* one in a hundred is a nap */

    boot.mailbox_messages = 10;
    stage = stage_ready(boot);
    pusher = dial(stage, SP_PUSH);
    pump(stage, &pusher->opened, 1);
    for (; sent < 3000; sent++)
        push(pusher, sent % 100 ? "add\t1" : "nap\t20");
    for (int i = 0; i < 200; i++) {
        uint64_t depth = stage->stats->mailbox_depth;

        deepest = depth > deepest ? depth : deepest;
        pump_for(stage, &pusher->closed, 1, 3);
    }
    CHECK(deepest > 0, "messages that wait show on the stats page");
    CHECK(deepest <= 10, "what waits in memory is bounded");
    tap_note("at most %d waited", (int)deepest);
    req = dial(stage, SP_REQ);
    for (int i = 0; i < 2000; i++) {
        answer = call(req, "add\t0");
        if (answer && atoi(answer) == sent - sent / 100)
            break;
    }
    CHECK(answer && atoi(answer) == sent - sent / 100, "every message is handled in the end");
    say(stage, "STOP");
    tap_is_text(wait_rest(stage, CTL_EXIT), "shutdown", "and the actor still stops");
    hang_up(pusher);
    hang_up(req);
    stage_destroy(stage);
}

/* 500 messages of 5 ms each wait: a stop must not wait for them. */
static void test_stop_overtakes(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *pusher = dial(stage, SP_PUSH);
    struct mono start;

    pump(stage, &pusher->opened, 1);
    for (int i = 0; i < 500; i++)
        push(pusher, "nap\t5");
    pump_for(stage, &pusher->closed, 1, 50);
    start = mono_now();
    say(stage, "STOP");
    tap_is_text(wait_rest(stage, CTL_EXIT), "shutdown", "a stop overtakes the mailbox");
    CHECK(mono_diff_ms(mono_now(), start) < 1000, "and comes through within a moment");
    hang_up(pusher);
    stage_destroy(stage);
}

static void test_busy(void)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *pusher = dial(stage, SP_PUSH);
    struct mono deadline = mono_add_ms(mono_now(), PATIENCE_MS);

    push(pusher, "nap\t400");
    while (stage->stats->handling == 0 && mono_diff_ms(deadline, mono_now()) > 0)
        pump_for(stage, &pusher->closed, 1, 5);
    tap_is_int((long long)stage->stats->handling, 6,
               "the stats page names the message being handled");
    CHECK(stage->stats->busy_since_us > 0, "and since when");
    say(stage, "PING");
    CHECK(recv(stage->control, stage->line, 16, MSG_DONTWAIT) < 0, "a busy handler misses a PING");
    CHECK(wait_rest(stage, CTL_HEARTBEAT), "it is answered when the handler is done");
    hang_up(pusher);
    stage_destroy(stage);
}

static void test_crash(const char *line, const char *head, int number)
{
    struct stage *stage = stage_ready(boot_default());
    struct client *pusher = dial(stage, SP_PUSH);
    const char *report;
    int status;

    push(pusher, line);
    pump_for(stage, &pusher->closed, 1, PATIENCE_MS);
    report = wait_rest(stage, CTL_CRASH);
    CHECK(report && strncmp(report, head, strlen(head)) == 0, "%s: a crash is reported", line);
    status = wait_end(stage);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == number, "%s: the wait status tells the signal",
          line);
    hang_up(pusher);
    stage_destroy(stage);
}

/* A stranger's uid is what connect() ran with. */
static struct client *dial_as(struct stage *stage, uid_t uid)
{
    struct client *client = NULL;

    chmod(stage->dir, 0711);
    if (seteuid(uid) == 0)
        client = dial(stage, SP_REQ);
    if (seteuid(0) < 0)
        abort();
    return client;
}

static void test_rights(void)
{
    static const uint32_t friends[] = {65533};
    struct troupe_boot boot = boot_default();
    struct stage *stage;
    struct client *client;

    if (geteuid() != 0) {
        tap_skip("strangers are refused, uids of the tree are not", "needs root");
        return;
    }
    boot.uids = friends;
    boot.uid_count = 1;
    stage = stage_ready(boot);
    client = dial_as(stage, 65534);
    request(client, 1, "add\t1", 5);
    CHECK(pump(stage, &client->closed, 1) && client->count == 0, "a stranger is refused");
    hang_up(client);
    client = dial_as(stage, 65533);
    tap_is_text(call(client, "add\t1"), "+1", "a user named in the tree is not");
    hang_up(client);
    stage_destroy(stage);
}

static void test_abi(void)
{
    struct troupe_boot boot = boot_default();
    struct stage *stage;

    boot.abi = 99;
    stage = stage_create(&troupe_actor, boot);
    tap_is_int(WEXITSTATUS(wait_end(stage)), 1, "a supervisor of another abi is refused");
    stage_destroy(stage);
}

int main(void)
{
    test_life();
    test_start("ignore", CTL_IGNORE, "", 0, "init may say ignore");
    test_start("error", CTL_EXIT, "error disk full", 1, "init may fail with a text");
    test_start("exit", CTL_EXIT, "error no licence | abort", 1, "init may exit with a need");
    test_bad_argument();
    test_ends();
    test_raw();
    test_describe();
    test_speaking_for_others();
    test_repeated_ids();
    test_raw_timeout();
    test_envelopes();
    test_conversions();
    test_publish();
    test_subscriptions();
    test_raw_bytes();
    test_raw_off();
    test_no_header();
    test_fallback();
    test_later();
    test_pause();
    test_bound();
    test_stop_overtakes();
    test_busy();
    test_crash("crash", "SEGV 10 ", SIGSEGV);
    test_crash("misuse\tx", "ABRT 0 ", SIGABRT);
    test_rights();
    test_abi();
    return tap_done();
}
