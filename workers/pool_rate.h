/*
 * A token bucket: so many jobs a second, and so many at once after a rest. It is kept as the time
 * at which the bucket will be full again, so that nothing has to be refilled. Pure.
 */
#ifndef TROUPE_WORKERS_POOL_RATE_H
#define TROUPE_WORKERS_POOL_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct pool_rate {
    int64_t each_ns;    /* what one job costs; 0: nothing is limited */
    int64_t depth_ns;   /* of the bucket */
    int64_t full_at_ns; /* when it is full again */
};

/* per_second 0: no limit. burst at least 1; both at most 1,000,000. The bucket is full. */
void pool_rate_init(struct pool_rate *rate, uint64_t per_second, uint64_t burst);
/* Takes a token at this moment (monotonic); false when there is none. */
bool pool_rate_take(struct pool_rate *rate, int64_t now_us);

#endif
