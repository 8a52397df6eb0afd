/*
 * The fence of a supervisor whose children may run only as long as a lease lasts (CLUSTER 4, L2): a timer of
 * the kernel that kills it at the lease's end, and its children with it, also when it is stopped, hangs, or
 * the machine has slept. It is not inherited by what is forked.
 */
#ifndef TROUPE_FENCE_H
#define TROUPE_FENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct fence {
    timer_t timer;
    bool has_timer;
    int64_t until_ms; /* of CLOCK_BOOTTIME; 0: not set */
};

/* From now on the lease lasts until then; it never gets shorter. 0, or -1 with errno of timer_create(2): then
 * the one before stands. */
int fence_set(struct fence *fence, int64_t until_ms);
/* Is there a lease, and for a while yet? */
bool fence_holds(const struct fence *fence);
void fence_finish(struct fence *fence);

int64_t fence_now_ms(void);

#endif
