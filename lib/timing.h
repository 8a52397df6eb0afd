/*
 * Time as the author's functions see it: once, every so often, later casts, later ends. What is due is
 * owed (agenda.h), so it runs between messages. Private to the runtime.
 */
#ifndef TROUPE_TIMING_H
#define TROUPE_TIMING_H

#include <stdint.h>

struct troupe;
struct timer;

struct timing {
    struct timer *all; /* by number */
    uint64_t last;
};

void timing_finish(struct troupe *self);

/* How many whole periods lie between start and now, both on one clock; pure. */
uint64_t timing_periods(int64_t start_us, int64_t now_us, int64_t period_us);

#endif
