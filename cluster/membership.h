/*
 * The nodes that may run services, as the store's table has them, and who of them is dead (CLUSTER
 * 4, L3 and L6). Pure but for memory: tables that were read, answers of the store and of peers go
 * in, with times; what is wanted of the store and of peers comes out through a callback. Times are
 * ms of this node's monotonic clock and never 0.
 *
 * A row's way:   (none, dead or left) → joining → alive → leaving → left
 *                                       every state but left may become dead; a generation that is
 *                                       dead or left never changes again
 *
 * L3  A node is declared dead by compare-and-set on (generation, beat) when its beat has stood
 * still for 1.2 of *its* lease on our clock, inside our own lease; 72 s when that node has not
 *     confirmed us, for then it does not know that it has to ask us. What is known to have ended
 *     (its lock was free) is declared dead at once.
 * L6  Before we promise to declare nobody dead, no declaration of the asker's death may be under
 *     way: one whose answer was lost may still arrive, until the asker's beat is known to have
 * moved on. For the same reason nobody leaves while one is.
 *
 * Requests whose answer is lost are made again after a while; all are such that it does no harm.
 */
#ifndef TROUPE_CLUSTER_MEMBERSHIP_H
#define TROUPE_CLUSTER_MEMBERSHIP_H

#include "auth.h"
#include "control.h"
#include "lease.h"
#include "node_lock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MEMBERSHIP_STRANGER_MS = LEASE_SILENT_MAX_MS / 5 * 6, /* 72 s, for clocks that differ by 20 % */
    MEMBERSHIP_SERVICES_MAX = CONTROL_SERVICES_MAX,       /* of one node */
};

enum node_state { NODE_JOINING, NODE_ALIVE, NODE_LEAVING, NODE_DEAD, NODE_LEFT };

struct node_service {
    char path[ADDR_PATH_MAX + 1]; /* "shop/carts" */
    uint32_t instances, max;
};

struct node_row {
    char name[ADDR_PART_MAX + 1];
    uint64_t generation; /* never 0 */
    enum node_state state;
    uint64_t beat;
    int64_t lease_ms;
    char url[AUTH_URL_MAX + 1];
    char lock[NODE_LOCK_MAX + 1]; /* node_lock.h; "": it is not told */
    uint32_t memory_percent, load_percent; /* of what the node allows its services */
    const struct node_service *services;   /* of whom the row is from */
    size_t service_count;
};

struct membership_request {
    enum membership_what {
        MEMBERSHIP_READ,    /* the whole table → membership_table() */
        MEMBERSHIP_INSERT,  /* our row as joining, beat 0, where the row of our name is of the
                               generation `replaced` and dead or left; 0: where there is none */
        MEMBERSHIP_ALIVE,   /* state = alive where name, generation, state = joining are ours */
        MEMBERSHIP_LEAVING, /* state = leaving where … state = joining or alive */
        MEMBERSHIP_LEFT,    /* state = left where … state = leaving */
        MEMBERSHIP_BURY,    /* state = dead where name, generation and beat are these and the state
                               neither dead nor left */
        MEMBERSHIP_CONFIRM, /* ask that node, over a session with just that generation, to confirm
                               us: it calls membership_confirm() and says so →
                               membership_confirmed() */
    } what;
    char name[ADDR_PART_MAX + 1]; /* of the row */
    uint64_t generation, beat, replaced;
    uint64_t number; /* of a reading */
    int64_t sent_ms; /* to be given back with what was read */
};

/* Told while one of the functions below runs; must not call them. */
typedef void membership_ask(void *data, const struct membership_request *request);

struct membership;

/* self is copied, and in it only name, generation and lease_ms count; the lease outlives the
 * membership, which tells it of its members and of its loss. */
struct membership *membership_create(const struct node_row *self, struct lease *lease,
                                     membership_ask *ask, void *data);
void membership_destroy(struct membership *membership);

/* ---- what happens ---- */

/* To be called at least every fifth of the lease; the first tick begins the joining. */
void membership_tick(struct membership *membership, int64_t now_ms);
/* What a READ found, all rows of it; they are copied. */
void membership_table(struct membership *membership, const struct membership_request *reading,
                      const struct node_row *rows, size_t n, int64_t now_ms);
/* The store has carried out a request, or has found its condition not met. For READ: not called. */
void membership_answered(struct membership *membership, const struct membership_request *request,
                         bool is_done, int64_t now_ms);
/* That peer has confirmed us. */
void membership_confirmed(struct membership *membership, uint64_t generation, int64_t now_ms);
/* A session with that node has begun: what it was asked before has not reached it. */
void membership_met(struct membership *membership, const char *name, int64_t now_ms);
/* A peer asks to be confirmed. False: we are out ourselves, it must not count on us. */
bool membership_confirm(struct membership *membership, uint64_t generation, int64_t now_ms);
/* A peer asks whether the store is silent for us too. True: it is, and we have promised to declare
 * nobody dead for as long as its lease (by its clock, that may be 20 % slower). */
bool membership_promise(struct membership *membership, uint64_t generation, int64_t now_ms);
/* Nothing of that generation runs any more: its lock was free, and is ours. */
void membership_released(struct membership *membership, uint64_t generation, int64_t now_ms);
/* Leave: no more placements here. When all instances have ended say so: the row becomes left. */
void membership_leave(struct membership *membership, int64_t now_ms);
void membership_drained(struct membership *membership, int64_t now_ms);

/* ---- what is known ---- */

const struct node_row *membership_self(const struct membership *membership);
/* May an instance be started here now? We are alive and inside our lease. */
bool membership_may_start(const struct membership *membership, int64_t now_ms);
/* Our own state; DEAD: also when somebody else has our name. Before the first table: LEFT. */
enum node_state membership_state(const struct membership *membership);
/* The rows of the last table; they stand until the next function that is told of anything. */
size_t membership_rows(const struct membership *membership, const struct node_row **rows);

enum membership_verdict {
    MEMBERSHIP_LIVES,   /* as far as is known: it may be wrong by now */
    MEMBERSHIP_GONE,    /* for ever */
    MEMBERSHIP_UNKNOWN, /* a reading that begins from now on will tell: membership_read() */
};
/* How many readings have begun: what is learned of a node's generation now is compared with tables
 * of later readings only. */
uint64_t membership_mark(const struct membership *membership);
/* Of a generation that was heard of when the mark was this. That it is not in a table means that it
 * is gone only when the table is newer than the word of it. */
enum membership_verdict membership_judge(const struct membership *membership, const char *name,
                                         uint64_t generation, uint64_t mark);
/* Read the table now. */
void membership_read(struct membership *membership, int64_t now_ms);

#endif
