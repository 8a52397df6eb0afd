/*
 * The fence of a supervisor whose children may run only as long as a lease lasts (CLUSTER 4, L2): a timer of
 * the kernel that kills it at the lease's end, and its children with it, also when it is stopped, hangs, or
 * the machine has slept. It is not inherited by what is forked.
 */
#ifndef TROUPE_FENCE_H
#define TROUPE_FENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* What its parent sees of it, and tells from it whether a SIGKILL was the fence's: a page that both have. */
struct fence_mark {
    _Atomic int64_t until_ms; /* of CLOCK_BOOTTIME; 0: it has had no lease */
};

struct fence {
    timer_t timer;
    struct fence_mark *mark; /* NULL: nobody looks */
    bool has_timer;
    int64_t until_ms; /* of CLOCK_BOOTTIME; 0: not set */
};

/* From now on the lease lasts until then; it never gets shorter. One that is over
 * already is none: what was told late is not struck for. 0, or -1 with errno of timer_create(2): then
 * the one before stands. */
int fence_set(struct fence *fence, int64_t until_ms);
/* Is there a lease, and for a while yet? */
bool fence_holds(const struct fence *fence);
void fence_finish(struct fence *fence);

/* The parent's, before the fork; NULL with errno. No fork takes it along but those between lend true and false; who
 * was lent it says for himself that it ends there. */
struct fence_mark *fence_mark_create(void);
void fence_mark_destroy(struct fence_mark *mark);
void fence_mark_lend(struct fence_mark *mark, bool lent);
/* Another incarnation begins. */
void fence_mark_clear(struct fence_mark *mark);
/* Has its time come? For one that ended by SIGKILL; all of these take NULL. */
bool fence_has_struck(const struct fence_mark *mark);

#endif
