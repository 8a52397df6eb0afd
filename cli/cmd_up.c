#include "cli.h"

#include "control.h"
#include "daemon.h"
#include "ending.h"
#include "event.h"
#include "reason.h"
#include "watch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uthash.h>

extern char **environ;

enum { ROOT_MS = 30000 };

/* How one of the given applications stands. */
enum outcome {
    COMING,  /* on its way, or not seen yet */
    UP,      /* ready */
    ENDED,   /* ended in order, or stopped by a person */
    GAVE_UP, /* failed, or ended otherwise */
};

struct app {
    const char *name;
    enum outcome outcome;
    bool is_seen;
    pid_t pid;
    char reason[REASON_MAX];
    bool is_stopped; /* by a person */
};

/* Every actor that has been heard of: for the progress line. */
struct seen {
    char path[ADDR_PATH_MAX + 1];
    bool is_ready;
    UT_hash_handle hh;
};

struct up {
    struct cli *cli;
    struct plan plan;
    struct app *apps;
    size_t app_count;
    bool is_ours;     /* this `up` started the node */
    bool is_detached; /* -d */
    bool is_settled;  /* all were ready once */
    bool is_stopping, node_is_stopping;
    bool is_killed; /* a second Ctrl-C */
    struct daemon daemon;
    pid_t root;
    struct ending *ending;
    int status;
    struct watch *watch;
    struct exchange *question; /* `why`, or `down` */
    struct app *accused;       /* the application that gave up */
    struct app *asked;         /* the one whose last end is looked for */
    struct seen *seen;
    size_t seen_count, ready_count;
    struct mono began;
    ev_timer progress;
    ev_signal on_int, on_term;
};

/* ---- showing ---------------------------------------------------------------------------- */

static bool shows_progress(const struct up *up)
{
    return isatty(STDERR_FILENO) && !up->is_settled && !up->is_stopping;
}

static void clear_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

static void on_progress(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct up *up = container_of(timer, struct up, progress);

    (void)events;
    if (!shows_progress(up)) {
        ev_timer_stop(loop, timer);
        return;
    }
    fprintf(stderr, "\r\033[Kstarting: %zu of %zu ready", up->ready_count, up->seen_count);
}

static void count_actor(struct up *up, const char *path, bool is_ready, bool is_gone)
{
    struct seen *seen;

    HASH_FIND_STR(up->seen, path, seen);
    if (!seen) {
        if (is_gone)
            return;
        seen = cli_alloc(sizeof *seen);
        snprintf(seen->path, sizeof seen->path, "%s", path);
        HASH_ADD_STR(up->seen, path, seen);
        up->seen_count++;
    }
    up->ready_count += (size_t)is_ready - (size_t)seen->is_ready;
    seen->is_ready = is_ready;
    if (!is_gone)
        return;
    HASH_DEL(up->seen, seen);
    free(seen);
    up->seen_count--;
}

/* In a pipe every notable event is a line; on a terminal those of a start are a progress line, from
 * which only what goes wrong stands out. With -d only the end of the start is of interest. */
static void show_event(struct up *up, const char *event, const struct facts *facts)
{
    const struct output *out = &up->cli->out;
    const char *level = facts_get(facts, "level");
    bool is_info = !level || strcmp(level, "info") == 0 || strcmp(level, "debug") == 0;
    struct facts record = {0};
    struct buf text = {0};

    /* That a supervisor is ready, its parent says as well. */
    if (strcmp(event, EVENT_SUPERVISOR_UP) == 0)
        return;
    if (up->is_detached || !event_is_notable(event, facts) || (is_info && shows_progress(up)))
        return;
    if (shows_progress(up))
        clear_progress();
    if (out->is_terminal && out->format == OUTPUT_TABLE) {
        event_tell(out, event, facts, &text);
        output_write(&text);
        buf_finish(&text);
    } else {
        event_to_record(event, facts, &record);
        event_print(out, &record);
        facts_finish(&record);
    }
    fflush(stdout); /* a reader that went away does not end the applications */
}

static void tell_settled(const struct up *up)
{
    char took[32];

    if (!isatty(STDERR_FILENO))
        return;
    clear_progress();
    fprintf(stderr, "ready: %zu actors in %s\n", up->ready_count,
            show_duration(mono_diff_ms(mono_now(), up->began), took, sizeof took));
}

/* ---- ending ----------------------------------------------------------------------------- */

static void finish(struct up *up, int status)
{
    up->status = status;
    ev_break(up->cli->client.loop, EVBREAK_ALL);
}

static void on_down(struct exchange *exchange, struct answer *answer)
{
    struct up *up = exchange_data(exchange);

    if (answer->kind == ANSWER_ERROR)
        up->status = cli_answer_status(up->cli, "down", answer);
    finish(up, up->status);
}

/* Stops what this `up` has started, in order: its node, or its applications on another's node. */
static void stop_ours(struct up *up)
{
    static const struct exchange_handlers handlers = {.on_answer = on_down};
    struct words words = {0};

    up->is_stopping = true;
    exchange_destroy(up->question);
    for (size_t i = 0; !up->is_ours && i < up->app_count; i++)
        if (up->apps[i].is_seen)
            cli_check_memory(words_append(&words, up->apps[i].name));
    up->question = NULL;
    if (!up->is_ours && words.count == 0) {
        finish(up, up->status);
        return;
    }
    up->question =
        exchange_start(&up->cli->client, RUNDIR_SUPERVISOR, CONTROL_DOWN, &words, &handlers, up);
    words_finish(&words);
    cli_check_memory(!up->question);
}

/* Ends everything of ours at once. The guard kills what a killed root leaves behind. */
static void kill_ours(struct up *up)
{
    up->is_killed = true;
    if (up->is_ours && up->root > 0)
        kill(up->root, SIGKILL);
    for (size_t i = 0; !up->is_ours && i < up->app_count; i++)
        if (up->apps[i].pid > 0)
            kill(up->apps[i].pid, SIGKILL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct up *up = watcher->data;

    (void)loop;
    (void)events;
    if (shows_progress(up))
        clear_progress();
    if (up->is_detached) {
        finish(up, cli_fail(STATUS_NOT, "interrupted: what was started goes on"));
    } else if (!up->is_stopping) {
        if (up->cli->out.is_terminal)
            fputs("stopping; once more kills\n", stderr);
        stop_ours(up);
    } else {
        up->status = STATUS_NOT;
        kill_ours(up);
    }
}

/* ---- an application gives up ------------------------------------------------------------ */

static void after_accusation(struct up *up)
{
    if (up->is_detached)
        finish(up, up->status);
    else
        stop_ours(up);
}

static void on_why(struct exchange *exchange, struct answer *answer)
{
    struct up *up = exchange_data(exchange);

    for (size_t i = 0; answer->kind == ANSWER_WORDS && i < answer->words.count; i++)
        fprintf(stderr, "  %s\n", answer->words.at[i]);
    after_accusation(up);
}

/* Names the application and why, and then stops the others. */
static void accuse(struct up *up, struct app *app)
{
    static const struct exchange_handlers handlers = {.on_answer = on_why};
    struct words words = {0};

    if (up->is_stopping || up->accused)
        return;
    up->accused = app;
    if (shows_progress(up))
        clear_progress();
    up->status =
        cli_fail(STATUS_NOT, "%s gave up%s%s", app->name, *app->reason ? ": " : "", app->reason);
    cli_check_memory(words_append(&words, app->name));
    up->question =
        exchange_start(&up->cli->client, RUNDIR_SUPERVISOR, CONTROL_WHY, &words, &handlers, up);
    words_finish(&words);
    cli_check_memory(!up->question);
}

/* ---- how the applications stand --------------------------------------------------------- */

/* Of a start that is over: somebody may have stopped what was to become ready. */
static int status_of_start(const struct up *up)
{
    for (size_t i = 0; i < up->app_count; i++)
        if (up->apps[i].is_stopped)
            return cli_fail(STATUS_NOT, "%s was stopped while it started", up->apps[i].name);
    return STATUS_DONE;
}

static void judge(struct up *up)
{
    size_t ready = 0, ended = 0;

    if (up->is_stopping || up->accused)
        return;
    for (size_t i = 0; i < up->app_count; i++) {
        if (up->apps[i].outcome == GAVE_UP) {
            accuse(up, &up->apps[i]);
            return;
        }
        ready += up->apps[i].outcome == UP;
        ended += up->apps[i].outcome == ENDED;
    }
    if (!up->is_settled && ready + ended == up->app_count) {
        tell_settled(up);
        up->is_settled = true;
        if (up->is_detached)
            finish(up, status_of_start(up));
    }
    if (ended == up->app_count && !up->is_detached && !up->node_is_stopping)
        stop_ours(up);
}

static bool ended_in_order(const struct app *app)
{
    return reason_is_orderly(app->reason) && !reason_is_defeat(app->reason);
}

static enum outcome outcome_of(const struct app *app, enum row_state state)
{
    switch (state) {
    case ROW_READY:
        return UP;
    case ROW_STOPPED:
        return ENDED;
    case ROW_FAILED:
        return GAVE_UP;
    case ROW_EXITED:
        return ended_in_order(app) ? ENDED : GAVE_UP;
    default:
        return app->outcome == UP ? UP : COMING; /* restarting is no end */
    }
}

static struct app *find_app(struct up *up, const char *path)
{
    for (size_t i = 0; path && i < up->app_count; i++)
        if (strcmp(up->apps[i].name, path) == 0)
            return &up->apps[i];
    return NULL;
}

static void learn(struct app *app, enum row_state state, const char *reason, pid_t pid)
{
    app->is_seen = true;
    app->pid = pid;
    if (reason && *reason)
        snprintf(app->reason, sizeof app->reason, "%s", reason);
    app->outcome = outcome_of(app, state);
    app->is_stopped = state == ROW_STOPPED;
}

static void on_row(void *data, const struct row *row)
{
    struct up *up = data;
    struct app *app = find_app(up, row->path);

    count_actor(up, row->path, row->state == ROW_READY, false);
    if (app)
        learn(app, (enum row_state)row->state, row->last, (pid_t)row->pid);
}

static void ask_about_unseen(struct up *up);

static void on_last_words(struct exchange *exchange, struct answer *answer)
{
    struct up *up = exchange_data(exchange);
    struct app *app = up->asked;

    app->is_seen = true;
    app->outcome = GAVE_UP;
    if (answer->kind != ANSWER_WORDS) /* the node has read another file than we have */
        snprintf(app->reason, sizeof app->reason,
                 "the node does not know it: was its file replaced?");
    exchange_destroy(up->question);
    up->question = NULL;
    judge(up);
    if (!up->question)
        ask_about_unseen(up);
}

/* A temporary application that ended before anybody could look is known by its last end only. Each
 * is asked about once. */
static void ask_about_unseen(struct up *up)
{
    static const struct exchange_handlers handlers = {.on_answer = on_last_words};
    struct words words = {0};

    up->asked = up->asked ? up->asked + 1 : up->apps;
    while (up->asked < up->apps + up->app_count && up->asked->is_seen)
        up->asked++;
    if (up->asked >= up->apps + up->app_count || up->question)
        return;
    cli_check_memory(words_append(&words, up->asked->name));
    up->question =
        exchange_start(&up->cli->client, RUNDIR_SUPERVISOR, CONTROL_WHY, &words, &handlers, up);
    words_finish(&words);
    cli_check_memory(!up->question);
}

static void on_snapshot(void *data, const char *supervisor)
{
    struct up *up = data;

    if (*supervisor)
        return;
    judge(up);
    if (!up->question)
        ask_about_unseen(up);
}

static void on_event(void *data, const char *event, const struct facts *facts)
{
    struct up *up = data;
    const char *path = facts_get(facts, "path"), *state = facts_get(facts, "state");
    const char *pid = facts_get(facts, "pid");
    int number = state ? row_state_of_text(state) : -1;
    bool removed = strcmp(event, EVENT_CHILD_REMOVED) == 0;
    struct app *app = find_app(up, path);

    if (strcmp(event, EVENT_NODE_STOPPING) == 0)
        up->node_is_stopping = true;
    if (path && *path && (number >= 0 || removed))
        count_actor(up, path, number == ROW_READY && !removed, removed);
    show_event(up, event, facts);
    if (app && number >= 0 && !removed)
        learn(app, (enum row_state)number, facts_get(facts, "reason"),
              pid ? (pid_t)strtol(pid, NULL, 10) : 0);
    if (app && removed && app->outcome != GAVE_UP)
        app->outcome = ended_in_order(app) ? ENDED : GAVE_UP;
    if (app)
        judge(up);
}

/* The node itself knows best why; `why` is what could be seen from here. */
static int node_has_ended(const struct up *up, const char *why)
{
    char words[REASON_MAX];

    daemon_last_words(&up->daemon, words, sizeof words);
    return cli_fail(STATUS_NOT, "the node has ended: %s", *words ? words : why);
}

/* The node's end: by order when it said so before, else the end of an application that took the
 * node with it, or of the node by itself. */
static void on_lost(void *data, const char *supervisor, const char *why)
{
    struct up *up = data;

    (void)supervisor;
    if (up->is_stopping || rundir_is_alive(&up->cli->client.dir))
        return;
    if (up->node_is_stopping && !up->accused && up->is_settled)
        finish(up, STATUS_DONE);
    else
        finish(up, node_has_ended(up, why));
}

/* ---- getting there ---------------------------------------------------------------------- */

static int ask_root(struct up *up, const char *verb, const struct words *words,
                    struct answer *answer)
{
    cli_check_memory(client_call(&up->cli->client, RUNDIR_SUPERVISOR, verb, words, 0, answer));
    if (answer->kind == ANSWER_CLOSED && up->is_ours)
        return node_has_ended(up, answer->text);
    return answer->kind == ANSWER_ERROR || answer->kind == ANSWER_CLOSED
               ? cli_answer_status(up->cli, "up", answer)
               : 0;
}

static int read_node_facts(struct up *up)
{
    struct answer answer;
    const char *root;
    int status = ask_root(up, CONTROL_NODE, NULL, &answer);

    if (!status && answer.kind == ANSWER_FACTS) {
        root = facts_get(&answer.facts, "pid");
        up->root = root ? (pid_t)strtol(root, NULL, 10) : 0;
    }
    answer_finish(&answer);
    return status;
}

static int make_request(struct cli *cli, struct words *words)
{
    char file[PATH_MAX], count[16];

    snprintf(count, sizeof count, "%d", cli->arg_count);
    cli_check_memory(words_append(words, count));
    for (int i = 0; i < cli->arg_count; i++) {
        if (!realpath(cli->args[i], file))
            return cli_fail(STATUS_CONFIG, "%s: %s", cli->args[i], strerror(errno));
        cli_check_memory(words_append(words, file));
    }
    for (char **entry = environ; *entry; entry++)
        cli_check_memory(words_append(words, *entry));
    return 0;
}

/* A node that another `up` is just starting holds its lock before it can be asked. */
static void wait_for_root(struct client *client)
{
    struct mono deadline = mono_add_ms(mono_now(), ROOT_MS);

    while (!client_has_mailbox(client, RUNDIR_SUPERVISOR) && rundir_is_alive(&client->dir) &&
           mono_diff_ms(deadline, mono_now()) > 0)
        ev_sleep(0.01);
}

static int add_to_node(struct up *up)
{
    struct words words = {0};
    struct answer answer = {0};
    int status = make_request(up->cli, &words);

    wait_for_root(&up->cli->client);
    if (!status)
        status = ask_root(up, CONTROL_UP, &words, &answer);
    answer_finish(&answer);
    words_finish(&words);
    return status;
}

/* The lock of a killed node may be somebody else's by now: that is no node that could be asked. */
static int refuse_stranger(const struct rundir *dir)
{
    char name[32];
    pid_t pid = rundir_stranger(dir->path, name);

    return pid ? cli_fail(STATUS_NOT,
                          "%s/%s is locked by process %d (%s), which is no node: it keeps ours "
                          "from starting",
                          dir->path, RUNDIR_LOCK, (int)pid, name)
               : 0;
}

static int open_node(struct up *up)
{
    struct rundir *dir = &up->cli->client.dir;
    struct error err;
    int status;

    if (rundir_resolve(cli_option(up->cli, "node"), *up->plan.node ? up->plan.node : NULL, dir,
                       &err) != 0)
        return cli_fail(STATUS_USAGE, "%s", err.text);
    if (!rundir_is_alive(dir)) {
        status = daemon_start(up->cli, dir->node, !up->is_detached, &up->daemon);
        up->is_ours = status == 0;
        /* Another `up` was quicker: its node is running now. */
        if (status != STATUS_NOT || !rundir_is_alive(dir))
            return status;
    }
    status = refuse_stranger(dir);
    return status ? status : add_to_node(up);
}

static void prepare(struct up *up)
{
    up->app_count = up->plan.applications.count;
    up->apps = cli_alloc(up->app_count * sizeof *up->apps);
    for (size_t i = 0; i < up->app_count; i++)
        up->apps[i].name = up->plan.applications.at[i];
}

/* ---- watching --------------------------------------------------------------------------- */

static void start_watching(struct up *up)
{
    static const struct watch_handlers handlers = {on_row, on_event, on_snapshot, on_lost};
    struct ev_loop *loop = up->cli->client.loop;

    ev_signal_init(&up->on_int, on_signal, SIGINT);
    ev_signal_init(&up->on_term, on_signal, SIGTERM);
    up->on_int.data = up->on_term.data = up;
    ev_signal_start(loop, &up->on_int);
    ev_signal_start(loop, &up->on_term);
    ev_timer_init(&up->progress, on_progress, 0.2, 0.1);
    ev_timer_start(loop, &up->progress);
    up->watch = watch_create(&up->cli->client, "", true, &handlers, up);
}

static void stop_watching(struct up *up)
{
    struct ev_loop *loop = up->cli->client.loop;
    struct seen *seen, *next;

    watch_destroy(up->watch);
    exchange_destroy(up->question);
    ev_timer_stop(loop, &up->progress);
    ev_signal_stop(loop, &up->on_int);
    ev_signal_stop(loop, &up->on_term);
    HASH_ITER (hh, up->seen, seen, next) {
        HASH_DEL(up->seen, seen);
        free(seen);
    }
}

/* The node that we started is gone only when its guard is, which is our own child. */
static void see_it_end(struct up *up)
{
    if (!up->is_ours || up->is_detached)
        return;
    ending_wait(up->ending, up->is_killed);
    while (waitpid(up->daemon.pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int watch_it(struct up *up)
{
    int status = read_node_facts(up);

    if (status)
        return status;
    up->ending = ending_create(&up->cli->client);
    start_watching(up);
    ev_run(up->cli->client.loop, 0);
    see_it_end(up);
    stop_watching(up);
    return up->status;
}

static int run(struct cli *cli)
{
    struct up up = {.cli = cli, .began = mono_now(), .daemon.last_words = -1};
    int status;

    up.is_detached = cli_option(cli, "detach") != NULL;
    status = plan_read(cli, &up.plan);
    if (!status)
        status = open_node(&up);
    if (!status) {
        prepare(&up);
        status = watch_it(&up);
    }
    if (up.daemon.last_words >= 0)
        close(up.daemon.last_words);
    ending_destroy(up.ending);
    free(up.apps);
    plan_finish(&up.plan);
    return status;
}

const struct verb verb_up = {
    .name = "up",
    .synopsis = "FILE...",
    .line = "start the applications that config files declare",
    .text =
        "Checks the files, starts a node unless one is running, and stays in the foreground to "
        "show "
        "what happens. Ctrl-C stops its applications in order; a second one kills them. It ends "
        "with "
        "1 when one of its applications gives up, after naming it, saying why and stopping its "
        "others.\n"
        "On a node that is running the files' applications are added to it.\n"
        "With -d it returns when everything is ready, or with the reason why it is not, and leaves "
        "running what runs.",
    .examples = "troupe up etc/demo.yaml\tin the foreground\n"
                "troupe up -d shop.yaml billing.yaml\ttwo applications, in the background",
    .options = {{'d', "detach", NULL, "return when everything is ready, and leave it running"}},
    .min_args = 1,
    .max_args = -1,
    .flags = PICKS_NODE | HAS_OUTPUT,
    .takes = TAKES_FILES,
    .run = run,
};
