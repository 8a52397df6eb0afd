/*
 * On which node a service actor that lives nowhere is to be started (CLUSTER 4). Pure: the rows of
 * a table, the question and a random number are arguments. The answer is advice: the chosen node
 * claims the actor's row for itself (place.h), and knows best whether it has room.
 */
#ifndef TROUPE_CLUSTER_PLACEMENT_H
#define TROUPE_CLUSTER_PLACEMENT_H

#include "membership.h"

#include <stddef.h>
#include <stdint.h>

enum placement_strategy {
    PLACEMENT_LOCAL,  /* the node that asks; when it is no candidate any other, at random */
    PLACEMENT_RANDOM, /* any */
    PLACEMENT_HASH,   /* the one with the highest rendezvous_weight() */
    PLACEMENT_LEAST,  /* of two random ones that with fewer instances of the service */
};

struct placement_question {
    enum placement_strategy strategy;
    const char *service, *id; /* "shop/carts", "42" */
    const char *asker;        /* the node that somebody calls from */
    uint64_t chance;          /* any 64 random bits */
};

enum placement_answer { PLACEMENT_FOUND, PLACEMENT_NOBODY, PLACEMENT_OVERLOADED };

/* Candidates are nodes that are alive, offer the service and have room: fewer instances than its
 * max, memory and load below what the node allows. FOUND: *at is the index of its row. NOBODY:
 * no node that is alive offers the service. OVERLOADED: those that do have no room. */
enum placement_answer placement_choose(const struct placement_question *question,
                                       const struct node_row *rows, size_t n, size_t *at);
/* NULL: it does not offer it, or is not alive. */
const struct node_service *placement_offer(const struct node_row *row, const char *service);
bool placement_has_room(const struct node_row *row, const struct node_service *offer);
/* "local", "random", "hash", "least"; -1: no such strategy. */
int placement_strategy_read(const char *text, enum placement_strategy *strategy);

#endif
