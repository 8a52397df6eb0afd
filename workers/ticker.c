/* Publishes `tick COUNT` every `every` milliseconds, and prints it: timers of an actor's own, and
 * something to subscribe to. */
#include <troupe.h>

#include <ev.h>
#include <inttypes.h>
#include <stdio.h>

struct ticker {
    ev_timer timer;
    uint64_t count;
};

static void on_tick(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct troupe *self = timer->data;
    struct ticker *ticker = troupe_state(self);

    (void)loop;
    (void)revents;
    ticker->count++;
    printf("tick %" PRIu64 "\n", ticker->count);
    fflush(stdout);
    troupe_publish(self, "tick", ticker->count);
    troupe_status(self, "%" PRIu64 " ticks", ticker->count);
}

static int init(struct troupe *self)
{
    struct ticker *ticker = troupe_state(self);
    int64_t every_ms = troupe_arg_int(self, "every", 1000);

    if (every_ms < 1)
        return troupe_error(self, "args: every: expected at least 1 (milliseconds)");
    ev_timer_init(&ticker->timer, on_tick, (double)every_ms / 1000, (double)every_ms / 1000);
    ticker->timer.data = self;
    ev_timer_start(troupe_loop(self), &ticker->timer);
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
