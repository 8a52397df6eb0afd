/*
 * Plays the supervisor of sys/log: holds the mailbox, the control socket and the pipes, starts and
 * ends the worker, asks it things. Reads commands from standard input, one a line; `#` begins a
 * comment. The first one that fails ends it with status 1 and says which. What it starts is gone
 * when it ends.
 *
 *   start [OPTION…]         starts $LOG_WORKER and waits for READY; pipes known before are opened again
 *   stop                    STOP, then waits for its end: prints `exit N`
 *   kill                    SIGKILL to the reader; waits until its group is gone (the writer ends by itself)
 *   kill-all                SIGKILL to the whole group
 *   writer SIGNAL           sends STOP, CONT or KILL to the writer
 *   ping                    PING; waits for HEARTBEAT
 *   status TEXT             waits for a STATUS line that holds TEXT
 *   pipe PATH KIND [SIZE]   makes a pipe, held open for both, and opens it at sys/log
 *   file PATH KIND          tries to open a file that is no pipe: prints the error
 *   close PATH              log-close; the pipe is closed here too
 *   drop PATH               closes the pipe here only: its end comes to sys/log
 *   write PATH KIND TEXT    writes TEXT (\n, \t, \\, \xNN understood)
 *   fill PATH KIND N BYTE   writes N bytes
 *   numbers NAME PATH KIND FROM TO [PAD]   a process writes `NAME N` lines, each with PAD more bytes
 *   finish SECONDS          waits until all such processes have written everything
 *   burst ROUNDS            SIGKILL (of the reader, of the group) and restart at odd moments
 *   restarts ROUNDS         orderly restarts at odd moments
 *   idle MS                 neither process wakes up during that time
 *   taken                   waits until the pipes are empty
 *   descriptors N           prints how many log files the writer has open, N if it comes to that
 *   sh COMMAND              runs a shell command, which must succeed
 *   log PATH COUNT          prints the history: `PATH STREAM TEXT`
 *   follow NAME PATH COUNT  a connection that shows history and what follows
 *   until NAME TEXT         waits until that follower has got a line with TEXT
 *   got NAME                prints everything it has got
 *   deaf PATH N             N followers that do not read
 *   hear                    the first of them reads, and prints what it is told of the gap
 *   watch NAME PATH REGEX   a log-watch; `since NAME PATH REGEX SECONDS` looks back
 *   matched NAME TEXT       waits for its answer, which must be TEXT
 *   quiet NAME              it has no answer so far
 *   refused VERB [WORD…]    the request must be refused: prints the error
 */
#include "control.h"
#include "loop.h"
#include "peer.h"
#include "rundir.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 1024, WORDS = 16, LINE = 65536 };

/* One connection to sys/log, with what came on it. */
struct conn {
    char name[64];
    struct peer *peer;
    char *text; /* lines, each with its newline */
    size_t length, size;
    uint64_t ref; /* of the request whose answer is wanted */
    char *answer; /* NULL until it came */
    bool is_error, is_closed, is_ponged;
};

struct pipe {
    char path[512], kind[8];
    int fd;
};

static struct ev_loop *loop;
static const char *run_dir;
static int mailbox_fd = -1, control_fd = -1;
static pid_t worker;
static unsigned incarnation;
static char arguments[WORDS][128];
static int argument_count;
static struct pipe pipes[MAX];
static int pipe_count;
static struct conn *conns[MAX];
static int conn_count;
static pid_t scribes[MAX];
static int scribe_count;
static pid_t deaf[64];
static int deaf_count;
static struct conn *boss;
static double scale = 1;

static _Noreturn __attribute__((format(printf, 1, 2))) void fail(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("log_driver: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void at_end(void)
{
    for (int i = 0; i < scribe_count; i++)
        kill(scribes[i], SIGKILL);
    for (int i = 0; i < deaf_count; i++)
        kill(deaf[i], SIGKILL);
    if (worker > 0)
        kill(-worker, SIGKILL);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static void on_tick(struct ev_loop *l, ev_timer *timer, int events)
{
    (void)l;
    (void)timer;
    (void)events;
}

/* Runs the loop until is_true(arg), at most `seconds`. */
static bool wait_for(bool (*is_true)(const void *), const void *arg, double seconds)
{
    struct mono limit = mono_add_ms(mono_now(), (int64_t)(seconds * scale * 1000));
    ev_timer tick;
    bool done;

    ev_timer_init(&tick, on_tick, 0.01, 0.01);
    ev_timer_start(loop, &tick);
    while (!(done = is_true(arg)) && mono_now().us < limit.us)
        ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &tick);
    return done;
}

/* ---- connections ----------------------------------------------------------------------------------- */

static void keep_text(struct conn *conn, const char *path, const char *stream, const char *text)
{
    size_t wanted = conn->length + strlen(path) + strlen(stream) + strlen(text) + 4;

    if (wanted > conn->size) {
        conn->size = wanted * 2;
        conn->text = realloc(conn->text, conn->size);
    }
    conn->length += (size_t)sprintf(conn->text + conn->length, "%s %s %s\n", path, stream, text);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct conn *conn = peer_data(peer);
    struct words words = {0};

    (void)fd;
    if (env->kind != ENVELOPE_EVENT && env->ref != conn->ref) {
        conn->is_ponged = true;
        return;
    }
    if (env->kind == ENVELOPE_ERROR) {
        conn->is_error = true;
        conn->answer = strndup(env->payload, env->payload_size);
        return;
    }
    if (env->payload_size > 0 && wire_unpack_words(env->payload, env->payload_size, &words) < 0)
        fail("an answer that is no list of words");
    if (env->kind == ENVELOPE_CONTROL_REPLY) {
        conn->is_error = false;
        conn->answer = strdup(words.count > 0 ? words.at[0] : "");
    } else if (env->kind == ENVELOPE_EVENT && envelope_text_equals(env->type, "lines")) {
        for (size_t i = 0; i + 3 < words.count; i += 4)
            keep_text(conn, words.at[i], words.at[i + 1], words.at[i + 3]);
    }
    words_finish(&words);
}

static void on_close(struct peer *peer, const char *why)
{
    struct conn *conn = peer_data(peer);

    (void)why;
    conn->peer = NULL;
    conn->is_closed = true;
}

static struct conn *connect_as(const char *name)
{
    static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};
    struct conn *conn = calloc(1, sizeof *conn);

    snprintf(conn->name, sizeof conn->name, "%s", name);
    conn->peer = peer_dial(loop, run_dir, "sys/log", "driver", mono_add_ms(mono_now(), 5000),
                           &handlers, conn);
    if (!conn->peer)
        fail("dialling sys/log: %s", strerror(errno));
    if (conn_count == MAX)
        fail("too many connections");
    conns[conn_count++] = conn;
    return conn;
}

static struct conn *conn_of(const char *name)
{
    for (int i = conn_count; i > 0; i--) {
        if (!strcmp(conns[i - 1]->name, name))
            return conns[i - 1];
    }
    fail("nobody is called %s", name);
}

static bool is_answered(const void *arg)
{
    const struct conn *conn = arg;

    return conn->answer || conn->is_closed;
}

static void send_request(struct conn *conn, const char *verb, char *const *at, size_t count, int fd)
{
    struct words words = {.count = count, .at = (char **)at};

    free(conn->answer);
    conn->answer = NULL;
    conn->ref = conn->peer ? peer_request(conn->peer, verb, &words, fd) : 0;
    if (!conn->ref)
        fail("%s: not sent: %s", verb, strerror(errno));
}

/* Asks and waits. Returns the answer; *is_error tells which it is. */
static const char *ask(struct conn *conn, const char *verb, char *const *at, size_t count, int fd,
                       bool *is_error)
{
    send_request(conn, verb, at, count, fd);
    if (!wait_for(is_answered, conn, 20))
        fail("%s: no answer", verb);
    if (!conn->answer)
        fail("%s: the connection ended", verb);
    *is_error = conn->is_error;
    return conn->answer;
}

static void ask_well(struct conn *conn, const char *verb, char *const *at, size_t count, int fd)
{
    bool is_error;
    const char *answer = ask(conn, verb, at, count, fd, &is_error);

    if (is_error)
        fail("%s: %s", verb, answer);
}

/* ---- the worker --------------------------------------------------------------------------------------- */

static bool is_gone(const void *arg)
{
    (void)arg;
    while (waitpid(-worker, NULL, WNOHANG) > 0)
        ;
    return kill(-worker, 0) < 0 && errno == ESRCH;
}

static char said[LINE];

static bool has_said(const void *arg)
{
    size_t length = strlen(said);
    ssize_t n;

    while (length < sizeof said - 1024 &&
           (n = recv(control_fd, said + length, 1000, MSG_DONTWAIT)) > 0)
        said[length += (size_t)n] = '\0';
    return strstr(said, arg) != NULL;
}

static void expect_said(const char *text)
{
    if (!wait_for(has_said, text, 20))
        fail("the worker did not say %s, but: %s", text, said);
    said[0] = '\0';
}

static void exec_worker(int control)
{
    char *argv[WORDS + 2] = {"log"};
    char number[16];

    setpgid(0, 0);
    control = fcntl(control, F_DUPFD, 100);
    dup2(mailbox_fd, 3);
    dup2(control, 4);
    close_range(5, ~0U, 0);
    setenv("LISTEN_FDS", "1", 1);
    setenv("TROUPE_CONTROL", "4", 1);
    setenv("TROUPE_PATH", "sys/log", 1);
    setenv("TROUPE_NODE", "east", 1);
    snprintf(number, sizeof number, "%u", incarnation);
    setenv("TROUPE_INCARNATION", number, 1);
    for (int i = 0; i < argument_count; i++)
        argv[i + 1] = arguments[i];
    execv(getenv("LOG_WORKER"), argv);
    _exit(127);
}

static void open_pipe(const struct pipe *pipe)
{
    char *words[] = {(char *)pipe->path, (char *)pipe->kind};
    int fd = fcntl(pipe->fd, F_DUPFD_CLOEXEC, 3);

    ask_well(boss, CONTROL_LOG_OPEN, words, 2, fd);
}

static void start_worker(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        fail("socketpair: %s", strerror(errno));
    if (mailbox_fd < 0)
        mailbox_fd = rundir_listen(run_dir, "sys/log");
    if (mailbox_fd < 0)
        fail("listening: %s", strerror(errno));
    incarnation++;
    said[0] = '\0';
    fflush(stdout);
    worker = fork();
    if (worker == 0)
        exec_worker(ends[1]);
    setpgid(worker, worker);
    close(ends[1]);
    if (control_fd >= 0)
        close(control_fd);
    control_fd = ends[0];
    expect_said("READY");
    boss = connect_as("boss");
    for (int i = 0; i < pipe_count; i++)
        if (pipes[i].fd >= 0)
            open_pipe(&pipes[i]);
}

static int worker_status;

static bool has_ended(const void *arg)
{
    (void)arg;
    return waitpid(worker, &worker_status, WNOHANG) == worker;
}

static void forget_conns(void)
{
    for (int i = 0; i < conn_count; i++) {
        peer_close(conns[i]->peer, false);
        conns[i]->peer = NULL;
        conns[i]->is_closed = true;
    }
}

static void stop_worker(void)
{
    send(control_fd, "STOP\n", 5, MSG_NOSIGNAL);
    if (!wait_for(has_ended, NULL, 20))
        fail("the worker did not stop");
    if (!is_gone(NULL))
        fail("the worker left somebody behind");
    worker = 0;
    forget_conns();
}

static void kill_worker(bool everybody)
{
    kill(everybody ? -worker : worker, SIGKILL);
    if (!wait_for(is_gone, NULL, 20))
        fail("the group is not gone");
    worker = 0;
    forget_conns();
}

static pid_t writer_pid(void)
{
    char name[64], line[256];
    FILE *file;
    long pid = 0;

    snprintf(name, sizeof name, "/proc/%d/task/%d/children", (int)worker, (int)worker);
    file = fopen(name, "r");
    while (file && fscanf(file, "%ld", &pid) == 1) {
        FILE *comm;

        snprintf(name, sizeof name, "/proc/%ld/comm", pid);
        comm = fopen(name, "r");
        line[0] = '\0';
        if (comm && fgets(line, sizeof line, comm) && !strcmp(line, "log writer\n")) {
            fclose(comm);
            fclose(file);
            return (pid_t)pid;
        }
        if (comm)
            fclose(comm);
    }
    if (file)
        fclose(file);
    return 0;
}

static bool has_writer(const void *arg)
{
    (void)arg;
    return writer_pid() > 0;
}

/* ---- pipes ------------------------------------------------------------------------------------------------ */

static struct pipe *pipe_of(const char *path, const char *kind)
{
    for (int i = pipe_count; i > 0; i--) {
        if (!strcmp(pipes[i - 1].path, path) && (!kind || !strcmp(pipes[i - 1].kind, kind)))
            return &pipes[i - 1];
    }
    fail("no pipe of %s", path);
}

static void make_pipe(const char *path, const char *kind, const char *size)
{
    struct pipe *pipe = &pipes[pipe_count++];
    char name[64];
    int ends[2];

    if (pipe_count == MAX || pipe2(ends, O_CLOEXEC) < 0)
        fail("no pipe: %s", strerror(errno));
    snprintf(pipe->path, sizeof pipe->path, "%s", path);
    snprintf(pipe->kind, sizeof pipe->kind, "%s", kind);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[1]);
    pipe->fd = open(name, O_RDWR | O_CLOEXEC);
    close(ends[0]);
    close(ends[1]);
    if (size)
        fcntl(pipe->fd, F_SETPIPE_SZ, atoi(size));
    open_pipe(pipe);
}

static void write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);

        if (n <= 0)
            _exit(1);
        bytes += n;
        size -= (size_t)n;
    }
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
}

static void write_text(const struct pipe *pipe, const char *text)
{
    char bytes[LINE];
    size_t size = 0;

    while (*text) {
        if (text[0] != '\\') {
            bytes[size++] = *text++;
        } else if (text[1] == 'x') {
            bytes[size++] = (char)(digit(text[2]) * 16 + digit(text[3]));
            text += 4;
        } else {
            bytes[size++] = text[1] == 'n' ? '\n' : text[1] == 't' ? '\t' : text[1];
            text += 2;
        }
    }
    write_all(pipe->fd, bytes, size);
}

static void fill(const struct pipe *pipe, size_t count, char byte)
{
    char *bytes = malloc(count);

    memset(bytes, byte, count);
    write_all(pipe->fd, bytes, count);
    free(bytes);
}

/* A process that writes lines, one write each, as a program without buffer does. */
static void start_scribe(const char *name, const struct pipe *pipe, long from, long to, long pad)
{
    char line[8192];

    fflush(stdout);
    scribes[scribe_count] = fork();
    if (scribes[scribe_count++] != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (long i = from; i <= to; i++) {
        int length = snprintf(line, sizeof line, "%s %ld%*s\n", name, i, (int)pad, "");

        write_all(pipe->fd, line, (size_t)length);
    }
    _exit(0);
}

static bool are_scribes_done(const void *arg)
{
    int status;

    (void)arg;
    while (scribe_count > 0 && waitpid(scribes[scribe_count - 1], &status, WNOHANG) > 0) {
        if (status)
            fail("a scribe failed");
        scribe_count--;
    }
    return scribe_count == 0;
}

static bool is_never(const void *arg)
{
    (void)arg;
    return false;
}

/* ---- commands ------------------------------------------------------------------------------------------------- */

static void cmd_start(char **word, int count)
{
    argument_count = 0;
    for (int i = 1; i < count; i++)
        snprintf(arguments[argument_count++], sizeof *arguments, "%s", word[i]);
    start_worker();
}

static void cmd_stop(char **word, int count)
{
    (void)word;
    (void)count;
    stop_worker();
    printf("exit %d\n", WIFEXITED(worker_status) ? WEXITSTATUS(worker_status)
                                                 : 128 + WTERMSIG(worker_status));
}

static void cmd_kill(char **word, int count)
{
    (void)count;
    kill_worker(!strcmp(word[0], "kill-all"));
}

static void cmd_writer(char **word, int count)
{
    (void)count;
    if (!wait_for(has_writer, NULL, 10))
        fail("there is no writer");
    kill(writer_pid(), !strcmp(word[1], "STOP")   ? SIGSTOP
                       : !strcmp(word[1], "CONT") ? SIGCONT
                                                  : SIGKILL);
}

static void cmd_ping(char **word, int count)
{
    (void)word;
    (void)count;
    send(control_fd, "PING\n", 5, MSG_NOSIGNAL);
    expect_said("HEARTBEAT");
}

static void cmd_status(char **word, int count)
{
    (void)count;
    expect_said(word[1]);
}

static void cmd_pipe(char **word, int count)
{
    make_pipe(word[1], word[2], count > 3 ? word[3] : NULL);
}

static void cmd_file(char **word, int count)
{
    char *words[] = {word[1], word[2]};
    bool is_error;

    (void)count;
    printf("%s\n", ask(boss, CONTROL_LOG_OPEN, words, 2, open("/dev/null", O_RDONLY | O_CLOEXEC),
                       &is_error));
    if (!is_error)
        fail("it was accepted");
}

static void cmd_close(char **word, int count)
{
    char *words[] = {word[1]};

    (void)count;
    ask_well(boss, CONTROL_LOG_CLOSE, words, 1, -1);
    for (int i = 0; i < pipe_count; i++) {
        if (!strcmp(pipes[i].path, word[1]) && pipes[i].fd >= 0) {
            close(pipes[i].fd);
            pipes[i].fd = -1;
            pipes[i].path[0] = '\0';
        }
    }
}

static void cmd_drop(char **word, int count)
{
    struct pipe *pipe = pipe_of(word[1], NULL);

    (void)count;
    close(pipe->fd);
    pipe->fd = -1;
    pipe->path[0] = '\0';
}

static void cmd_write(char **word, int count)
{
    (void)count;
    write_text(pipe_of(word[1], word[2]), word[3]);
}

static void cmd_fill(char **word, int count)
{
    (void)count;
    fill(pipe_of(word[1], word[2]), (size_t)atol(word[3]), word[4][0]);
}

static void cmd_numbers(char **word, int count)
{
    start_scribe(word[1], pipe_of(word[2], word[3]), atol(word[4]), atol(word[5]),
                 count > 6 ? atol(word[6]) : 0);
}

static void cmd_finish(char **word, int count)
{
    (void)count;
    if (!wait_for(are_scribes_done, NULL, atof(word[1])))
        fail("the writers had to wait for more than %s s", word[1]);
}

static void cmd_burst(char **word, int count)
{
    (void)count;
    srandom(7);
    for (int round = atoi(word[1]); round > 0; round--) {
        wait_for(is_never, NULL, (double)(random() % 30) / 1000.0 / scale);
        kill_worker(round % 2);
        start_worker();
    }
}

static void cmd_restarts(char **word, int count)
{
    (void)count;
    for (int round = atoi(word[1]); round > 0; round--) {
        wait_for(is_never, NULL, 0.03 / scale);
        stop_worker();
        start_worker();
    }
}

static long wake_ups(pid_t pid)
{
    char name[64], line[256];
    long count = -1;
    FILE *file;

    snprintf(name, sizeof name, "/proc/%d/status", (int)pid);
    file = fopen(name, "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "voluntary_ctxt_switches: %ld", &count);
    if (file)
        fclose(file);
    return count;
}

struct rest {
    pid_t writer;
    long reader_count, writer_count;
};

/* Both sleep, and have slept since the last look. */
static bool is_at_rest(const void *arg)
{
    struct rest *rest = (struct rest *)arg, before = *rest;

    rest->reader_count = wake_ups(worker);
    rest->writer_count = wake_ups(rest->writer);
    return rest->reader_count == before.reader_count && rest->writer_count == before.writer_count;
}

static bool has_woken(const void *arg)
{
    struct rest now = *(const struct rest *)arg;

    return !is_at_rest(&now);
}

static void cmd_idle(char **word, int count)
{
    struct rest rest = {.writer = writer_pid()};

    (void)count;
    if (!wait_for(is_at_rest, &rest, 10))
        fail("they do not come to rest");
    if (wait_for(has_woken, &rest, atof(word[1]) / 1000 / scale))
        fail("something woke up");
}

static bool are_pipes_empty(const void *arg)
{
    (void)arg;
    for (int i = 0; i < pipe_count; i++) {
        int waiting = 0;

        if (pipes[i].fd >= 0 && ioctl(pipes[i].fd, FIONREAD, &waiting) == 0 && waiting > 0)
            return false;
    }
    return true;
}

static void cmd_taken(char **word, int count)
{
    (void)word;
    (void)count;
    if (!wait_for(are_pipes_empty, NULL, 20))
        fail("the pipes do not become empty");
}

/* Counted again for 10 s, while they are fewer: the writer is slow on a busy machine. */
static void cmd_descriptors(char **word, int count)
{
    char command[256];

    (void)count;
    snprintf(command, sizeof command,
             "for i in $(seq 500); do a=$(ls -l /proc/%d/fd 2>/dev/null | grep -c '/log/.*[.]log$'); "
             "[ $a -ge %s ] && break; sleep 0.02; done; echo $a",
             (int)writer_pid(), word[1]);
    if (system(command) < 0)
        fail("no shell");
}

static void cmd_sh(char **word, int count)
{
    (void)count;
    if (system(word[1]) != 0)
        fail("%s", word[1]);
}

static void cmd_log(char **word, int count)
{
    struct conn *conn = connect_as("log");
    char *words[] = {count > 2 ? word[1] : "", word[count - 1], "0"};

    ask_well(conn, CONTROL_LOG, words, 3, -1);
    fputs(conn->text ? conn->text : "", stdout);
    peer_close(conn->peer, false);
    conn->peer = NULL;
}

static void cmd_follow(char **word, int count)
{
    struct conn *conn = connect_as(word[1]);
    char *words[] = {strcmp(word[2], ".") != 0 ? word[2] : "", word[3], "1"};

    (void)count;
    ask_well(conn, CONTROL_LOG, words, 3, -1);
}

struct hope {
    const struct conn *conn;
    const char *text;
    size_t *from; /* what was looked at before */
};

static bool has_line(const void *arg)
{
    const struct hope *hope = arg;
    size_t length = strlen(hope->text);

    if (hope->conn->text && strstr(hope->conn->text + *hope->from, hope->text))
        return true;
    *hope->from = hope->conn->length > length ? hope->conn->length - length : 0;
    return false;
}

static void cmd_until(char **word, int count)
{
    size_t from = 0;
    struct hope hope = {conn_of(word[1]), word[2], &from};

    (void)count;
    if (!wait_for(has_line, &hope, 20))
        fail("%s did not get %s, but:\n%s", word[1], word[2],
             hope.conn->text ? hope.conn->text : "");
}

static void cmd_got(char **word, int count)
{
    const struct conn *conn = conn_of(word[1]);

    (void)count;
    fputs(conn->text ? conn->text : "", stdout);
}

/* A process that asks to follow, and then never reads again. */
static _Noreturn void be_deaf(char *path)
{
    char *words[] = {path, "0", "1"}, *gap;
    size_t from = 0;
    struct hope hope = {.text = "lines skipped: this reader is too slow\n", .from = &from};
    struct conn *conn;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    loop = loop_after_fork(loop, NULL, 0);
    conn_count = 0;
    conn = connect_as("deaf");
    hope.conn = conn;
    ask_well(conn, CONTROL_LOG, words, 3, -1);
    raise(SIGSTOP);
    if (!wait_for(has_line, &hope, 20))
        _exit(1);
    gap = strstr(conn->text, hope.text);
    while (gap[-1] != ' ' || gap[-2] != 'g') /* after "log " */
        gap--;
    printf("%s", gap);
    fflush(stdout);
    _exit(0);
}

static bool is_stopped(const void *arg)
{
    int status;

    return waitpid(*(const pid_t *)arg, &status, WNOHANG | WUNTRACED) > 0 && WIFSTOPPED(status);
}

static void cmd_deaf(char **word, int count)
{
    (void)count;
    for (int i = atoi(word[2]); i > 0 && deaf_count < 64; i--) {
        fflush(stdout);
        deaf[deaf_count] = fork();
        if (deaf[deaf_count] == 0)
            be_deaf(word[1]);
        if (!wait_for(is_stopped, &deaf[deaf_count++], 20))
            fail("the deaf one does not follow");
    }
}

static bool has_heard(const void *arg)
{
    int status;

    return waitpid(*(const pid_t *)arg, &status, WNOHANG) > 0 && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

static void cmd_hear(char **word, int count)
{
    (void)word;
    (void)count;
    kill(deaf[0], SIGCONT);
    if (!wait_for(has_heard, &deaf[0], 20))
        fail("it was not told");
}

static bool is_ponged(const void *arg)
{
    return ((const struct conn *)arg)->is_ponged;
}

/* Waits until what was sent before on this connection was handled: requests are, in order. */
static void settle(struct conn *conn)
{
    struct words none = {0};

    conn->is_ponged = false;
    if (!peer_request(conn->peer, "ping", &none, -1) || !wait_for(is_ponged, conn, 20))
        fail("%s: no answer", conn->name);
}

static void cmd_watch(char **word, int count)
{
    struct conn *conn = connect_as(word[1]);
    char since[32];
    char *words[] = {word[2], word[3], since};

    if (count > 4)
        snprintf(since, sizeof since, "%lld",
                 (long long)(wall_now_us() - atoll(word[4]) * 1000000));
    send_request(conn, CONTROL_LOG_WATCH, words, count > 4 ? 3 : 2, -1);
    settle(conn);
}

static void cmd_matched(char **word, int count)
{
    const struct conn *conn = conn_of(word[1]);

    (void)count;
    if (!wait_for(is_answered, conn, 20))
        fail("%s: no answer", word[1]);
    if (!conn->answer || conn->is_error || strcmp(conn->answer, word[2]) != 0)
        fail("%s: answered %s, expected %s", word[1], conn->answer ? conn->answer : "(closed)",
             word[2]);
}

/* What was sent before was handled before the answer to this. */
static void cmd_quiet(char **word, int count)
{
    const struct conn *conn = conn_of(word[1]);
    char *words[] = {"", "1", "0"};

    (void)count;
    ask_well(boss, CONTROL_LOG, words, 3, -1);
    if (conn->answer)
        fail("%s: answered %s", word[1], conn->answer);
}

/* Whatever is said to it would be the answer to what is asked next. */
static void cmd_tell(char **word, int count)
{
    struct words words = {.count = (size_t)(count - 2), .at = word + 2};

    if (peer_tell(boss->peer, word[1], &words, -1) < 0)
        fail("%s: not told", word[1]);
}

static void cmd_refused(char **word, int count)
{
    bool is_error;
    const char *answer = ask(boss, word[1], word + 2, (size_t)(count - 2), -1, &is_error);

    printf("%s\n", answer);
    if (!is_error)
        fail("%s was accepted", word[1]);
}

static const struct command {
    const char *name;
    int words; /* at least, its name included */
    void (*run)(char **word, int count);
} commands[] = {
    {"start", 1, cmd_start},   {"stop", 1, cmd_stop},       {"kill", 1, cmd_kill},
    {"kill-all", 1, cmd_kill}, {"writer", 2, cmd_writer},   {"ping", 1, cmd_ping},
    {"status", 2, cmd_status}, {"pipe", 3, cmd_pipe},       {"file", 3, cmd_file},
    {"tell", 2, cmd_tell},
    {"close", 2, cmd_close},   {"drop", 2, cmd_drop},       {"write", 4, cmd_write},
    {"fill", 5, cmd_fill},     {"numbers", 6, cmd_numbers}, {"finish", 2, cmd_finish},
    {"burst", 2, cmd_burst},   {"log", 2, cmd_log},         {"follow", 4, cmd_follow},
    {"until", 3, cmd_until},   {"got", 2, cmd_got},         {"deaf", 3, cmd_deaf},
    {"watch", 4, cmd_watch},   {"since", 5, cmd_watch},     {"matched", 3, cmd_matched},
    {"quiet", 2, cmd_quiet},   {"refused", 2, cmd_refused}, {"restarts", 2, cmd_restarts},
    {"hear", 1, cmd_hear},
    {"idle", 2, cmd_idle},     {"sh", 2, cmd_sh},           {"descriptors", 2, cmd_descriptors},
    {"taken", 1, cmd_taken},
};

/* Words are separated by a space; the last one of some commands is the rest of the line. */
static int split(char *line, char **word)
{
    static const struct {
        const char *name;
        int words;
    } rests[] = {{"until", 3}, {"matched", 3}, {"status", 2}, {"write", 4}, {"watch", 4}, {"sh", 2}};
    int max = WORDS, count = 0;

    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        size_t length = strlen(rests[i].name);

        if (!strncmp(line, rests[i].name, length) && line[length] == ' ')
            max = rests[i].words;
    }
    while (line && *line && count < max) {
        word[count++] = line;
        if (count == max)
            break;
        line = strchr(line, ' ');
        if (line)
            *line++ = '\0';
    }
    return count;
}

static void run_line(char *line)
{
    char *word[WORDS + 1] = {0};
    int count = split(line, word);

    if (count == 0 || word[0][0] == '#')
        return;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, word[0]) != 0)
            continue;
        if (count < commands[i].words)
            fail("%s: too few words", word[0]);
        commands[i].run(word, count);
        fflush(stdout);
        return;
    }
    fail("what is %s?", word[0]);
}

int main(void)
{
    static char line[LINE], dir[PATH_MAX];
    int number = 0;

    run_dir = getenv("TROUPE_RUN");
    if (!run_dir || !getenv("LOG_WORKER") || !getenv("TROUPE_STATE"))
        fail("TROUPE_RUN, TROUPE_STATE and LOG_WORKER must be set");
    if (getenv("TEST_SCALE"))
        scale = atof(getenv("TEST_SCALE"));
    snprintf(dir, sizeof dir, "%s/sys", run_dir);
    mkdir(run_dir, 0711);
    mkdir(dir, 0711);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    loop = loop_create();
    atexit(at_end);
    while (fgets(line, sizeof line, stdin)) {
        number++;
        line[strcspn(line, "\n")] = '\0';
        if (getenv("LOG_DRIVER_VERBOSE"))
            fprintf(stderr, "%d: %s\n", number, line);
        run_line(line);
    }
    return 0;
}
