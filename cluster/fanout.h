/*
 * Messages to all members of a group in this node, from another (CLUSTER 3: each remote node once).
 * One connection for each member's mailbox, dialled when first needed and closed when it has
 * rested; what a member does not take is lost to it alone, as a cast to a full mailbox is, and
 * counted (losses.h).
 */
#ifndef TROUPE_CLUSTER_FANOUT_H
#define TROUPE_CLUSTER_FANOUT_H

#include "envelope.h"
#include "losses.h"

#include <ev.h>
#include <stdint.h>

struct fanout_target;

struct fanout {
    struct ev_loop *loop;
    const char *run_dir, *self;    /* borrowed */
    struct fanout_target *targets; /* by path */
    struct losses *losses;
};

/* To one member, `shop/db#3`: that incarnation and no other. from: who sent it, PATH@NODE#N. */
void fanout_send(struct fanout *fanout, const char *member, const char *from,
                 const struct envelope *env);
void fanout_finish(struct fanout *fanout);

#endif
