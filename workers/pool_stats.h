/*
 * What became of the jobs of a pool, and of each worker. Whatever was taken in is counted once more
 * when its fate is known, so that taken = sum of all fates + queued + running holds whenever
 * nothing is under way. Pure.
 */
#ifndef TROUPE_WORKERS_POOL_STATS_H
#define TROUPE_WORKERS_POOL_STATS_H

#include <stddef.h>
#include <stdint.h>

enum pool_fate {
    POOL_DONE,      /* its worker answered */
    POOL_FAILED,    /* its worker answered with an error */
    POOL_LOST,      /* its worker went down, and it was not to be tried again */
    POOL_STUCK,     /* its worker did not come back to itself in time */
    POOL_EXPIRED,   /* it waited for too long */
    POOL_FULL,      /* the queue was full when it came */
    POOL_DISCARDED, /* … and it had to make room for another */
    POOL_LIMITED,   /* over the rate */
    POOL_BAD,       /* no key, no such worker, no such priority */
    POOL_STOPPED,   /* the pool ended before */
    POOL_FATES,
};

struct pool_counts {
    uint64_t taken, retried, restarted;
    uint64_t fates[POOL_FATES];
};

const char *pool_fate_text(enum pool_fate fate);

/* "queued=0 queued_bytes=0 running=1 taken=9 done=8 …", one line without its end. snprintf's rules.
 */
int pool_stats_write(const struct pool_counts *counts, size_t queued, size_t bytes, size_t running,
                     char *out, size_t size);
/* The same for one worker, of the fates that are a worker's. */
int pool_stats_worker(const struct pool_counts *counts, const char *path, const char *state,
                      size_t running, char *out, size_t size);

#endif
