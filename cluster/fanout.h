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
    void (*settled)(void *data, uint64_t waiter, uint64_t ref);
    void *data;
};

/* To one member, `shop/db#3`: that incarnation and no other. from: who sent it, PATH@NODE#N. */
void fanout_send(struct fanout *fanout, const char *member, const char *from,
                 const struct envelope *env);
/* Calls settled(data, waiter, ref), now or later, when the mailbox at `path` has handled everything that was
 * sent to it, or never will be. */
void fanout_settle(struct fanout *fanout, const char *path, uint64_t waiter, uint64_t ref);
void fanout_finish(struct fanout *fanout);

#endif
