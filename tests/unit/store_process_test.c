/* sys/store as a process: its mailbox, its control socket, its ends. The test plays its supervisor.
 */
#include "control.h"
#include "peer.h"
#include "place.h"
#include "rundir.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int mailbox = -1, control = -1;
static pid_t worker;
static char where[128];

/* ---- its life -----------------------------------------------------------------------------------
 */

static void program_path(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 32);

    out[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 3; i++)
        *strrchr(out, '/') = '\0';
    strcat(out, "/workers/store");
}

static _Noreturn void be_store(int control_fd)
{
    char path[PATH_MAX], fd[16];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    program_path(path);
    snprintf(fd, sizeof fd, "%d", control_fd = fcntl(control_fd, F_DUPFD, 10));
    setenv("TROUPE_CONTROL", fd, 1);
    setenv("LISTEN_FDS", "1", 1);
    dup2(mailbox, 3);
    execl(path, path, "--where", where, NULL);
    _exit(127);
}

static void start(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        abort();
    worker = fork();
    if (worker == 0)
        be_store(ends[1]);
    close(ends[1]);
    control = ends[0];
}

/* Has it said this line on its control socket? What it said before is dropped. */
static bool has_said(const char *line)
{
    char datagram[1024];
    ssize_t n;

    while ((n = recv(control, datagram, sizeof datagram - 1, MSG_DONTWAIT)) > 0) {
        datagram[n] = '\0';
        if (strstr(datagram, line))
            return true;
    }
    return false;
}

static bool tell(const char *line)
{
    return send(control, line, strlen(line), MSG_NOSIGNAL) > 0;
}

static int ended(void)
{
    int status = -1;

    if (!UNTIL(waitpid(worker, &status, WNOHANG) == worker))
        return -1;
    close(control);
    return status;
}

/* ---- asking it ----------------------------------------------------------------------------------
 */

static struct {
    struct peer *peer;
    uint64_t next, ref; /* of the answer that came last */
    bool is_error, is_closed;
    char text[256]; /* an error's */
    char format[WIRE_VALUES_MAX + 1];
    union wire_value values[WIRE_VALUES_MAX];
    struct words words;
} asked;

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    (void)peer;
    (void)fd;
    asked.ref = env->ref;
    asked.is_error = env->kind == ENVELOPE_ERROR;
    if (asked.is_error)
        snprintf(asked.text, sizeof asked.text, "%.*s", (int)env->payload_size,
                 (const char *)env->payload);
    else if (envelope_text_equals(env->type, "words"))
        wire_unpack_words(env->payload, env->payload_size, &asked.words);
    else if (wire_format_of(env->payload, env->payload_size, asked.format) == 0)
        wire_unpack_values(asked.format, env->payload, env->payload_size, asked.values);
}

static void on_close(struct peer *peer, const char *why)
{
    (void)peer;
    (void)why;
    asked.peer = NULL;
    asked.is_closed = true;
}

static void dial(void)
{
    static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

    peer_close(asked.peer, false);
    asked.is_closed = false;
    asked.peer = peer_dial(loop, dir, "store", "me@n#1", mono_add_ms(mono_now(), PATIENCE_MS),
                           &handlers, NULL);
}

/* Sends a request of values, its fields as text. */
static uint64_t request(const char *verb, const char *format, char **fields, int64_t deadline_ms)
{
    struct envelope env = {
        .kind = ENVELOPE_CONTROL, .ref = ++asked.next, .type = envelope_text(verb)};
    union wire_value values[WIRE_VALUES_MAX];
    struct wire_image image = {0};
    int bad;

    if (deadline_ms)
        env.deadline_us = (uint64_t)mono_add_ms(mono_now(), deadline_ms).us;
    if (wire_values_of_text(format, fields, (int)strlen(format), values, &bad) < 0 ||
        wire_pack_values(format, values, &image) < 0)
        abort();
    env.payload = image.data;
    env.payload_size = (uint32_t)image.size;
    peer_send(asked.peer, &env, -1);
    wire_image_finish(&image);
    wire_values_finish(format, values);
    return env.ref;
}

/* Asks, and waits for the answer. False: it is an error, or none has come. */
static bool ask_for(int64_t deadline_ms, const char *verb, const char *format, char **fields)
{
    uint64_t ref;

    wire_values_finish(asked.format, asked.values);
    words_finish(&asked.words);
    asked.format[0] = asked.text[0] = '\0';
    ref = request(verb, format, fields, deadline_ms);
    return UNTIL(asked.ref == ref || asked.is_closed) && asked.ref == ref && !asked.is_error;
}

#define ASK_FOR(ms, verb, types, ...) ask_for(ms, verb, types, (char *[]){__VA_ARGS__})
#define ASK(verb, types, ...)         ASK_FOR(0, verb, types, __VA_ARGS__)

static bool says(const char *error)
{
    return asked.is_error && !strncmp(asked.text, error, strlen(error));
}

/* ---- the checks ---------------------------------------------------------------------------------
 */

static void check_rows(void)
{
    char conflict[64];

    CHECK(!ASK(CONTROL_STATE_GET, "sss", "shop/carts", "42", "main") && says("not_found"),
          "what was never saved is not_found");
    CHECK(ASK(CONTROL_STATE_PUT, "sssIIIB", "shop/carts", "42", "main", "0", "0", "3", "apples") &&
              !strcmp(asked.format, "I"),
          "a save is answered with its version");
    snprintf(conflict, sizeof conflict, "conflict %lld", (long long)asked.values[0].i);
    CHECK(!ASK(CONTROL_STATE_PUT, "sssIIIB", "shop/carts", "42", "main", "0", "0", "3", "pears") &&
              says(conflict),
          "a conflict tells the version that is there");
    CHECK(ASK(CONTROL_STATE_GET, "sss", "shop/carts", "42", "main") &&
              !strcmp(asked.format, "IIIIB") && asked.values[4].bytes.size == 6 &&
              !memcmp(asked.values[4].bytes.at, "apples", 6) && asked.values[3].i == 3,
          "a saved value comes back, with its schema");
    CHECK(ASK(CONTROL_STATE_LIST, "sssI", "shop/carts", "", "", "0") && asked.words.count == 5 &&
              !strcmp(asked.words.at[0], "42") && !strcmp(asked.words.at[3], "6"),
          "and is listed");
    CHECK(ASK(CONTROL_STATE_RM, "sssII", "shop/carts", "42", "main", "0", "-1") &&
              !ASK(CONTROL_STATE_GET, "sss", "shop/carts", "42", "main") && says("not_found"),
          "and removed");
}

static void check_places(void)
{
    char epoch[24], conflict[96];

    CHECK(!ASK(CONTROL_PLACE_CLAIM, "ssssI", "shop/carts", "42", "east", "g1", "0") &&
              says("fenced"),
          "a node without a row claims nothing");
    CHECK(ASK(CONTROL_NODE_INSERT, "ssssss", "east", "g1", "alive", "", "shop/carts", ""),
          "a node enters");
    CHECK(!ASK(CONTROL_NODE_INSERT, "ssssss", "east", "g2", "alive", "", "", "") &&
              says("conflict g1 alive"),
          "its name is taken, and by whom");
    CHECK(ASK(CONTROL_NODE_BEAT, "ssss", "east", "g1", "alive", "0.1") && asked.values[0].i == 1,
          "it beats");
    CHECK(ASK(CONTROL_PLACE_CLAIM, "ssssI", "shop/carts", "42", "east", "g1", "0") &&
              asked.values[0].i > 0,
          "it claims a place, with an epoch");
    snprintf(epoch, sizeof epoch, "%lld", (long long)asked.values[0].i);
    snprintf(conflict, sizeof conflict, "conflict east g1 %s", epoch);
    CHECK(!ASK(CONTROL_PLACE_CLAIM, "ssssI", "shop/carts", "42", "east", "g1", "0") &&
              says(conflict),
          "a conflict tells who has it");
    CHECK(ASK(CONTROL_PLACE_READ, "ss", "shop/carts", "42") && !strcmp(asked.format, "ssI") &&
              !strcmp(asked.values[0].bytes.at, "east") && asked.values[2].i == atoll(epoch),
          "the place is read");
    CHECK(ASK(CONTROL_STATE_PUT, "sssIIIB", "shop/carts", "42", "main", epoch, "-1", "0", "mine"),
          "its owner saves");
    CHECK(ASK(CONTROL_PLACE_LIST, "sssssI", "", "east", "g1", "", "", "0") &&
              asked.words.count == 5 && !strcmp(asked.words.at[0], "shop/carts") &&
              !strcmp(asked.words.at[4], epoch),
          "the places of a node are listed");
    CHECK(ASK(CONTROL_PLACE_FREE, "ssI", "shop/carts", "42", epoch), "and lets go");
    CHECK(!ASK(CONTROL_STATE_PUT, "sssIIIB", "shop/carts", "42", "main", epoch, "-1", "0", "late") &&
              says("fenced"),
          "then it is fenced");
    CHECK(ASK(CONTROL_NODE_SET, "sssIs", "east", "g1", "alive", "1", "dead") &&
              ASK(CONTROL_NODE_LIST, "", NULL) && asked.words.count == 7 &&
              !strcmp(asked.words.at[2], "dead") && ASK(CONTROL_NODE_RM, "ss", "east", "g1"),
          "a node dies, is listed, is removed");
    CHECK(ASK(CONTROL_EPOCH, "", NULL) && asked.values[0].i > atoll(epoch),
          "an epoch alone can be had");
}

static void check_reminders(void)
{
    char version[24];

    CHECK(ASK(CONTROL_REMINDER_PUT, "sssIIIIs", "shop/carts", "42", "tick", "0", "0", "1000", "500",
              "remind"),
          "a reminder is kept");
    CHECK(ASK(CONTROL_REMINDER_DUE, "II", "1000", "0") && asked.words.count == 7 &&
              !strcmp(asked.words.at[2], "tick") && !strcmp(asked.words.at[5], "remind"),
          "and is listed when it is due");
    snprintf(version, sizeof version, "%s", asked.words.count ? asked.words.at[6] : "");
    CHECK(ASK(CONTROL_REMINDER_ADVANCE, "sssII", "shop/carts", "42", "tick", version, "1500") &&
              !ASK(CONTROL_REMINDER_ADVANCE, "sssII", "shop/carts", "42", "tick", version, "2000") &&
              says("conflict "),
          "and advanced, by one alone");
    CHECK(ASK(CONTROL_REMINDER_RM, "sssII", "shop/carts", "42", "tick", "0", "-1"), "and removed");
}

static void check_refusals(void)
{
    CHECK(!ASK("nonsense", "", NULL) && says("unknown_request"), "an unknown verb is refused");
    CHECK(!ASK(CONTROL_STATE_GET, "ss", "shop/carts", "42") && says("bad_request"),
          "and other values");
    CHECK(!ASK(CONTROL_STATE_GET, "sss", "shop/carts", "../42", "main") && says("bad_request"),
          "and an id that is none");
    CHECK(!ASK(CONTROL_STATE_LIST, "sssI", "shop/carts", "", "", "99999999") && says("bad_request"),
          "and a limit beyond the bound");
    CHECK(!ASK(CONTROL_REMINDER_PUT, "sssIIIIs", "shop/carts", "42", "tick", "0", "0", "-1", "0",
               "remind") &&
              says("bad_request"),
          "and a time before all times");
    CHECK(!ASK(CONTROL_NODE_INSERT, "ssssss", "east", "g1", "undead", "", "", "") &&
              says("bad_request"),
          "and a state that is none");
}

static void check_ends(void)
{
    uint64_t last = 0;

    CHECK(tell("PING\n") && UNTIL(has_said("HEARTBEAT")), "PING is answered");
    ASK(CONTROL_STATE_PUT, "sssIIIB", "shop/carts", "1", "main", "0", "-1", "0", "kept");
    kill(worker, SIGKILL);
    ended();
    start();
    dial();
    CHECK(ASK(CONTROL_STATE_GET, "sss", "shop/carts", "1", "main") &&
              !memcmp(asked.values[4].bytes.at, "kept", 4),
          "after SIGKILL the next one has what was accepted");
    for (int i = 0; i < 100; i++)
        last = request(CONTROL_STATE_PUT, "sssIIIB",
                       (char *[]){"shop/carts", "1", "main", "0", "-1", "0", "more"}, 0);
    UNTIL(asked.ref == last - 99); /* they have come */
    tell("STOP\n");
    CHECK(UNTIL(asked.is_closed) && asked.ref == last && !asked.is_error,
          "STOP: what was asked is answered first");
    CHECK(ended() == 0, "then it ends in order");
}

static void check_unreachable(void)
{
    struct mono begin = mono_now();

    snprintf(where, sizeof where, "/proc/none/store");
    start();
    CHECK(UNTIL(has_said("STATUS unreachable: ")),
          "a store that cannot be opened is told as its status");
    dial();
    CHECK(!ASK_FOR(300, CONTROL_STATE_GET, "sss", "shop/carts", "1", "main") &&
              says("unreachable unsent "),
          "and is unreachable, not empty");
    CHECK(mono_diff_ms(mono_now(), begin) < 3000, "by the deadline of who asks");
    peer_close(asked.peer, false);
    asked.peer = NULL;
    close(control); /* the supervisor is gone */
    CHECK(UNTIL(waitpid(worker, NULL, WNOHANG) == worker), "it ends with its supervisor");
}

static void clean(void)
{
    char command[256];

    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        tap_note("%s is left", dir);
}

int main(void)
{
    if (place_make("store") < 0)
        return 1;
    mailbox = rundir_listen(dir, "store");
    snprintf(where, sizeof where, "%s/rows", dir);
    start();
    CHECK(UNTIL(has_said("READY")), "it is ready");
    dial();
    check_rows();
    check_places();
    check_reminders();
    check_refusals();
    check_ends();
    check_unreachable();
    clean();
    place_leave();
    return tap_done();
}
