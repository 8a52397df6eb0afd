#include "cli.h"

#include "control.h"
#include "place.h"
#include "target.h"
#include "text.h"
#include "watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FOR_READY = 1, FOR_DOWN = 2, FOR_GONE = 4 };

/* What is known of one target. */
enum knowledge { UNKNOWN, PRESENT, GONE };

struct waiter {
    const struct target *target;
    enum knowledge knowledge;
    enum row_state state;
    char last[256];
    bool is_done;
};

struct waiting {
    struct cli *cli;
    unsigned wanted;
    struct waiter *waiters;
    size_t count, done;
    struct watch **watches;
    size_t watch_count;
    ev_timer timeout;
    int status;
};

/* ---- deciding --------------------------------------------------------------------------- */

static bool is_down(const struct waiter *waiter)
{
    return waiter->state == ROW_STOPPED || waiter->state == ROW_EXITED ||
           waiter->state == ROW_FAILED;
}

static bool is_satisfied(const struct waiter *waiter, unsigned wanted)
{
    if (waiter->knowledge == GONE)
        return wanted & (FOR_GONE | FOR_DOWN);
    if (waiter->knowledge != PRESENT)
        return false;
    if (wanted & FOR_READY && waiter->state == ROW_READY)
        return true;
    return wanted & FOR_DOWN && is_down(waiter);
}

/* It has given up, or has done its work: nobody but a person makes it ready again. */
static bool is_hopeless(const struct waiter *waiter, unsigned wanted)
{
    return wanted == FOR_READY && waiter->knowledge == PRESENT &&
           (waiter->state == ROW_FAILED || waiter->state == ROW_EXITED);
}

static void finish(struct waiting *waiting, int status)
{
    waiting->status = status;
    ev_break(waiting->cli->client.loop, EVBREAK_ALL);
}

static void look(struct waiting *waiting, struct waiter *waiter)
{
    if (waiter->is_done || waiting->status)
        return;
    if (is_satisfied(waiter, waiting->wanted)) {
        waiter->is_done = true;
        if (++waiting->done == waiting->count)
            finish(waiting, STATUS_DONE);
    } else if (is_hopeless(waiter, waiting->wanted)) {
        finish(waiting, cli_fail(STATUS_NOT, "%s: it is %s: %s", waiter->target->path,
                                 row_state_text(waiter->state), waiter->last));
    }
}

/* ---- what is heard ---------------------------------------------------------------------- */

static struct waiter *find(struct waiting *waiting, const char *path)
{
    for (size_t i = 0; path && i < waiting->count; i++)
        if (strcmp(waiting->waiters[i].target->path, path) == 0)
            return &waiting->waiters[i];
    return NULL;
}

static void learn(struct waiting *waiting, struct waiter *waiter, enum row_state state,
                  const char *last)
{
    waiter->knowledge = PRESENT;
    waiter->state = state;
    if (last && *last)
        snprintf(waiter->last, sizeof waiter->last, "%s", last);
    look(waiting, waiter);
}

static void on_row(void *data, const struct row *row)
{
    struct waiter *waiter = find(data, row->path);

    if (waiter)
        learn(data, waiter, (enum row_state)row->state, row->last);
}

/* Which targets were not among the children: they do not exist. */
static void on_snapshot(void *data, const char *supervisor)
{
    struct waiting *waiting = data;

    for (size_t i = 0; i < waiting->count; i++) {
        struct waiter *waiter = &waiting->waiters[i];

        if (waiter->knowledge != UNKNOWN || strcmp(waiter->target->parent, supervisor) != 0)
            continue;
        waiter->knowledge = GONE;
        look(waiting, waiter);
    }
}

static void on_event(void *data, const char *event, const struct facts *facts)
{
    struct waiter *waiter = find(data, facts_get(facts, "path"));
    const char *state = facts_get(facts, "state");
    int number = state ? row_state_of_text(state) : -1;

    if (!waiter)
        return;
    if (strcmp(event, EVENT_CHILD_REMOVED) == 0) {
        waiter->knowledge = GONE;
        look(data, waiter);
    } else if (number >= 0) {
        learn(data, waiter, (enum row_state)number, facts_get(facts, "reason"));
    }
}

/* Is a supervisor, whose connection ended so, gone, and with it all that it had? */
static bool is_gone(const struct client *client, const char *supervisor, const char *why)
{
    char mailbox[MAILBOX_MAX];

    if (place_is_elsewhere(supervisor))
        return strcmp(why, CONTROL_E_NOPROC) == 0;
    client_supervisor(supervisor, mailbox);
    return !rundir_is_alive(&client->dir) || !client_has_mailbox(client, mailbox);
}

/* What is there nobody can tell any more. 0: it may yet come back. */
static int status_of_loss(const struct waiting *waiting, const char *supervisor, const char *why)
{
    if (!rundir_is_alive(&waiting->cli->client.dir) && waiting->wanted == FOR_READY)
        return cli_fail(STATUS_NO_NODE, "the node has ended");
    if (place_is_elsewhere(supervisor) && client_is_cut_off(why))
        return cli_cut_off(supervisor);
    if (place_is_elsewhere(supervisor) && strcmp(why, CONTROL_E_DENIED) == 0)
        return cli_fail(STATUS_DENIED, "%s: %s", supervisor, why);
    return 0;
}

static void on_lost(void *data, const char *supervisor, const char *why)
{
    struct waiting *waiting = data;
    int status = status_of_loss(waiting, supervisor, why);

    if (status)
        finish(waiting, status);
    if (status || !is_gone(&waiting->cli->client, supervisor, why))
        return;
    for (size_t i = 0; i < waiting->count; i++) {
        struct waiter *waiter = &waiting->waiters[i];

        if (strcmp(waiter->target->parent, supervisor) != 0)
            continue;
        waiter->knowledge = GONE;
        look(waiting, waiter);
    }
}

static void on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct waiting *waiting = container_of(timer, struct waiting, timeout);

    (void)loop;
    (void)events;
    for (size_t i = 0; i < waiting->count; i++) {
        const struct waiter *waiter = &waiting->waiters[i];

        if (!waiter->is_done)
            cli_fail(STATUS_TIMEOUT, "%s: the time is up; it is %s", waiter->target->path,
                     waiter->knowledge == PRESENT ? row_state_text(waiter->state) : "not there");
    }
    finish(waiting, STATUS_TIMEOUT);
}

/* ---- the verb --------------------------------------------------------------------------- */

static int read_wanted(const char *list, unsigned *wanted)
{
    static const char *const words[] = {"ready", "down", "gone"};
    size_t length, i;

    *wanted = list ? 0 : FOR_READY;
    for (; list && *list; list += length + (list[length] == ',')) {
        length = strcspn(list, ",");
        for (i = 0; i < 3; i++)
            if (strlen(words[i]) == length && strncmp(list, words[i], length) == 0)
                break;
        if (i == 3)
            return -1;
        *wanted |= 1u << i;
    }
    return *wanted ? 0 : -1;
}

/* One subscription a supervisor, however many of its children are waited for. */
static void subscribe(struct waiting *waiting, const struct targets *targets)
{
    static const struct watch_handlers handlers = {on_row, on_event, on_snapshot, on_lost};
    size_t k;

    for (size_t i = 0; i < targets->count; i++) {
        for (k = 0; k < i && strcmp(targets->at[k].parent, targets->at[i].parent) != 0; k++)
            ;
        if (k == i)
            waiting->watches[waiting->watch_count++] = watch_create(
                &waiting->cli->client, targets->at[i].parent, false, &handlers, waiting);
    }
}

static void wait_for(struct waiting *waiting, const struct targets *targets, int64_t timeout_ms)
{
    struct ev_loop *loop = waiting->cli->client.loop;

    waiting->count = targets->count;
    waiting->waiters = cli_alloc(targets->count * sizeof *waiting->waiters);
    waiting->watches = cli_alloc(targets->count * sizeof *waiting->watches);
    for (size_t i = 0; i < targets->count; i++)
        waiting->waiters[i].target = &targets->at[i];
    subscribe(waiting, targets);
    ev_timer_init(&waiting->timeout, on_timeout, (double)timeout_ms / 1000, 0);
    if (timeout_ms >= 0)
        ev_timer_start(loop, &waiting->timeout);
    ev_run(loop, 0);
    ev_timer_stop(loop, &waiting->timeout);
    for (size_t i = 0; i < waiting->watch_count; i++)
        watch_destroy(waiting->watches[i]);
    free(waiting->watches);
    free(waiting->waiters);
}

static int run(struct cli *cli)
{
    struct waiting waiting = {.cli = cli};
    struct targets targets = {0};
    const char *timeout = cli_option(cli, "timeout");
    int64_t timeout_ms = -1;
    struct error err;
    int status;

    if (read_wanted(cli_option(cli, "for"), &waiting.wanted) != 0)
        return cli_fail(STATUS_USAGE, "--for %s: expected ready, down, gone, or a list of them",
                        cli_option(cli, "for"));
    if (timeout && text_duration(timeout, &timeout_ms) != 0)
        return cli_fail(STATUS_USAGE, "--timeout %s: expected a duration such as 500ms, 10s, 2m",
                        timeout);
    status = cli_find_node(cli, &err);
    if (status == STATUS_NO_NODE && waiting.wanted != FOR_READY)
        return STATUS_DONE; /* what has no node is gone */
    if (status)
        return cli_fail(status, "%s", err.text);
    status = cli_check_rights(cli);
    if (!status)
        status = targets_expand(cli, 0, &targets);
    if (!status)
        wait_for(&waiting, &targets, timeout_ms);
    targets_finish(&targets);
    return status ? status : waiting.status;
}

const struct verb verb_wait = {
    .name = "wait",
    .synopsis = "ADDRESS...",
    .line = "wait until actors are ready, down or gone",
    .text =
        "Nothing is missed: it subscribes first and looks then. An actor or a supervisor that is "
        "not "
        "there yet is waited for.\n"
        "ready is the state of that name; down is stopped, exited or failed, or not there; gone is "
        "not "
        "there. Of several words any one will do. Waiting for ready ends with 1 when the actor has "
        "failed or exited, because it will not come back by itself; with 6 when the time is up.",
    .examples = "troupe wait shop/db --timeout 10s\tuntil it is ready\n"
                "troupe wait shop/job --for down\tuntil it has ended",
    .options = {{0, "for", "WORDS",
                 "what to wait for: ready (default), down, gone; a list with commas"},
                {0, "timeout", "T", "at most so long, such as 10s"}},
    .min_args = 1,
    .max_args = -1,
    .flags = PICKS_NODE,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
