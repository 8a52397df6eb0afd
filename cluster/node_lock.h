/*
 * The lock of a node's run directory, which its root and all of its supervisors hold (SEMANTICS 10): free
 * means that they are gone, and their service actors with them. Nodes tell each other where theirs is, so that
 * on one host nobody has to wait for a lease to end (CLUSTER 4). As a text without spaces:
 *
 *     BOOT:DEVICE:INODE:PATH
 *
 * of one start of one kernel, and of one file, so that a file of that name elsewhere is not taken for it.
 */
#ifndef TROUPE_CLUSTER_NODE_LOCK_H
#define TROUPE_CLUSTER_NODE_LOCK_H

#include <stdbool.h>

enum { NODE_LOCK_MAX = 511 };

/* "" where it cannot be told. */
void node_lock_text(const char *run_dir, char out[NODE_LOCK_MAX + 1]);
/* own: this node's, of this start of this kernel. False: it is held, or of another host, or cannot be found
 * out. */
bool node_lock_is_free(const char *text, const char *own);

#endif
