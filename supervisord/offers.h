/*
 * What a service's supervisor has with sys/node where services are shared with other nodes (CLUSTER 4,
 * control.h): it offers its service with what lives under it, asks where an actor is or shall be, starts what
 * it is told to, and says what became of it. While sys/node is away it is dialled again, and what was asked is
 * asked again. Of a node that shares with nobody all this does nothing.
 */
#ifndef TROUPE_OFFERS_H
#define TROUPE_OFFERS_H

#include "fence.h"
#include "reason.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct peer;
struct supervisor;
struct offers_wish;

struct offers {
    struct supervisor *supervisor; /* NULL: nothing is shared */
    struct peer *peer;             /* NULL: not connected */
    uint64_t offer;                /* the number of the request that holds */
    struct offers_wish *wishes;    /* by id */
    char refused[REASON_MAX];      /* why sys/node does not take our offer; "": it does */
    struct fence fence;
    ev_timer retry;
};

void offers_init(struct offers *offers, struct supervisor *supervisor);
void offers_finish(struct offers *offers);
/* Are this supervisor's actors placed by sys/node? */
bool offers_are_on(const struct offers *offers);

/* Where is that actor, or where shall it be? Answered by activations_on_place(). */
void offers_want(struct offers *offers, const char *id);
/* It is ready; it could not be started, or has ended, and nothing of it is left. */
void offers_placed(struct offers *offers, const char *id, uint64_t epoch);
void offers_vacated(struct offers *offers, const char *id, uint64_t epoch, const char *why);

#endif
