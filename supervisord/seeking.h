/*
 * Links and monitors of actors of services by their path alone, which may live on any node (CLUSTER
 * 4): before a party's line goes its way sys/node is asked where its actor is, which does not start
 * it. So many are asked for at a time; the others wait for their turn.
 */
#ifndef TROUPE_SEEKING_H
#define TROUPE_SEEKING_H

#include "addr.h"
#include "ctl.h"
#include "linking.h"

#include <stdbool.h>
#include <stdint.h>

struct backplane;
struct party;
struct seeking;

/* A MONITOR or a LINK. */
struct seek {
    enum ctl_verb verb;
    uint64_t ref;        /* of a MONITOR */
    enum link_mode mode; /* of a LINK */
    struct addr addr;    /* as backplane_address() has read it */
};

struct seekings {
    struct seeking *all; /* oldest first */
    unsigned asked;
};

/* False: its actor is not to be sought, or cannot be, and the line goes its way as it is. True:
 * party_found() follows. */
bool seeking_begin(struct party *party, const struct seek *seek);

/* The line is taken back; true: it was still on its way, and nothing has come of it. */
bool seeking_undo_monitor(struct party *party, uint64_t ref);
/* Takes back the links to that path which are still on their way, each told as failed, and makes
 * the address that of the node where the last one had gone. */
void seeking_undo_link(struct party *party, struct addr *addr);

/* The party's incarnation is over, and so is all that it asked for. */
void seeking_drop_all(struct party *party);

#endif
