/*
 * sys/store: keeps what must outlive its actor, behind one mailbox (CLUSTER 4).
 *
 * store [--backend sqlite|postgres|redis] [--where WHERE] [--password-file FILE] [--unsafe] [--again-ms N]
 *
 * WHERE: sqlite (the default): a directory, $TROUPE_STATE/store unless given, on a local disk.
 * postgres: a connection string. redis: /SOCKET or ADDRESS:PORT. A server that is away is tried again
 * every N ms, after a few quicker tries: N is less than the lease that depends on it. Descriptor 3 is the mailbox
 * (LISTEN_FDS), TROUPE_CONTROL the control socket: READY when serving, which does not wait for the
 * store; STATUS when that does not answer, and when it does again; HEARTBEAT for PING; STOP (or
 * SIGTERM): what was asked is answered first, for STOP_MS at most, then exit 0. Exit 78: it was told
 * nonsense, and would be again.
 */
#include "addr.h"
#include "orders.h"
#include "store_serve.h"
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { END_MISCONFIGURED = 78, FD_MAILBOX = 3, STOP_MS = 2000, STOP_LOOK_MS = 10 };

struct program {
    struct store_config config;
    char where[PATH_MAX], password[256];
    char self[ADDR_TEXT_MAX + 1];
    struct orders orders;
    struct ev_loop *loop;
    struct store *store;
    struct store_server *server;
    struct herald *herald;
    ev_signal term, interrupt;
    ev_timer stopping;
    struct mono stop_limit;
};

static _Noreturn __attribute__((format(printf, 2, 3))) void die(int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("store: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

/* ---- the supervisor -----------------------------------------------------------------------------
 */

static void on_trouble(void *data, const char *why)
{
    char line[256];

    fprintf(stderr, "store: %s: %s\n", ((struct program *)data)->config.backend,
            why ? why : "answers again");
    snprintf(line, sizeof line, why ? "STATUS unreachable: %s\n" : "STATUS \n", why);
    orders_say(&((struct program *)data)->orders, line);
}

/* Stops once all is answered: what comes meanwhile is, too. */
static void on_stopping(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct program *program = container_of(timer, struct program, stopping);

    (void)events;
    if (store_pending(program->store) == 0 || mono_now().us >= program->stop_limit.us)
        ev_break(loop, EVBREAK_ALL);
}

static void stop(struct program *program)
{
    if (mono_is_set(program->stop_limit))
        return;
    program->stop_limit = mono_add_ms(mono_now(), STOP_MS);
    ev_timer_init(&program->stopping, on_stopping, 0., STOP_LOOK_MS / 1000.);
    ev_timer_start(program->loop, &program->stopping);
}

static void on_stop_order(void *data)
{
    stop(data);
}

static void on_term(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)loop;
    (void)events;
    stop(signal->data);
}

/* ---- the start ----------------------------------------------------------------------------------
 */

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

static void read_password(struct program *program, const char *file)
{
    FILE *stream = fopen(file, "re");

    if (!stream || !fgets(program->password, sizeof program->password, stream))
        die(END_MISCONFIGURED, "%s: %s", file, stream ? "empty" : strerror(errno));
    fclose(stream);
    program->password[strcspn(program->password, "\n")] = '\0';
    program->config.password = program->password;
}

static bool is_embedded(const struct store_config *config)
{
    return config->backend && !strcmp(config->backend, "sqlite");
}

static void set_default_where(struct program *program)
{
    const char *state = environment("TROUPE_STATE", NULL);

    if (program->config.where)
        return;
    if (!is_embedded(&program->config) || !state)
        die(END_MISCONFIGURED, "--where must say where the store is");
    if (snprintf(program->where, PATH_MAX, "%s/store", state) >= PATH_MAX)
        die(1, "TROUPE_STATE: too long");
    program->config.where = program->where;
}

static int64_t read_ms(const char *text)
{
    uint64_t ms;

    if (text_unsigned(text, 1, 60000, &ms) < 0)
        die(END_MISCONFIGURED, "--again-ms %s: expected 1 to 60000", text);
    return (int64_t)ms;
}

static void read_options(struct program *program, int argc, char **argv)
{
    static const struct option names[] = {
        {"backend", required_argument, NULL, 'b'},
        {"where", required_argument, NULL, 'w'},
        {"password-file", required_argument, NULL, 'p'},
        {"unsafe", no_argument, NULL, 'u'},
        {"again-ms", required_argument, NULL, 'a'},
        {0},
    };
    int option;

    program->config.backend = "sqlite";
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case 'b':
            program->config.backend = optarg;
            break;
        case 'w':
            program->config.where = optarg;
            break;
        case 'p':
            read_password(program, optarg);
            break;
        case 'u':
            program->config.is_unsafe = true;
            break;
        case 'a':
            program->config.again_max_ms = read_ms(optarg);
            break;
        default:
            exit(2);
        }
    }
    set_default_where(program);
}

static void read_environment(struct program *program)
{
    snprintf(program->self, sizeof program->self, "%s@%s#%s",
             environment("TROUPE_PATH", "sys/store"), environment("TROUPE_NODE", "local"),
             environment("TROUPE_INCARNATION", "0"));
    if (strcmp(environment("LISTEN_FDS", "0"), "1") != 0)
        die(1, "started without a mailbox: LISTEN_FDS is not 1");
    fcntl(FD_MAILBOX, F_SETFD, FD_CLOEXEC);
}

/* Every service actor of the node may hold a connection. */
static unsigned raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 768;
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 512 ? (unsigned)limit.rlim_cur - 256 : 256;
}

static void start_watchers(struct program *program)
{
    ev_signal_init(&program->term, on_term, SIGTERM);
    program->term.data = program;
    ev_signal_start(program->loop, &program->term);
    ev_signal_init(&program->interrupt, on_term, SIGINT);
    program->interrupt.data = program;
    ev_signal_start(program->loop, &program->interrupt);
    orders_init(&program->orders, on_stop_order, program);
    orders_start(&program->orders, program->loop);
}

int main(int argc, char **argv)
{
    static struct program program = {.config = {.on_trouble = on_trouble}};
    struct error err;

    program.config.data = &program;
    read_options(&program, argc, argv);
    read_environment(&program);
    program.loop = loop_create();
    if (!program.loop)
        die(1, "event loop: %s", strerror(errno));
    program.store = store_open(program.loop, &program.config, &err);
    if (!program.store)
        die(END_MISCONFIGURED, "%s", err.text);
    program.herald = herald_create(program.loop, environment("TROUPE_RUN", NULL), program.self);
    if (!program.herald)
        die(1, "%s", strerror(errno));
    program.server = store_server_create(program.loop, FD_MAILBOX, program.self,
                                         raise_descriptors(), program.store, program.herald);
    if (!program.server)
        die(1, "the mailbox: %s", strerror(errno));
    herald_tell(program.herald, 0);
    start_watchers(&program);
    orders_say(&program.orders, "READY\n");
    ev_run(program.loop, 0);
    store_server_destroy(program.server);
    store_close(program.store);
    herald_destroy(program.herald);
    return 0;
}
