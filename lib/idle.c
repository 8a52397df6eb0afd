#include "idle.h"

#include "runtime.h"

enum {
    BUSY_AGAIN_MS = 100,
    FIRST_MS = 1000 /* who has started it is told so, and sends: that is waited for */
};

static void look_in(struct troupe *self, int64_t us)
{
    ev_now_update(self->loop);
    ev_timer_set(&self->idle.timer, (double)us / 1e6, 0.);
    ev_timer_start(self->loop, &self->idle.timer);
}

static bool is_at_rest(const struct troupe *self)
{
    return self->mailbox.live == 0 && self->busy == 0 && self->waiting == 0 && !self->paused &&
           TAILQ_EMPTY(&self->agenda) && self->calls.count == 0 && !self->works.all;
}

static int64_t last_activity_us(const struct troupe *self)
{
    return (int64_t)atomic_load_explicit(&self->stats->last_activity_us, memory_order_relaxed);
}

static bool awaits_its_first(const struct troupe *self)
{
    return last_activity_us(self) < self->idle.since_us &&
           mono_now().us < self->idle.since_us + (int64_t)FIRST_MS * 1000;
}

/* Microseconds that are left of the time without a message. */
static int64_t left_us(const struct troupe *self)
{
    int64_t last_us = last_activity_us(self);

    if (last_us < self->idle.since_us)
        last_us = self->idle.since_us;
    return last_us + self->boot->idle_ms * 1000 - mono_now().us;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct troupe *self = container_of(timer, struct troupe, idle.timer);
    int64_t left = left_us(self);

    (void)loop;
    (void)revents;
    if (self->ending || self->draining)
        return;
    if (left > 0)
        look_in(self, left);
    else if (!is_at_rest(self) || awaits_its_first(self))
        look_in(self, (int64_t)BUSY_AGAIN_MS * 1000);
    else
        mailbox_retire(self);
}

void idle_begin(struct troupe *self)
{
    if (self->boot->idle_ms <= 0)
        return;
    self->idle.since_us = mono_lately().us;
    ev_timer_init(&self->idle.timer, on_look, 0., 0.);
    look_in(self, self->boot->idle_ms * 1000);
}

void idle_finish(struct troupe *self)
{
    if (self->boot->idle_ms > 0)
        ev_timer_stop(self->loop, &self->idle.timer);
}
