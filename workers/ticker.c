/* Publishes `tick COUNT` every `every` milliseconds, and prints it: an interval, something to
 * subscribe to, and a value that is shared with those who come later. */
#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>

struct ticker {
    uint64_t count;
};

/* Periods that were missed come as one call: they are ticks all the same. */
static void on_tick(struct troupe *self, uint64_t periods, void *data)
{
    struct ticker *ticker = data;

    ticker->count += periods;
    printf("tick %" PRIu64 "\n", ticker->count);
    fflush(stdout);
    troupe_share(self, "tick", ticker->count);
    troupe_status(self, "%" PRIu64 " ticks", ticker->count);
}

static int init(struct troupe *self)
{
    int64_t every_ms = troupe_arg_int(self, "every", 1000);

    if (every_ms < 1)
        return troupe_error(self, "args: every: expected at least 1 (milliseconds)");
    if (!troupe_every(self, every_ms, on_tick, troupe_state(self)))
        return troupe_error(self, "no memory for an interval");
    troupe_ready_text(self, "every %" PRId64 " ms", every_ms);
    return TROUPE_READY;
}

static void on_count(struct troupe *self, struct troupe_message *message)
{
    struct ticker *ticker = troupe_state(self);

    troupe_reply(message, ticker->count);
}

static const struct troupe_handler messages[] = {
    {"count", "", "U", on_count, "tells how often it has ticked"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct ticker), .init = init, .messages = messages);
