/*
 * A pool: many workers behind one mailbox. pool.c is the actor: its messages and its life;
 * pool_jobs.c the way of a job; pool_crew.c who the workers are. What they decide by is pure, in
 * files of its own: pool_args.c, pool_queue.c, pool_rate.c, pool_route.c, pool_stats.c.
 */
#ifndef TROUPE_WORKERS_POOL_H
#define TROUPE_WORKERS_POOL_H

#include "pool_args.h"
#include "pool_crew.h"
#include "pool_queue.h"
#include "pool_rate.h"
#include "pool_stats.h"

#include <troupe.h>

struct pool_job;
TAILQ_HEAD(pool_jobs, pool_job);

struct pool {
    struct troupe *self;
    struct pool_args args; /* size: that was last reached */
    uint64_t told_size;    /* by its spec */
    struct pool_crew crew;

    struct pool_rate rate;
    struct pool_queue queue;
    struct pool_lane common;   /* for any worker */
    struct pool_lane unplaced; /* for whom it is not known yet: there is no worker to choose */
    struct pool_lane
        nowhere; /* for a worker that does not exist: only while lanes are chosen anew */
    struct pool_jobs handed_on; /* in the order in which they were */
    struct pool_jobs given_up;  /* their workers have them still */
    size_t running;             /* how many are handed on */
    int last;                   /* the seat that was chosen last */
    struct pool_counts counts;

    uint64_t alarm; /* timer of the next job whose time is up */
    int64_t alarm_us;
    char status[128];                 /* as `ps` shows it */
    struct troupe_message *to_resize; /* kept: answered when the size is reached */
    struct troupe_message *to_drain;  /* kept: answered when nothing is left */
};

/* One more: every message that is not the pool's own. */
void pool_jobs_take(struct pool *pool, struct troupe_message *message);
/* The workers have changed: gives each job that waits its worker anew, and free workers their jobs.
 */
void pool_jobs_reroute(struct pool *pool);
/* The end of the pool: who still waits is told this failure. */
void pool_jobs_finish(struct pool *pool, const char *failure);
/* Nothing waits and nothing runs. */
bool pool_is_idle(const struct pool *pool);
/* What pool.c does when a job has ended. */
void pool_on_job_end(struct pool *pool);

#endif
