/*
 * Several connections that have proven to be of one node's name, and which of them is the session
 * (CLUSTER 1). Pure: what happens goes in, with the time; what is to be done comes out. Only
 * connections that auth.h calls proven are ever shown to it, so that nobody else can displace
 * anything.
 *
 *   same generation, other instance   its sys/node was restarted: the old session ends, the new one
 * begins same instance                     a second connection: the old one is pinged; answered,
 * the newcomer is a other generation                  `duplicate`, or its `name is taken`; silent,
 * it is replaced
 *
 * Of two nodes that dial each other at once the lower-named chooses (it admits one); the
 * higher-named admits all, and holds for the session the one on which the lower says READY.
 */
#ifndef TROUPE_CLUSTER_RIVALS_H
#define TROUPE_CLUSTER_RIVALS_H

#include "auth.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RIVALS_MAX = 8,        /* connections of one name at a time; one more is a duplicate */
    RIVALS_PING_MS = 1000, /* what an open session has to answer */
    RIVALS_OPENING_MS =
        3000 /* and one that we admitted: the other may have a ping of its own to wait for */
};

struct rival {
    uint64_t conn; /* the caller's number of a connection; never 0 */
    uint64_t generation, instance;
    enum rival_state {
        RIVAL_WAITING,  /* for what becomes of the holder */
        RIVAL_ADMITTED, /* by us */
        RIVAL_OPEN,     /* by both */
    } state;
};

struct rivals {
    bool is_ours_to_choose;       /* we are the lower-named */
    struct rival all[RIVALS_MAX]; /* in the order of their proofs */
    size_t count;
    int64_t deadline_ms; /* of a ping; 0: none is out */
};

struct rivals_action {
    enum rivals_what {
        RIVALS_ADMIT,  /* auth_admit() */
        RIVALS_REFUSE, /* auth_refuse() with reason */
        RIVALS_PING,   /* ask it for a sign of life; one that is not open yet gives it by opening */
        RIVALS_END,    /* it was the session, or had been admitted: end it; it is forgotten here */
    } what;
    uint64_t conn;
    enum auth_reason reason;
};

/* What one event asks for: in this order. */
struct rivals_actions {
    struct rivals_action at[2 * RIVALS_MAX];
    size_t count;
};

void rivals_init(struct rivals *rivals, bool is_ours_to_choose);

/* A connection has proven to be of this name. now_ms is monotonic and not 0. */
void rivals_proven(struct rivals *rivals, uint64_t conn, uint64_t generation, uint64_t instance,
                   int64_t now_ms, struct rivals_actions *out);
/* The handshake on it has come to its end: AUTH_OPEN. */
void rivals_opened(struct rivals *rivals, uint64_t conn, struct rivals_actions *out);
/* It has answered a ping. */
void rivals_answered(struct rivals *rivals, uint64_t conn, struct rivals_actions *out);
/* It has ended, by whomever. One that is not known here is no error. */
void rivals_gone(struct rivals *rivals, uint64_t conn, struct rivals_actions *out);
/* Time has come to deadline_ms, or not. */
void rivals_tick(struct rivals *rivals, int64_t now_ms, struct rivals_actions *out);

/* The session's connection, or one that we admitted to be it; 0: none. */
uint64_t rivals_holder(const struct rivals *rivals);

#endif
