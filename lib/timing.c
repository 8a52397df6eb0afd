#include "timing.h"

#include "cast.h"
#include "runtime.h"
#include "undelivered.h"
#include "values.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uthash.h>

/* A cast that is to be sent later. */
struct later {
    char *to, *name;
    struct payload payload;
};

struct timer {
    UT_hash_handle hh;
    uint64_t number;
    struct troupe *self;
    ev_timer watcher;
    struct agenda_item owed;
    int64_t period_us;  /* 0: once */
    struct mono start;  /* of the first period */
    uint64_t told;      /* periods */
    troupe_on_time *fn;
    void *data;
    struct later later;                /* to: NULL: none */
    char exit_reason[REASON_MAX];      /* "": none */
    timer_t killer;                    /* the kernel's: it rings in a hung handler, too */
    bool kills;
};

static void later_finish(struct later *later)
{
    free(later->to);
    free(later->name);
    wire_image_finish(&later->payload.image);
}

static void forget(struct timer *timer)
{
    struct troupe *self = timer->self;

    ev_timer_stop(self->loop, &timer->watcher);
    agenda_withdraw(self, &timer->owed);
    HASH_DEL(self->timing.all, timer);
    if (timer->kills)
        timer_delete(timer->killer);
    later_finish(&timer->later);
    free(timer);
}

uint64_t timing_periods(int64_t start_us, int64_t now_us, int64_t period_us)
{
    return now_us <= start_us ? 0 : (uint64_t)((now_us - start_us) / period_us);
}

/* ---- what is due --------------------------------------------------------------------------- */

static void arm(struct timer *timer, struct mono when)
{
    int64_t left_us = when.us - mono_now().us;

    ev_now_update(timer->self->loop);
    ev_timer_set(&timer->watcher, left_us > 0 ? (double)left_us / 1e6 : 0., 0.);
    ev_timer_start(timer->self->loop, &timer->watcher);
}

/* The next period is counted from the first, so that no lateness adds up. */
static void tick(struct timer *timer)
{
    uint64_t passed = timing_periods(timer->start.us, mono_now().us, timer->period_us);
    uint64_t count = passed - timer->told;

    timer->told = passed;
    arm(timer, (struct mono){timer->start.us + (int64_t)(passed + 1) * timer->period_us});
    if (count > 0)
        timer->fn(timer->self, count, timer->data); /* it may cancel the timer */
}

static void send_later(struct troupe *self, struct later *later)
{
    if (cast_payload(self, later->to, later->name, &later->payload) < 0)
        undelivered_cast(self, later->to, later->name, cast_failure(errno));
}

static void once(struct timer *timer)
{
    struct troupe *self = timer->self;
    troupe_on_time *fn = timer->fn;
    void *data = timer->data;
    struct later later = timer->later;
    char reason[REASON_MAX];

    snprintf(reason, sizeof reason, "%s", timer->exit_reason);
    timer->later = (struct later){0};
    forget(timer);
    if (fn)
        fn(self, 1, data);
    else if (later.to)
        send_later(self, &later);
    else
        troupe_exit(self, NULL, "%s", reason);
    later_finish(&later);
}

static void on_owed(struct troupe *self, struct agenda_item *item)
{
    struct timer *timer = container_of(item, struct timer, owed);

    (void)self;
    if (timer->period_us)
        tick(timer);
    else
        once(timer);
}

static void on_watcher(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct timer *timer = container_of(watcher, struct timer, watcher);

    (void)loop;
    (void)revents;
    /* libev's clock may be a moment ahead of ours. */
    if (!timer->period_us && mono_now().us < timer->start.us)
        arm(timer, timer->start);
    else
        agenda_post(timer->self, &timer->owed);
}

/* ---- the interface ------------------------------------------------------------------------- */

/* Due after ms, and then every period_ms when that is not 0. */
static struct timer *create(struct troupe *self, int64_t ms, int64_t period_ms)
{
    struct timer *timer = calloc(1, sizeof *timer);

    if (!timer)
        return NULL;
    timer->number = ++self->timing.last;
    timer->self = self;
    timer->owed.run = on_owed;
    timer->period_us = period_ms * 1000;
    timer->start = period_ms ? mono_now() : mono_add_ms(mono_now(), ms);
    HASH_ADD(hh, self->timing.all, number, sizeof timer->number, timer);
    ev_init(&timer->watcher, on_watcher);
    arm(timer, mono_add_ms(mono_now(), ms));
    return timer;
}

static uint64_t call_back(struct timer *timer, troupe_on_time *fn, void *data)
{
    if (!timer)
        return 0;
    timer->fn = fn;
    timer->data = data;
    return timer->number;
}

uint64_t troupe_after(struct troupe *self, int64_t ms, troupe_on_time *fn, void *data)
{
    return call_back(create(self, ms, 0), fn, data);
}

uint64_t troupe_every(struct troupe *self, int64_t ms, troupe_on_time *fn, void *data)
{
    if (ms < 1) {
        errno = EINVAL;
        return 0;
    }
    return call_back(create(self, ms, ms), fn, data);
}

uint64_t troupe_cast_after_values(struct troupe *self, int64_t ms, const char *to, const char *name,
                                  const struct troupe_value *values)
{
    struct timer *timer = create(self, ms, 0);

    if (!timer)
        return 0;
    timer->later.to = strdup(to);
    timer->later.name = strdup(name);
    if (timer->later.to && timer->later.name &&
        values_pack_copy(values, &timer->later.payload) == 0)
        return timer->number;
    forget(timer);
    return 0;
}

uint64_t troupe_exit_after(struct troupe *self, int64_t ms, const char *reason)
{
    struct timer *timer = create(self, ms, 0);

    if (!timer)
        return 0;
    reason_copy(reason, "normal", timer->exit_reason);
    return timer->number;
}

uint64_t troupe_kill_after(struct troupe *self, int64_t ms)
{
    struct sigevent kill = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 + 1}};
    struct timer *timer = create(self, ms, 0);

    if (!timer)
        return 0;
    ev_timer_stop(self->loop, &timer->watcher);
    timer->kills = timer_create(CLOCK_MONOTONIC, &kill, &timer->killer) == 0;
    if (timer->kills && timer_settime(timer->killer, 0, &when, NULL) == 0)
        return timer->number;
    forget(timer);
    return 0;
}

void troupe_cancel(struct troupe *self, uint64_t number)
{
    struct timer *timer;

    HASH_FIND(hh, self->timing.all, &number, sizeof number, timer);
    if (timer)
        forget(timer);
}

void timing_finish(struct troupe *self)
{
    struct timer *timer, *next;

    HASH_ITER(hh, self->timing.all, timer, next)
    forget(timer);
}
