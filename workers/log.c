/*
 * sys/log: receives every child's output (SEMANTICS 9). Two processes:
 *
 *   pipes → reader (this file's loop: never touches a disk) → ring → writer (forked) → files
 *                └→ followers, watches
 *
 * The ring is a file in the run directory that both map (log_ring.h): whichever of the two is
 * killed, the other, or a successor, goes on with what it holds, lines without their newline
 * included. So a restart loses nothing. A reader that is killed while it takes bytes out of a pipe
 * has them in the ring already; its successor says so where they may be there twice. Only where
 * there is no spool they (at most 64 KiB), and what the writer had not written, are lost.
 *
 * log [--dir DIR] [--files 10] [--size BYTES] [--total BYTES] [--patience-ms 1000] [--spool FILE]
 *     [--spool-bytes N]
 *
 * DIR is $TROUPE_STATE/log unless given; a path a/b/c has the file DIR/a/b/c.log and its older ones
 * c.log.1 …; `files` counts the present one too. The spool, $TROUPE_RUN/.log, is the ring.
 * Descriptor 3 is the mailbox (LISTEN_FDS), TROUPE_CONTROL the control socket: READY when serving,
 * HEARTBEAT for PING; STOP (or SIGTERM): what the pipes hold at that moment is read and written,
 * for about the patience at most, then exit 0. What could not be written stays in the spool.
 */
#include "fault.h"
#include "log_jobs.h"
#include "log_reader.h"
#include "log_serve.h"
#include "log_writer.h"
#include "mono.h"
#include "orders.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WRITER_AGAIN_MS = 100,
    WRITER_GOOD_MS = 1000,
    STOP_MIN_MS = 500, /* how long a stop waits for the writer: the patience, within these */
    STOP_MAX_MS = 2000,
    DAY_MS = 86400000,
    FD_MAILBOX = 3,
};

struct options {
    char dir[PATH_MAX], spool[PATH_MAX];
    uint64_t files, size_bytes, total_bytes, patience_ms, spool_bytes;
};

struct program {
    struct options options;
    const char *own_path;
    char self[ADDR_TEXT_MAX + 1];
    struct orders orders;
    struct log_ring *ring;
    struct log_legacy legacy;
    struct log_writer_config writer_config;
    pid_t writer; /* 0: none now */
    struct mono writer_since;
    int bell_fd;
    struct ev_loop *loop;
    struct log_reader *reader;
    struct log_jobs *jobs;
    struct log_server *server;
    ev_io bell;
    ev_signal child, term, interrupt;
    ev_timer writer_again, stop_limit;
    bool is_stopping;
};

static _Noreturn __attribute__((format(printf, 1, 2))) void die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("log: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

/* ---- the writer ---------------------------------------------------------------------------------
 */

/* In the fork: keeps the bell as its only descriptor beside the standard ones. It outlives a killed
 * reader and signals to the group: it ends when the reader has, and the ring is empty. */
static _Noreturn void be_writer(const struct program *program, int bell_fd)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE};
    sigset_t none;
    int status;

    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, "log writer");
    dup2(bell_fd, 3);
    close_range(4, ~0U, 0);
    status = log_writer_run(&program->writer_config, program->ring, 3);
    _exit(status);
}

static void start_writer(struct program *program)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        goto again;
    program->writer = fault_hits("fork") ? -1 : fork();
    if (program->writer == 0)
        be_writer(program, ends[1]);
    close(ends[1]);
    if (program->writer < 0) {
        program->writer = 0;
        close(ends[0]);
        goto again;
    }
    program->writer_since = mono_now();
    program->bell_fd = ends[0];
    fcntl(program->bell_fd, F_SETFL, O_NONBLOCK);
    ev_io_set(&program->bell, program->bell_fd, EV_READ);
    ev_io_start(program->loop, &program->bell);
    return;
again:
    ev_timer_again(program->loop, &program->writer_again);
}

static void forget_writer(struct program *program)
{
    ev_io_stop(program->loop, &program->bell);
    if (program->bell_fd >= 0)
        close(program->bell_fd);
    program->bell_fd = -1;
    program->writer = 0;
}

static void wake_writer(void *data)
{
    struct program *program = data;

    if (program->bell_fd >= 0 && log_ring_take_wish(program->ring, LOG_WRITER))
        send(program->bell_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_writer_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct program *program = container_of(timer, struct program, writer_again);

    (void)events;
    ev_timer_stop(loop, timer);
    if (!program->writer)
        start_writer(program);
}

static void on_child(struct ev_loop *loop, ev_signal *signal, int events)
{
    struct program *program = container_of(signal, struct program, child);
    pid_t pid;

    (void)events;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        if (pid != program->writer)
            continue;
        forget_writer(program);
        if (mono_diff_ms(mono_now(), program->writer_since) > WRITER_GOOD_MS)
            start_writer(program);
        else /* it may be dying of something that does not pass */
            ev_timer_again(loop, &program->writer_again);
    }
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void check_stopped(struct program *program)
{
    if (!program->is_stopping || !log_reader_is_idle(program->reader))
        return;
    if (log_ring_tail(program->ring) == log_ring_head(program->ring)) {
        ev_break(program->loop, EVBREAK_ALL);
        return;
    }
    log_ring_wish_bell(program->ring, LOG_READER, true);
    if (log_ring_tail(program->ring) == log_ring_head(program->ring))
        ev_break(program->loop, EVBREAK_ALL);
}

static int64_t stop_ms(const struct program *program)
{
    uint64_t patience_ms = program->options.patience_ms;

    if (patience_ms < STOP_MIN_MS)
        return STOP_MIN_MS;
    return patience_ms < STOP_MAX_MS ? (int64_t)patience_ms : STOP_MAX_MS;
}

static void stop(struct program *program)
{
    if (program->is_stopping)
        return;
    program->is_stopping = true;
    log_server_destroy(program->server);
    program->server = NULL;
    log_jobs_destroy(program->jobs);
    program->jobs = NULL;
    log_reader_stop(program->reader);
    ev_now_update(program->loop);
    ev_timer_set(&program->stop_limit, (double)stop_ms(program) / 1000.0, 0.);
    ev_timer_start(program->loop, &program->stop_limit);
    check_stopped(program);
}

static void on_stop_order(void *data)
{
    stop(data);
}

static void on_stop_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop;
    (void)events;
    stop(container_of(signal, struct program, term));
}

static void on_interrupt(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop;
    (void)events;
    stop(container_of(signal, struct program, interrupt));
}

/* The writer ends by itself once the bell is closed and the ring is empty; one that cannot is
 * killed: the ring remembers how far it was. Helpers were killed before. */
static void end_children(struct program *program)
{
    pid_t writer = program->writer;
    struct mono limit = mono_add_ms(mono_now(), stop_ms(program));
    struct timespec moment = {.tv_nsec = 2000000};
    pid_t pid;

    forget_writer(program);
    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0) {
        if (pid == writer)
            writer = 0;
        if (pid > 0)
            continue;
        if (mono_now().us < limit.us) {
            nanosleep(&moment, NULL);
            continue;
        }
        if (writer > 0)
            kill(writer, SIGKILL);
        return;
    }
}

/* ---- the control socket ---------------------------------------------------------------------- */

/* ---- events ---------------------------------------------------------------------------------- */

static void on_bell(struct ev_loop *loop, ev_io *io, int events)
{
    struct program *program = container_of(io, struct program, bell);
    char rings[64];

    (void)events;
    /* At the end of the stream the writer is gone: SIGCHLD will say so. */
    if (recv(program->bell_fd, rings, sizeof rings, MSG_DONTWAIT) == 0)
        ev_io_stop(loop, io);
    log_reader_progress(program->reader);
    if (program->jobs)
        log_jobs_progress(program->jobs);
    check_stopped(program);
}

static void on_chunk(void *data, const struct log_chunk *chunk)
{
    struct program *program = data;

    if (program->server)
        log_server_chunk(program->server, chunk);
}

static void on_dropping(void *data, const char *why)
{
    char line[160];

    if (why)
        snprintf(line, sizeof line, "STATUS dropping lines: %s\n", why);
    else
        snprintf(line, sizeof line, "STATUS \n");
    orders_say(&((struct program *)data)->orders, line);
}

static void on_turn(void *data)
{
    check_stopped(data);
}

/* ---- the start ------------------------------------------------------------------------------- */

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

static void set_path(char out[PATH_MAX], const char *value)
{
    if (snprintf(out, PATH_MAX, "%s", value) >= PATH_MAX)
        die("%s: too long", value);
}

static void set_default_paths(struct options *options)
{
    const char *state = environment("TROUPE_STATE", NULL), *run = environment("TROUPE_RUN", NULL);

    if (!*options->dir && !state)
        die("--dir or TROUPE_STATE must say where the files go");
    if (!*options->dir && snprintf(options->dir, PATH_MAX, "%s/log", state) >= PATH_MAX)
        die("TROUPE_STATE: too long");
    if (!*options->spool && run && snprintf(options->spool, PATH_MAX, "%s/.log", run) >= PATH_MAX)
        die("TROUPE_RUN: too long");
}

static void read_options(struct options *options, int argc, char **argv)
{
    static const struct option names[] = {
        {"dir", required_argument, NULL, 'd'},         {"files", required_argument, NULL, 'f'},
        {"size", required_argument, NULL, 's'},        {"total", required_argument, NULL, 't'},
        {"patience-ms", required_argument, NULL, 'p'}, {"spool", required_argument, NULL, 'r'},
        {"spool-bytes", required_argument, NULL, 'b'}, {0},
    };
    int option, result = 0;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'd':
            set_path(options->dir, optarg);
            break;
        case 'f':
            result = text_unsigned(optarg, 1, LOG_FILES_MAX, &options->files);
            break;
        case 's':
            result = text_unsigned(optarg, 4096, INT64_MAX, &options->size_bytes);
            break;
        case 't':
            result = text_unsigned(optarg, 8192, INT64_MAX, &options->total_bytes);
            break;
        case 'p':
            result = text_unsigned(optarg, 0, DAY_MS, &options->patience_ms);
            break;
        case 'r':
            set_path(options->spool, optarg);
            break;
        case 'b':
            result = text_unsigned(optarg, LOG_RING_MIN, 1 << 30, &options->spool_bytes);
            break;
        default:
            exit(2);
        }
        if (result < 0)
            die("%s: not a number that fits", optarg);
    }
    set_default_paths(options);
}

static void read_environment(struct program *program)
{
    program->own_path = environment("TROUPE_PATH", "sys/log");
    snprintf(program->self, sizeof program->self, "%s@%s#%s", program->own_path,
             environment("TROUPE_NODE", "local"), environment("TROUPE_INCARNATION", "0"));
    if (strcmp(environment("LISTEN_FDS", "0"), "1") != 0)
        die("started without a mailbox: LISTEN_FDS is not 1");
    fcntl(FD_MAILBOX, F_SETFD, FD_CLOEXEC);
}

/* One descriptor for each pipe of the node. Returns how many connections that leaves room for. */
static unsigned raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 768;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur > 65536)
        return 65536 - 256;
    return limit.rlim_cur > 512 ? (unsigned)limit.rlim_cur - 256 : 256;
}

static void start_ring_and_writer(struct program *program)
{
    struct options *options = &program->options;
    const char *spool = *options->spool ? options->spool : NULL;

    program->ring = log_ring_open(spool, options->spool_bytes, &program->legacy);
    if (!program->ring)
        die("the spool: %s", strerror(errno));
    program->writer_config = (struct log_writer_config){
        .dir = options->dir,
        .lock = spool,
        .own_path = program->own_path,
        .limits = {.files = (unsigned)options->files,
                   .size_bytes = options->size_bytes,
                   .total_bytes = options->total_bytes,
                   .patience_ms = (int64_t)options->patience_ms},
    };
    program->bell_fd = -1;
    ev_init(&program->bell, on_bell);
    ev_init(&program->writer_again, on_writer_again);
    program->writer_again.repeat = WRITER_AGAIN_MS / 1000.0;
    start_writer(program);
}

static void start_serving(struct program *program, unsigned max_conns)
{
    static const struct log_reader_handlers handlers = {.on_chunk = on_chunk,
                                                        .wake_writer = wake_writer,
                                                        .on_dropping = on_dropping,
                                                        .on_turn = on_turn};
    struct log_server_config config = {.loop = program->loop,
                                       .listen_fd = FD_MAILBOX,
                                       .self = program->self,
                                       .own_path = program->own_path,
                                       .max_conns = max_conns};

    program->reader = log_reader_create(program->loop, program->ring, program->own_path,
                                        (int64_t)program->options.patience_ms, &handlers, program);
    program->jobs =
        log_jobs_create(program->loop, program->ring, program->options.dir, wake_writer, program);
    config.jobs = program->jobs;
    if (program->reader && program->jobs)
        program->server = log_server_create(&config);
    if (!program->server)
        die("the mailbox: %s", strerror(errno));
    log_server_set_reader(program->server, program->reader);
}

static void start_watchers(struct program *program)
{
    ev_signal_init(&program->child, on_child, SIGCHLD);
    ev_signal_start(program->loop, &program->child);
    ev_signal_init(&program->term, on_term, SIGTERM);
    ev_signal_start(program->loop, &program->term);
    ev_signal_init(&program->interrupt, on_interrupt, SIGINT);
    ev_signal_start(program->loop, &program->interrupt);
    ev_init(&program->stop_limit, on_stop_limit);
    orders_init(&program->orders, on_stop_order, program);
    orders_start(&program->orders, program->loop);
}

/* What a killed predecessor left: what may be lost, or there twice, is said where it shows. */
static void settle_legacy(struct program *program)
{
    const struct log_legacy *legacy = &program->legacy;

    if (legacy->hand)
        log_reader_expect_repeat(program->reader, legacy->hand_path, legacy->hand_kind,
                                 legacy->hand, legacy->hand_size);
    if (legacy->is_damaged)
        log_reader_note(program->reader, program->own_path,
                        "the spool was damaged: what it held is lost");
    if (legacy->is_volatile)
        log_reader_note(program->reader, program->own_path,
                        "%s: no room for the spool: a killed writer or reader will cost lines",
                        program->options.spool);
    if (legacy->dropped_lines == 0 ||
        log_reader_note(program->reader, program->own_path,
                        "%llu lines dropped by a predecessor that was killed",
                        (unsigned long long)legacy->dropped_lines))
        log_ring_settle(program->ring);
}

static void finish(struct program *program)
{
    log_reader_destroy(program->reader);
    end_children(program);
    if (*program->options.spool && log_ring_is_empty(program->ring))
        unlink(program->options.spool);
    log_ring_close(program->ring);
}

int main(int argc, char **argv)
{
    static struct program program = {.options = {.files = 10,
                                                 .size_bytes = 10 << 20,
                                                 .total_bytes = 1 << 30,
                                                 .patience_ms = 1000,
                                                 .spool_bytes = LOG_RING_SIZE}};
    unsigned max_conns;

    read_options(&program.options, argc, argv);
    read_environment(&program);
    max_conns = raise_descriptors();
    program.loop = loop_create();
    if (!program.loop)
        die("event loop: %s", strerror(errno));
    start_ring_and_writer(&program);
    start_watchers(&program);
    start_serving(&program, max_conns);
    settle_legacy(&program);
    orders_say(&program.orders, "READY\n");
    ev_run(program.loop, 0);
    finish(&program);
    return 0;
}
