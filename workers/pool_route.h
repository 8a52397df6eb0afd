/*
 * Which worker gets a job: decisions of a pool, from values to values. A worker is a seat; seats
 * stand in the order in which their workers joined. Pure.
 */
#ifndef TROUPE_WORKERS_POOL_ROUTE_H
#define TROUPE_WORKERS_POOL_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pool_routing {
    POOL_FIRST_FREE,  /* the one with the least to do; without a free one the job waits for any */
    POOL_ROUND_ROBIN, /* each in turn, busy or not; those that are down are passed over */
    POOL_BY_KEY,      /* the same worker for the same key, be it up or down */
    POOL_BY_FIELD,    /* the worker that the message names */
};

enum { POOL_NOBODY = -1 };

struct pool_seat {
    uint64_t id; /* hash of the worker's name */
    bool is_up;
    unsigned running; /* jobs that it has */
};

/* FNV-1a, of keys and names. */
uint64_t pool_route_hash(const void *bytes, size_t size);

/* Each of these returns the index of a seat among n, or POOL_NOBODY. last is the seat that was
 * chosen before (POOL_NOBODY: none yet). */

/* One that is up and has fewer than `each` jobs, of these one with the fewest, the next in turn. */
int pool_route_free(struct pool_seat *const *seats, size_t n, unsigned each, int last);
/* The next one in turn that is up. */
int pool_route_turn(struct pool_seat *const *seats, size_t n, int last);
/* The seat with the highest weight for this key (rendezvous hashing): when a seat comes or goes,
 * only the keys move that it gets or had. */
int pool_route_key(struct pool_seat *const *seats, size_t n, uint64_t key);

#endif
