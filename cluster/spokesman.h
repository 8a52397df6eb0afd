/*
 * Who may tell sys/node what the actors below a supervisor have joined: that supervisor, and nobody
 * who calls himself so. Its parent's table file (table.h) says which process it is; of the root,
 * which is in no table, the mailbox that it has bound itself.
 */
#ifndef TROUPE_CLUSTER_SPOKESMAN_H
#define TROUPE_CLUSTER_SPOKESMAN_H

#include "addr.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Has this process, which the kernel vouches for (SO_PEERCRED) and which calls itself `name`, that
 * right on this node, which runs as our own user? Then addr is its address. Reads files: once a
 * connection. */
bool spokesman_is(const char *run_dir, const char *node, const struct ucred *creds,
                  const char *name, struct addr *addr);

#endif
