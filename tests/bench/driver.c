/* Talks to another actor through the public API as fast as it can, and tells how long that took.
 * Each message is one measurement; the reply is a text of numbers. args: cpu (pinned to it). */
#include "measure.h"

#include <troupe.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SMALL = 64, LIMIT_MS = 60000 };

static int init(struct troupe *self)
{
    if (measure_pin(troupe_arg_int(self, "cpu", -1)) < 0)
        return troupe_error(self, "no such processor");
    return TROUPE_READY;
}

/* A measurement under way. It ends with one answer to its message. */
struct run {
    struct troupe_message *message;
    char *to;
    char *bytes;
    size_t size;
    int64_t begin;
    int64_t until; /* when to stop, or INT64_MAX */
    int64_t to_send, to_hear;
    int64_t failed;
    uint64_t count;
    char why[100]; /* the last failure */
};

static void run_destroy(struct run *run)
{
    if (!run)
        return;
    free(run->to);
    free(run->bytes);
    free(run);
}

/* Keeps the message; NULL when memory is short: then it is answered. */
static struct run *run_create(struct troupe_message *message, size_t size)
{
    struct run *run = calloc(1, sizeof *run);

    if (run) {
        run->to = strdup(troupe_text(message, 0));
        run->bytes = calloc(1, size + 1);
    }
    if (!run || !run->to || !run->bytes) {
        troupe_fail(message, "out of memory");
        run_destroy(run);
        return NULL;
    }
    run->size = size;
    run->until = INT64_MAX;
    run->message = troupe_keep(message);
    run->begin = measure_now();
    return run;
}

static void run_reply(struct run *run, uint64_t number)
{
    char text[64];

    snprintf(text, sizeof text, "%" PRId64 " %" PRIu64, measure_now() - run->begin, number);
    troupe_reply(run->message, text);
    run_destroy(run);
}

static void run_fail(struct run *run, const char *why)
{
    troupe_fail(run->message, "%s", why);
    run_destroy(run);
}

/* ---- one call after another --------------------------------------------------------------------
 */

/* Returns NULL; or the failure, to be freed. */
static struct troupe_message *time_calls(struct troupe *self, const char *to, int64_t *took,
                                         int64_t n)
{
    char bytes[SMALL] = {0};

    for (int64_t i = 0; i < n; i++) {
        int64_t begin = measure_now();
        struct troupe_message *answer =
            troupe_call(self, to, 0, "echo", troupe_bytes_of(bytes, sizeof bytes));

        took[i] = measure_now() - begin;
        if (troupe_failure(answer))
            return answer;
        troupe_free(answer);
    }
    return NULL;
}

/* roundtrip TO N: replies "P50 P99", nanoseconds. */
static void on_roundtrip(struct troupe *self, struct troupe_message *message)
{
    int64_t n = troupe_int(message, 1), *took = calloc((size_t)n + 1, sizeof *took);
    struct troupe_message *failed;
    char text[64];

    if (!took || n < 1) {
        troupe_fail(message, "not so many");
        free(took);
        return;
    }
    failed = time_calls(self, troupe_text(message, 0), took, n);
    measure_sort(took, n);
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, measure_quantile(took, n, 50),
             measure_quantile(took, n, 99));
    free(took);
    if (failed)
        troupe_fail(message, "%s", troupe_failure(failed));
    else
        troupe_reply(message, text);
    troupe_free(failed);
}

/* ---- one way -----------------------------------------------------------------------------------
 */

/* Casts in batches, each followed by a question for the count: some batches are ahead of what has
 * been answered, so that the receiver never waits, and no outbox fills. */
enum { BATCH_MESSAGES = 4096, BATCH_BYTES = 512 * 1024, BATCHES_AHEAD = 4 };
/* To another node fewer: what waits there for one actor is bounded to 1 MB (CLUSTER 1). */
enum { BATCH_MESSAGES_AWAY = 1024 };

static void pour(struct troupe *self, struct run *run);

static int64_t batch_of(const struct run *run)
{
    int64_t most = strchr(run->to, '@') ? BATCH_MESSAGES_AWAY : BATCH_MESSAGES;
    int64_t n = BATCH_BYTES / (int64_t)(run->size + 1);

    n = n < 1 ? 1 : n > most ? most : n;
    return n < run->to_send ? n : run->to_send;
}

static void on_counted(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct run *run = data;

    run->to_hear--;
    if (troupe_failure(answer)) {
        run->to_send = 0;
        snprintf(run->why, sizeof run->why, "%s", troupe_failure(answer));
    } else {
        run->count = troupe_uint(answer, 0);
    }
    pour(self, run);
}

/* One batch and its question. Returns -1 with the reason in run->why. */
static int pour_batch(struct troupe *self, struct run *run)
{
    struct troupe_bytes bytes = troupe_bytes_of(run->bytes, run->size);
    int failure = 0;

    for (int64_t n = batch_of(run); n > 0 && failure == 0; n--, run->to_send--)
        failure = troupe_cast(self, run->to, "put", bytes);
    if (failure == 0)
        failure = troupe_ask(self, run->to, LIMIT_MS, on_counted, run, "count");
    if (failure < 0)
        snprintf(run->why, sizeof run->why, "%s", strerror(errno));
    else
        run->to_hear++;
    return failure;
}

static void pour(struct troupe *self, struct run *run)
{
    while (run->to_send > 0 && run->to_hear < BATCHES_AHEAD)
        if (measure_now() >= run->until || pour_batch(self, run) < 0)
            run->to_send = 0;
    if (run->to_hear > 0)
        return;
    if (*run->why)
        run_fail(run, run->why);
    else
        run_reply(run, run->count);
}

/* flood TO N SIZE: casts of SIZE bytes, until all were handled. Replies "NS COUNT". */
static void on_flood(struct troupe *self, struct troupe_message *message)
{
    struct run *run = run_create(message, (size_t)troupe_int(message, 2));

    if (!run)
        return;
    run->to_send = troupe_int(message, 1);
    pour(self, run);
}

/* pour TO NUMBER MS: for so long, as sender of this number. Replies "NS COUNT". */
static void on_pour(struct troupe *self, struct troupe_message *message)
{
    struct run *run = run_create(message, SMALL);

    if (!run)
        return;
    run->bytes[0] = (char)troupe_int(message, 1);
    run->to_send = INT64_MAX;
    run->until = run->begin + troupe_int(message, 2) * 1000000;
    pour(self, run);
}

/* ---- many senders at once
 * ------------------------------------------------------------------------ */

static void on_rates(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct run *run = data;

    (void)self;
    if (troupe_failure(answer)) {
        run_fail(run, troupe_failure(answer));
        return;
    }
    troupe_reply(run->message, troupe_text(answer, 0));
    run_destroy(run);
}

static void on_poured(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct run *run = data;

    if (troupe_failure(answer)) {
        run->failed++;
        snprintf(run->why, sizeof run->why, "%s", troupe_failure(answer));
    }
    if (--run->to_hear > 0)
        return;
    if (run->failed)
        run_fail(run, *run->why ? run->why : "not all were asked");
    else if (troupe_ask(self, run->to, LIMIT_MS, on_rates, run, "rates", run->to_send) < 0)
        run_fail(run, "cannot ask for the rates");
}

static void start_crowd(struct troupe *self, struct troupe_message *observed, void *data)
{
    struct run *run = data;
    int64_t n = troupe_int(run->message, 2), ms = troupe_int(run->message, 3);
    char sender[600];

    if (troupe_failure(observed)) {
        run_fail(run, troupe_failure(observed));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        snprintf(sender, sizeof sender, "%s.%" PRId64, troupe_text(run->message, 1), i + 1);
        run->to_hear +=
            troupe_ask(self, sender, LIMIT_MS, on_poured, run, "pour", run->to, i, ms) == 0;
    }
    run->to_send = n;
    run->failed = n - run->to_hear;
    if (run->to_hear == 0)
        run_fail(run, "nobody to ask");
}

/* crowd TO SENDERS N MS: has SENDERS.1 … SENDERS.N pour for MS, and the receiver count while all of
 * them do, from a third of the time to the end of the second. Replies "TOTAL SLOWEST FASTEST",
 * messages per second as the receiver saw them. */
static void on_crowd(struct troupe *self, struct troupe_message *message)
{
    int64_t ms = troupe_int(message, 3);
    struct run *run = run_create(message, 0);

    if (run &&
        troupe_ask(self, run->to, LIMIT_MS, start_crowd, run, "observe", ms / 3, ms * 2 / 3) < 0)
        run_fail(run, strerror(errno));
}

/* ---- many calls at once
 * -------------------------------------------------------------------------- */

static void ask(struct troupe *self, struct run *run);

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct run *run = data;

    run->failed += troupe_failure(answer) != NULL;
    run->to_hear--;
    if (run->to_send > 0)
        ask(self, run);
    if (run->to_hear == 0)
        run_reply(run, (uint64_t)run->failed);
}

/* One that cannot be asked is one that has failed. */
static void ask(struct troupe *self, struct run *run)
{
    run->to_send--;
    if (troupe_ask(self, run->to, LIMIT_MS, on_answer, run, "echo",
                   troupe_bytes_of(run->bytes, run->size)) == 0)
        return;
    run->failed++;
    run->to_hear--;
}

/* window TO N OUT: N calls, OUT of them outstanding. Replies "NS FAILED". */
static void on_window(struct troupe *self, struct troupe_message *message)
{
    int64_t out = troupe_int(message, 2);
    struct run *run = run_create(message, SMALL);

    if (!run)
        return;
    run->to_send = run->to_hear = troupe_int(message, 1);
    for (int64_t i = 0; i < out && run->to_send > 0; i++)
        ask(self, run);
    if (run->to_hear == 0)
        run_reply(run, (uint64_t)run->failed);
}

static const struct troupe_handler messages[] = {
    {"roundtrip", "sI", "s", on_roundtrip, "calls TO, N times"},
    {"flood", "sII", "s", on_flood, "casts N times SIZE bytes to TO"},
    {"pour", "sII", "s", on_pour, "casts to TO as sender NUMBER for MS"},
    {"crowd", "ssII", "s", on_crowd, "has SENDERS.1 to SENDERS.N pour to TO for MS"},
    {"window", "sII", "s", on_window, "calls TO N times, OUT at a time"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
