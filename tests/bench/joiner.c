/* Joins groups as fast as it can, and hears who joins, through the public API. Times are
 * CLOCK_MONOTONIC, in nanoseconds: of one meaning in all nodes of one machine. */
#include "measure.h"

#include <troupe.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { LIMIT_MS = 60000 };

struct joiner {
    int64_t joins, awaited; /* since the mark */
    int64_t done_ns;        /* when the last of those was heard of; 0: it was not */
    struct troupe_message *waiting;

    struct troupe_message *crowd;
    int64_t begin, left;
};

static int init(struct troupe *self)
{
    if (measure_pin(troupe_arg_int(self, "cpu", -1)) < 0)
        return troupe_error(self, "no such processor");
    return TROUPE_READY;
}

static void reply_number(struct troupe_message *message, int64_t number)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, number);
    troupe_reply(message, text);
}

/* ---- hearing --------------------------------------------------------------------------------- */

static void on_change(struct troupe *self, enum troupe_group_event event, const char *group,
                      const char *member, void *data)
{
    struct joiner *joiner = troupe_state(self);

    (void)group;
    (void)member;
    (void)data;
    if (event != TROUPE_GROUP_JOINED || ++joiner->joins != joiner->awaited)
        return;
    joiner->done_ns = measure_now();
    if (joiner->waiting)
        reply_number(joiner->waiting, joiner->done_ns);
    joiner->waiting = NULL;
}

/* watch GROUP, or SCOPE: for all of its groups. */
static void on_watch(struct troupe *self, struct troupe_message *message)
{
    if (troupe_watch_group(self, troupe_text(message, 0), on_change, NULL))
        troupe_reply(message, "watched");
    else
        troupe_fail(message, "%s", strerror(errno));
}

/* mark N: counts from now on, up to N. */
static void on_mark(struct troupe *self, struct troupe_message *message)
{
    struct joiner *joiner = troupe_state(self);

    joiner->joins = joiner->done_ns = 0;
    joiner->awaited = troupe_int(message, 0);
    troupe_reply(message);
}

/* When the last of those that were marked was heard of: waits for it. */
static void on_done(struct troupe *self, struct troupe_message *message)
{
    struct joiner *joiner = troupe_state(self);

    if (joiner->done_ns)
        reply_number(message, joiner->done_ns);
    else if (joiner->waiting)
        troupe_fail(message, "somebody waits already");
    else
        joiner->waiting = troupe_keep(message);
}

static void on_now(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    reply_number(message, measure_now());
}

/* ---- joining --------------------------------------------------------------------------------- */

/* join GROUP N: N times, one after the other. */
static void on_join(struct troupe *self, struct troupe_message *message)
{
    const char *failure = NULL;

    for (int64_t n = troupe_int(message, 1); n > 0 && !failure; n--)
        failure = troupe_join(self, troupe_text(message, 0), 1);
    if (failure)
        troupe_fail(message, "%s", failure);
    else
        troupe_reply(message, "joined");
}

/* fill PREFIX FROM N: the groups PREFIX-FROM and so on, N of them, once each. */
static void on_fill(struct troupe *self, struct troupe_message *message)
{
    int64_t from = troupe_int(message, 1), n = troupe_int(message, 2);
    const char *failure = NULL;

    for (int64_t i = from; i < from + n && !failure; i++) {
        char group[128];

        snprintf(group, sizeof group, "%s-%" PRId64, troupe_text(message, 0), i);
        failure = troupe_join(self, group, 1);
    }
    if (failure)
        troupe_fail(message, "%s", failure);
    else
        troupe_reply(message, "joined");
}

/* ---- seen from another node ------------------------------------------------------------------ */

/* When the watcher had heard of the join that is made here; the time it took, or -1. */
static int64_t join_and_see(struct troupe *self, const char *watcher, const char *group)
{
    struct troupe_message *seen;
    int64_t begin, took = -1;

    seen = troupe_call(self, watcher, LIMIT_MS, "mark", 1);
    troupe_free(seen);
    begin = measure_now();
    if (troupe_join(self, group, 1))
        return -1;
    seen = troupe_call(self, watcher, LIMIT_MS, "done");
    if (!troupe_failure(seen))
        took = strtoll(troupe_text(seen, 0), NULL, 10) - begin;
    troupe_free(seen);
    return troupe_leave(self, group, 1) ? -1 : took;
}

/* visible GROUP WATCHER N: N joins, each after the other was seen; replies "P50 P99". */
static void on_visible(struct troupe *self, struct troupe_message *message)
{
    int64_t n = troupe_int(message, 2), *took = calloc((size_t)n + 1, sizeof *took), worst = 0;
    char text[64];

    if (!took || n < 1) {
        troupe_fail(message, "not so many");
        free(took);
        return;
    }
    for (int64_t i = 0; i < n && worst >= 0; i++)
        worst = took[i] = join_and_see(self, troupe_text(message, 1), troupe_text(message, 0));
    measure_sort(took, n);
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, measure_quantile(took, n, 50),
             measure_quantile(took, n, 99));
    if (worst < 0)
        troupe_fail(message, "a join was not seen");
    else
        troupe_reply(message, text);
    free(took);
}

/* ---- many at once ---------------------------------------------------------------------------- */

static void on_joined(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct joiner *joiner = troupe_state(self);
    const char *failure = troupe_failure(answer);

    (void)data;
    if (failure && joiner->crowd) {
        troupe_fail(joiner->crowd, "%s", failure);
        joiner->crowd = NULL;
    }
    if (--joiner->left > 0 || !joiner->crowd)
        return;
    reply_number(joiner->crowd, measure_now() - joiner->begin);
    joiner->crowd = NULL;
}

/* crowd PREFIX ACTORS GROUP N: PREFIX.1 … PREFIX.ACTORS join N times each, all at once; replies the
 * nanoseconds until all have. */
static void on_crowd(struct troupe *self, struct troupe_message *message)
{
    struct joiner *joiner = troupe_state(self);
    int64_t actors = troupe_int(message, 1);
    char actor[600];

    joiner->crowd = troupe_keep(message);
    joiner->left = actors;
    joiner->begin = measure_now();
    for (int64_t i = 1; i <= actors; i++) {
        snprintf(actor, sizeof actor, "%s.%" PRId64, troupe_text(message, 0), i);
        if (troupe_ask(self, actor, LIMIT_MS, on_joined, NULL, "join", troupe_text(message, 2),
                       troupe_int(message, 3)) < 0) {
            troupe_fail(joiner->crowd, "%s", strerror(errno));
            joiner->crowd = NULL;
            return;
        }
    }
}

static const struct troupe_handler messages[] = {
    {"watch", "s", "s", on_watch, "hears who joins GROUP"},
    {"mark", "I", "", on_mark, "counts N joins from now on"},
    {"done", "", "s", on_done, "tells when the last of these was heard of"},
    {"now", "", "s", on_now, "the time"},
    {"join", "sI", "s", on_join, "joins GROUP so many times"},
    {"fill", "sII", "s", on_fill, "joins PREFIX-FROM and the next, N of them"},
    {"visible", "ssI", "s", on_visible, "joins GROUP until WATCHER hears of it, N times"},
    {"crowd", "sIsI", "s", on_crowd, "has PREFIX.1 to PREFIX.ACTORS join GROUP N times each"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct joiner), .init = init, .messages = messages);
