/*
 * The workers of a pool: the children of one supervisor, which starts them, restarts them and knows
 * how they are. The crew listens to its events, and where the pool keeps a number of workers,
 * orders more
 * (`add`, of its template) or fewer (`rm`) over the same connection; a worker that is stuck is
 * ordered to be restarted. When the connection ends the crew dials again; nothing here fails for
 * good.
 *
 * Workers that the pool adds are named 1, 2, 3 …, always the lowest number that is free, and one
 * that the pool wants keeps its seat while it is not there: so after a restart of their supervisor,
 * and after a pool has shrunk and grown, names and keys are as before.
 */
#ifndef TROUPE_WORKERS_POOL_CREW_H
#define TROUPE_WORKERS_POOL_CREW_H

#include "addr.h"
#include "pool_queue.h"
#include "pool_route.h"
#include "pool_stats.h"

#include <troupe.h>
#include <uthash.h>

struct pool_crew;

struct pool_worker {
    UT_hash_handle hh;     /* by name */
    struct pool_seat seat; /* running: counted by the pool */
    bool is_seated;        /* it gets jobs, when it is up */
    bool is_there;         /* a child of its supervisor */
    bool is_ready;         /* … of which it says that it is ready */
    bool is_listed;        /* … in what its supervisor has just told */
    bool is_known;         /* … or has been one */
    bool is_ordered;       /* to be added, and not answered yet */
    bool is_leaving;       /* ordered to be removed, and not gone yet */
    uint64_t incarnation;  /* the last that was heard of */
    uint64_t lost;         /* one that is known to be down, or condemned */
    uint64_t condemned;    /* … to be restarted by its supervisor */
    struct pool_lane lane; /* the jobs that wait for it */
    struct pool_counts counts;
    const char *name; /* in path */
    char path[ADDR_PATH_MAX + 1];
};

struct pool_crew_handlers {
    /* Somebody came, went, came up or went down. */
    void (*on_change)(struct pool_crew *crew);
    /* It has the size that was wanted (why NULL), or an order for it has failed, which is tried
     * again. */
    void (*on_size)(struct pool_crew *crew, const char *why);
};

struct crew_order;

struct pool_crew {
    struct troupe *self;
    struct pool_crew_handlers handlers;
    char path[ADDR_PATH_MAX + 1]; /* of the supervisor */
    struct peer *peer;            /* NULL: not connected */
    uint64_t events;              /* number of the subscription */
    uint64_t again;               /* timer: dials, or orders again */
    bool is_known;                /* its supervisor has told who there is */
    bool is_troubled;             /* that it cannot be reached was logged */
    size_t wanted;                /* 0: as many as there are */
    struct pool_worker *all;
    struct pool_seat **seats; /* of those that are seated, in the order of coming */
    size_t count, room;
    struct crew_order *orders; /* not answered yet */
};

/* workers: a path, or the name of a supervisor beside the pool. 0, or -1 with errno (ENAMETOOLONG).
 */
int pool_crew_init(struct pool_crew *crew, struct troupe *self, const char *workers, size_t wanted,
                   const struct pool_crew_handlers *handlers);
/* Dials. */
void pool_crew_start(struct pool_crew *crew);
void pool_crew_finish(struct pool_crew *crew);

struct pool_worker *pool_crew_at(const struct pool_crew *crew, int seat);
/* One that is seated, or NULL. */
struct pool_worker *pool_crew_find(const struct pool_crew *crew, const char *name);

/* From now on it is to have so many. */
void pool_crew_resize(struct pool_crew *crew, size_t wanted);
/* This incarnation is down, whatever was heard of it. */
void pool_crew_lost(struct pool_crew *crew, struct pool_worker *worker, uint64_t incarnation);
/* It is stuck: has it restarted by its supervisor, which is told so until it has done it. */
void pool_crew_restart(struct pool_crew *crew, struct pool_worker *worker);
/* It has one job less: one that is leaving may go now; it may be freed. */
void pool_crew_released(struct pool_crew *crew, struct pool_worker *worker);

const char *pool_crew_state(const struct pool_worker *worker);

#endif
