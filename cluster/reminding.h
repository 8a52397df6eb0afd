/*
 * Reminders are told (CLUSTER 4): reminders.h decides, sys/store has the rows (ledger.h), and each
 * is told by a call to its actor (delivery.h), which starts one of a service. An actor of no
 * service is looked for here first, then on the other nodes, in their order for it.
 *
 * A node at rest does not wake up for this: sys/store says CONTROL_REMINDER_SET when it begins, and
 * when one is set that is due sooner than it has said before.
 */
#ifndef TROUPE_CLUSTER_REMINDING_H
#define TROUPE_CLUSTER_REMINDING_H

#include "reminders.h"
#include "visitors.h"

struct reminding;

enum { REMINDING_PATIENCE_MS = 30000 /* of a call */ };

struct reminding_options {
    struct ev_loop *loop;
    const char *run_dir, *node, *self; /* borrowed, as all here */
    const char *path;                  /* sys/node, for the log */
    /* The nodes that share services, as they are known now; of none that may be alive when this
     * node is out. NULL: this node shares none. */
    size_t (*nodes)(void *data, const struct node_row **rows);
    void *data;
};

struct reminding *reminding_create(const struct reminding_options *options);
/* What is under way is told to nobody, and again by whoever is next. Takes NULL. */
void reminding_destroy(struct reminding *reminding);

/* A request that may be for us; false: it is not. */
bool reminding_visit(struct reminding *reminding, const char *verb, const struct visit *visit);

#endif
