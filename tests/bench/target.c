/* What the talking benches talk to: echoes bytes, and counts what is cast, in all and by sender.
 * args: cpu (pinned to it). */
#include "measure.h"

#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { SENDERS_MAX = 64, MARKS = 2 };

/* How many had come from each sender at some time. */
struct mark {
    int64_t ns;
    uint64_t from[SENDERS_MAX];
};

struct target {
    uint64_t casts, from[SENDERS_MAX];
    struct mark marks[MARKS];
    unsigned marked;
};

static int init(struct troupe *self)
{
    if (measure_pin(troupe_arg_int(self, "cpu", -1)) < 0)
        return troupe_error(self, "no such processor");
    return TROUPE_READY;
}

static void on_echo(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_bytes(message, 0));
}

/* The first byte is the sender's number. */
static void on_put(struct troupe *self, struct troupe_message *message)
{
    struct target *target = troupe_state(self);
    struct troupe_bytes bytes = troupe_bytes(message, 0);

    target->casts++;
    if (bytes.size)
        target->from[*(const uint8_t *)bytes.at % SENDERS_MAX]++;
}

static void on_count(struct troupe *self, struct troupe_message *message)
{
    struct target *target = troupe_state(self);

    troupe_reply(message, target->casts);
}

static void mark(struct troupe *self, uint64_t count, void *data)
{
    struct target *target = troupe_state(self);
    struct mark *mark = &target->marks[target->marked++ % MARKS];

    (void)count;
    (void)data;
    mark->ns = measure_now();
    memcpy(mark->from, target->from, sizeof mark->from);
}

/* Its own timers: a message that says so would wait among those that are counted. */
static void on_observe(struct troupe *self, struct troupe_message *message)
{
    troupe_after(self, troupe_int(message, 0), mark, NULL);
    troupe_after(self, troupe_int(message, 1), mark, NULL);
    troupe_reply(message);
}

/* rates N: of senders 0 … N-1 between the two marks. Replies "TOTAL SLOWEST FASTEST", messages
 * per second. */
static void on_rates(struct troupe *self, struct troupe_message *message)
{
    struct target *target = troupe_state(self);
    const struct mark *from = &target->marks[target->marked % MARKS];
    const struct mark *to = &target->marks[(target->marked + 1) % MARKS];
    int64_t n = troupe_int(message, 0);
    double seconds = (double)(to->ns - from->ns) / 1e9, total = 0, slowest = 1e18, fastest = 0;
    char text[100];

    for (int64_t i = 0; i < n && i < SENDERS_MAX; i++) {
        double rate = (double)(to->from[i] - from->from[i]) / seconds;

        total += rate;
        slowest = rate < slowest ? rate : slowest;
        fastest = rate > fastest ? rate : fastest;
    }
    snprintf(text, sizeof text, "%.0f %.0f %.0f", total, slowest, fastest);
    troupe_reply(message, text);
}

static const struct troupe_handler messages[] = {
    {"put", "B", "", on_put, "counts"},
    {"echo", "B", "B", on_echo, "gives the bytes back"},
    {"count", "", "U", on_count, "tells how many were put"},
    {"observe", "II", "", on_observe,
     "remembers what each sender has put, after so many ms and so many"},
    {"rates", "I", "s", on_rates, "tells the rates of N senders between the two marks"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct target), .init = init, .messages = messages);
