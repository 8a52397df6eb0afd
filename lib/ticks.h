/*
 * When a reminder is due again (CLUSTER 4): ticks that were missed come as one, with a count. Pure.
 */
#ifndef TROUPE_TICKS_H
#define TROUPE_TICKS_H

#include <stdint.h>

struct ticks {
    uint64_t count;  /* that are told as one; 0: it is not due */
    int64_t next_us; /* when it is due then; 0: never, it was to come once */
};

/* Wall clocks and lengths in us; period_us 0: once. */
struct ticks ticks_of(int64_t due_us, int64_t period_us, int64_t now_us);

#endif
