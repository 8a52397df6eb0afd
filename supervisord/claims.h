/*
 * Claims: place rows in the store, for a service whose actors keep their state there (CLUSTER 4, L4, L5). A
 * start takes the row of its id and gets an epoch with it, without which nothing it saves is accepted; an actor
 * that is gone frees it. On one host there is nobody else to claim from: the node's lock says that all earlier
 * generations of this node are dead, so they are declared so when one of them is in the way. Asked of sys/store
 * over one connection; a claim is answered exactly once, by its time-out at the latest.
 */
#ifndef TROUPE_CLAIMS_H
#define TROUPE_CLAIMS_H

#include "addr.h"

#include <ev.h>
#include <stdint.h>

struct supervisor;
struct claim;
struct peer;

struct claims {
    struct supervisor *supervisor;
    struct peer *peer; /* NULL: not dialled */
    struct claim *asked; /* by their number */
    uint64_t last_ref;
    /* epoch 0: failure says why not. Never called within claims_take(). */
    void (*on_claimed)(struct supervisor *supervisor, const char *id, uint64_t epoch, const char *failure);
};

void claims_init(struct claims *claims, struct supervisor *supervisor,
                 void (*on_claimed)(struct supervisor *supervisor, const char *id, uint64_t epoch,
                                    const char *failure));
void claims_finish(struct claims *claims);

/* In place of an earlier claim of that id, which is heard of no more. 0, or -1 with errno: then
 * on_claimed is not called. */
int claims_take(struct claims *claims, const char *id);
/* Whether it is freed does not matter: the next claim finds it ours. */
void claims_free(struct claims *claims, const char *id, uint64_t epoch);

#endif
