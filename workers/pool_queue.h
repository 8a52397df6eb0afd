/*
 * The jobs of a pool that wait: bounded, by priority, each with the time until which it may wait. A
 * job waits in a lane: that of its worker, or the common one. Nothing is allocated for a job but a
 * place in the heap of times; the caller owns the entries. Pure.
 */
#ifndef TROUPE_WORKERS_POOL_QUEUE_H
#define TROUPE_WORKERS_POOL_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    POOL_PRIORITIES = 4, /* 0 is the most urgent */
    POOL_PRIORITY = 1,   /* of a job that says none */
};

/* What goes when the queue is full and one more comes. */
enum pool_full {
    POOL_REFUSE, /* the one that comes */
    POOL_NEWEST, /* the youngest of the least urgent, the one that comes included */
    POOL_OLDEST, /* the oldest of these */
};

struct pool_entry {
    TAILQ_ENTRY(pool_entry) in_lane, in_level;
    struct pool_lane *lane; /* NULL: it does not wait */
    unsigned priority;      /* set by the caller */
    int64_t due_us;         /* the same: monotonic; INT64_MAX: it may wait for ever */
    size_t bytes;           /* the same: what it takes of the queue's bytes */
    uint64_t number;        /* in the order of coming; kept when it is put back */
    size_t place;           /* in the heap */
};

TAILQ_HEAD(pool_entries, pool_entry);

struct pool_lane {
    struct pool_entries at[POOL_PRIORITIES];
};

struct pool_queue {
    struct pool_entries levels[POOL_PRIORITIES];
    size_t count, max;
    size_t bytes, max_bytes;
    size_t level_bytes[POOL_PRIORITIES];
    enum pool_full full;
    uint64_t last;
    struct pool_entry **heap; /* the first to expire in front; as many as wait */
    size_t room;
};

void pool_lane_init(struct pool_lane *lane);
bool pool_lane_is_empty(const struct pool_lane *lane);

void pool_queue_init(struct pool_queue *queue, size_t max, size_t max_bytes, enum pool_full full);
void pool_queue_finish(struct pool_queue *queue);

/* A job is to come. Returns one that has to go before it, and does not wait any more; or this one,
 * when nothing that may go for it would make room enough; or NULL: there is room. */
struct pool_entry *pool_queue_make_way(struct pool_queue *queue, struct pool_entry *entry);
/* It comes. 0, or -1 (ENOMEM). */
int pool_queue_put(struct pool_queue *queue, struct pool_lane *lane, struct pool_entry *entry);
/* One comes that need not wait: it has its number all the same, should it come back. */
void pool_queue_number(struct pool_queue *queue, struct pool_entry *entry);
/* One that was taken, or had only its number, comes back to where it was; there is always room. 0,
 * or -1 (ENOMEM). */
int pool_queue_return(struct pool_queue *queue, struct pool_lane *lane, struct pool_entry *entry);

/* Takes the next one of either lane, the more urgent first, then the older; NULL when both are
 * empty. */
struct pool_entry *pool_queue_take(struct pool_queue *queue, struct pool_lane *own,
                                   struct pool_lane *common);
/* Takes one whose time is up; NULL when there is none. */
struct pool_entry *pool_queue_expire(struct pool_queue *queue, int64_t now_us);
/* Takes any; NULL when nothing waits. */
struct pool_entry *pool_queue_any(struct pool_queue *queue);
/* When the next one expires; INT64_MAX: never. */
int64_t pool_queue_due(const struct pool_queue *queue);

/* Asks for each which lane it is to wait in now; the order stays. */
typedef struct pool_lane *pool_lane_of(struct pool_entry *entry, void *data);
void pool_queue_reroute(struct pool_queue *queue, pool_lane_of *lane_of, void *data);

#endif
