/*
 * One service actor on the node that is to run it: from the first call to the row that is free
 * again (CLUSTER 4, L4). Pure: the row that was read, answers of the store, ready and end of the
 * instance go in; what to do comes out, one order at a time.
 *
 *   idle → reading → (judging) → claiming → starting → running → freeing → idle
 *
 * A row is claimed by compare-and-set on its epoch when there is none, when it is free, when its
 * owner's generation is gone for good, or when it is our own and nothing of it runs here: every
 * start takes a new epoch, and epochs are never used twice. However often a claim's answer is lost
 * and the claim made again, one of them at most is started upon. Whoever calls in the meantime
 * waits for the same start.
 */
#ifndef TROUPE_CLUSTER_PLACE_H
#define TROUPE_CLUSTER_PLACE_H

#include "membership.h"

#include <stdbool.h>
#include <stdint.h>

enum { PLACE_TRIES = 8 }; /* claims that somebody else was quicker with, before we say so */

struct place_row {
    uint64_t epoch;               /* 0: there is no row */
    uint64_t generation;          /* of the owner; 0: free */
    char node[ADDR_PART_MAX + 1]; /* the owner */
};

struct place {
    enum place_state {
        PLACE_IDLE,
        PLACE_READING,
        PLACE_JUDGING, /* until a table tells what became of the owner */
        PLACE_CLAIMING,
        PLACE_STARTING,
        PLACE_RUNNING,
        PLACE_FREEING,
    } state;
    struct place_row row; /* as it was read last */
    uint64_t epoch;       /* of what runs or starts here */
    uint64_t request;     /* the number of what the store was asked last */
    uint64_t mark;        /* membership_mark() when the row came */
    unsigned tries;
    bool is_wanted; /* somebody called while the last instance was going */
};

enum place_order {
    PLACE_WAIT,       /* nothing: something is under way */
    PLACE_READ,       /* read the row → place_found() */
    PLACE_READ_NODES, /* membership_read(); when a table has come → place_table() */
    PLACE_CLAIM,      /* set node and generation to ours and the epoch to a new one where the row's
                         epoch and generation are still those of `row`; epoch 0: insert where there
                         is none → place_claimed() */
    PLACE_START,      /* start it with `epoch`, inside the lease → place_ready(), place_ended() */
    PLACE_FREE,       /* set generation to 0 where generation is ours and epoch is `epoch`
                         → place_freed() */
    PLACE_HERE,       /* it runs here with `epoch`: tell all who wait */
    PLACE_ELSEWHERE,  /* it is `row`'s: tell all who wait */
    PLACE_FENCED,     /* refuse all who wait: we may not run anything, or have no part any more */
    PLACE_CONTENDED,  /* refuse them: others keep being quicker */
    PLACE_UNREACHABLE, /* refuse them: the store does not answer */
};

/* It runs here, as our supervisors say to a troupe-node that has just been started. */
void place_adopt(struct place *place, uint64_t epoch);
/* Somebody calls. */
enum place_order place_want(struct place *place);
/* The row, or epoch 0 for none. Answers to a request that is not the last are of no use. */
enum place_order place_found(struct place *place, uint64_t request, const struct place_row *row,
                             const struct membership *membership, int64_t now_ms);
/* There is a new table of nodes. */
enum place_order place_table(struct place *place, const struct membership *membership,
                             int64_t now_ms);
/* epoch: the new one; 0: the row was not as we had read it. */
enum place_order place_claimed(struct place *place, uint64_t request, uint64_t epoch,
                               const struct membership *membership, int64_t now_ms);
/* The store has not answered in time, or says that it cannot. While a table is waited for: could
 * not give one; the request is then that of the row. */
enum place_order place_failed(struct place *place, uint64_t request);
/* The instance is ready. */
enum place_order place_ready(struct place *place);
/* The instance has ended and nothing of it is left, or it could not be started. Who still waited
 * for it is told by the caller, who knows why. */
enum place_order place_ended(struct place *place);
/* The row is free, or was not ours any more. */
enum place_order place_freed(struct place *place, uint64_t request);
/* The lease has ended: so has the instance. Who waited is refused. True: somebody may. */
bool place_fence(struct place *place);

#endif
