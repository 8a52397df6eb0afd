/* Talks to another actor through the public API as fast as it can, and tells how long that took. Each
 * message is one measurement; the reply is a text of numbers in nanoseconds. args: cpu. */
#include <troupe.h>

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SMALL = 64, FLOOD_BATCH = 1000 };

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int init(struct troupe *self)
{
    int64_t cpu = troupe_arg_int(self, "cpu", -1);
    cpu_set_t set;

    CPU_ZERO(&set);
    if (cpu >= 0) {
        CPU_SET((size_t)cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    return TROUPE_READY;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* roundtrip TO N: one call after another. Replies "P50 P99". */
static void on_roundtrip(struct troupe *self, struct troupe_message *message)
{
    const char *to = troupe_text(message, 0);
    int64_t n = troupe_int(message, 1), *took = calloc((size_t)n, sizeof *took);
    char bytes[SMALL] = {0}, text[64];

    for (int64_t i = 0; took && i < n; i++) {
        int64_t begin = now_ns();
        struct troupe_message *answer =
            troupe_call(self, to, 5000, "echo", troupe_bytes_of(bytes, sizeof bytes));

        took[i] = now_ns() - begin;
        if (troupe_failure(answer)) {
            troupe_fail(message, "%s", troupe_failure(answer));
            troupe_free(answer);
            free(took);
            return;
        }
        troupe_free(answer);
    }
    qsort(took, (size_t)n, sizeof *took, by_size);
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, took[n / 2], took[n * 99 / 100]);
    free(took);
    troupe_reply(message, text);
}

/* A flood under way: casts as the outbox takes them, from a timer, so that the loop goes on. */
struct flood {
    struct troupe_message *message;
    char to[600];
    int64_t left, begin;
    size_t size;
    char *bytes;
};

static void on_counted(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct flood *flood = data;
    char text[64];

    (void)self;
    if (troupe_failure(answer))
        troupe_fail(flood->message, "%s", troupe_failure(answer));
    else {
        snprintf(text, sizeof text, "%" PRId64 " %" PRIu64, now_ns() - flood->begin,
                 troupe_uint(answer, 0));
        troupe_reply(flood->message, text);
    }
    free(flood->bytes);
    free(flood);
}

static void pour(struct troupe *self, uint64_t count, void *data)
{
    struct flood *flood = data;
    struct troupe_bytes bytes = troupe_bytes_of(flood->bytes, flood->size);

    (void)count;
    while (flood->left > 0 && troupe_cast(self, flood->to, "put", bytes) == 0)
        flood->left--;
    if (flood->left > 0)
        troupe_after(self, 0, pour, flood);
    else
        troupe_ask(self, flood->to, 60000, on_counted, flood, "count");
}

/* flood TO N SIZE: casts of SIZE bytes, until all were handled. Replies "NS COUNT". */
static void on_flood(struct troupe *self, struct troupe_message *message)
{
    struct flood *flood = calloc(1, sizeof *flood);

    snprintf(flood->to, sizeof flood->to, "%s", troupe_text(message, 0));
    flood->left = troupe_int(message, 1);
    flood->size = (size_t)troupe_int(message, 2);
    flood->bytes = calloc(1, flood->size + 1);
    flood->message = troupe_keep(message);
    flood->begin = now_ns();
    pour(self, 1, flood);
}

struct window {
    struct troupe_message *message;
    char to[600];
    int64_t to_send, to_hear, begin, failed;
};

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    static const char bytes[SMALL];
    struct window *window = data;
    char text[64];

    window->failed += troupe_failure(answer) != NULL;
    if (window->to_send > 0 && troupe_ask(self, window->to, 60000, on_answer, window, "echo",
                                          troupe_bytes_of(bytes, sizeof bytes)) == 0)
        window->to_send--;
    if (--window->to_hear > 0)
        return;
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, now_ns() - window->begin, window->failed);
    troupe_reply(window->message, text);
    free(window);
}

/* window TO N OUT: N calls, OUT of them outstanding. Replies "NS FAILED". */
static void on_window(struct troupe *self, struct troupe_message *message)
{
    static const char bytes[SMALL];
    struct window *window = calloc(1, sizeof *window);
    int64_t out = troupe_int(message, 2);

    snprintf(window->to, sizeof window->to, "%s", troupe_text(message, 0));
    window->to_send = window->to_hear = troupe_int(message, 1);
    window->message = troupe_keep(message);
    window->begin = now_ns();
    for (int64_t i = 0; i < out && window->to_send > 0; i++, window->to_send--)
        troupe_ask(self, window->to, 60000, on_answer, window, "echo",
                   troupe_bytes_of(bytes, sizeof bytes));
}

static const struct troupe_handler messages[] = {
    {"roundtrip", "sI", "s", on_roundtrip, "calls TO, N times"},
    {"flood", "sII", "s", on_flood, "casts N times SIZE bytes to TO"},
    {"window", "sII", "s", on_window, "calls TO N times, OUT at a time"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
