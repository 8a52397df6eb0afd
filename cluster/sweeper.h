/*
 * What generations that are dead have left in the store: the rows of places of theirs that nobody
 * has called for since, and at last their own row. Whoever sweeps lists the places, frees each by
 * its epoch, and removes the node's row when there are none any more.
 *
 * Why that is safe: dead is for ever, and a row that is gone is as good as dead (L4), so that
 * anybody may have such a place. A free one that was taken over in the meantime has another epoch,
 * and stays. A save of the dead generation is fenced afterwards, and a claim before: its node's row
 * is dead, and then gone. Who is dead without knowing it hears that there is no such row, which is
 * the end of its generation, too. So much time goes by before that nothing of it can still be on
 * its way to the store.
 *
 * Of the nodes that are alive the first by name does it; two that do it at once do no harm.
 */
#ifndef TROUPE_CLUSTER_SWEEPER_H
#define TROUPE_CLUSTER_SWEEPER_H

#include "ledger.h"
#include "membership.h"

struct sweeper;

enum {
    SWEEPER_LEASES = 20,   /* that a generation is seen dead before it is swept */
    SWEEPER_PLACES = 1000, /* freed at a time */
};

/* node, our name, and the ledger are borrowed. The ledger is destroyed first: what it was asked is
 * not answered then. */
struct sweeper *sweeper_create(struct ledger *ledger, const char *node, int64_t lease_ms);
/* Takes NULL. */
void sweeper_destroy(struct sweeper *sweeper);

/* A table of nodes has come; we are alive, and inside our lease. */
void sweeper_table(struct sweeper *sweeper, const struct node_row *rows, size_t n, int64_t now_ms);

#endif
