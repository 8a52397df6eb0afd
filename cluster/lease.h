/*
 * This node's lease: until when its service actors may run (CLUSTER 4, L1 and L6). Pure but for
 * memory: what the store and the peers answer goes in, with times; when to beat, whom to ask and
 * that it has ended comes out. All times are ms of this node's monotonic clock and never 0.
 *
 *   L1  A beat is due every fifth of the lease. One that the store took makes the lease last until
 *       (the time *before it was sent*) + the lease's length. No row of ours: lost, at once and for
 *       good, for this generation has been declared dead.
 *   L6  The store is silent: the members are asked whether it is silent for them too and whether
 *       they will declare nobody dead for so long. Each such promise counts from the time before
 *       the question was sent; the lease lasts as long as the promises of *all*, and no longer than
 *       60 s after the last beat that was taken. Alone there is nobody to ask. Their last beats may
 *       be a fifth younger than ours, and until it is silent for them they promise nothing: they
 *       are asked twice in a beat, as what is left of the lease then is for question and answer.
 *
 * Members are who might declare us dead by the short rule: those of the last table read, and those
 * that we have confirmed since that read was sent. A lease that has ended is only begun again by a
 * beat: somebody may have declared us dead before giving a promise.
 *
 * What is no answer in time and what is an error are alike: not told here.
 */
#ifndef TROUPE_CLUSTER_LEASE_H
#define TROUPE_CLUSTER_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LEASE_BEATS = 5,             /* in the length of a lease */
    LEASE_QUESTIONS = 10,        /* in the same, while the store is silent */
    LEASE_SILENT_MAX_MS = 60000, /* after the last beat nobody's promise counts */
    LEASE_MAX_MS = 30000,        /* of a length */
    LEASE_MIN_MS = 500,
};

struct lease_member {
    uint64_t generation;
    int64_t confirmed_ms; /* by us, last; 0: known from the table alone */
    int64_t vouched_ms;   /* before the last question was sent that it answered with a promise */
};

struct lease {
    int64_t length_ms;
    int64_t until_ms;  /* 0: never had */
    int64_t beaten_ms; /* before the sending of the last beat that was taken */
    int64_t due_ms;    /* the next beat; 0: not begun */
    int64_t asked_ms;  /* the last question */
    int64_t table_ms;  /* before the sending of the last table read */
    bool is_held;      /* as far as was told */
    bool has_ended;    /* that is still to be told */
    bool is_lost;
    struct lease_member *members;
    size_t count;
};

/* What a tick asks for. */
struct lease_orders {
    bool is_beat_due; /* `beat + 1 where name, generation and state are ours`: the time is the
                         tick's */
    bool is_asking;   /* send each member the question with the tick's time, to be given back */
    bool has_ended;   /* nothing of ours may run any more: the kernel's timers have seen to it */
};

/* length_ms is from LEASE_MIN_MS to LEASE_MAX_MS. */
void lease_init(struct lease *lease, int64_t length_ms);
void lease_finish(struct lease *lease);

/* Our row is in the store: beats begin. */
void lease_begin(struct lease *lease, int64_t now_ms);
/* The store took the beat that was sent no earlier than sent_ms. */
void lease_taken(struct lease *lease, int64_t sent_ms, int64_t now_ms);
/* It has no such row any more, or the row says that we are dead. */
void lease_lose(struct lease *lease);

/* The others that are neither dead nor gone, of a table whose reading was sent no earlier than
 * sent_ms. One that was sent before the last is of no use. */
void lease_table(struct lease *lease, const uint64_t *generations, size_t n, int64_t sent_ms);
/* We are about to tell this one that we know it. */
void lease_confirm(struct lease *lease, uint64_t generation, int64_t now_ms);
/* It answers the question that was sent at asked_ms: silent for it too, and it promises. */
void lease_promised(struct lease *lease, uint64_t generation, int64_t asked_ms, int64_t now_ms);

struct lease_orders lease_tick(struct lease *lease, int64_t now_ms);
/* When to tick next, at the latest; INT64_MAX: never. */
int64_t lease_due_ms(const struct lease *lease);

/* May anything of ours run now? */
bool lease_holds(const struct lease *lease, int64_t now_ms);
/* No beat that was sent in the last two fifths was taken: what a member that asks is told. */
bool lease_is_silent(const struct lease *lease, int64_t now_ms);

#endif
