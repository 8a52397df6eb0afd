/*
 * The guard (SEMANTICS 2): the first process of a node. A subreaper with no loop and no config that
 * only waits: when the root ends, however it ends, whatever is left of the node comes to the guard
 * and is killed; then the guard ends with the root's status.
 */
#ifndef TROUPE_GUARD_H
#define TROUPE_GUARD_H

#include "cgroup.h"

#include <stdbool.h>

/* Forks the root and returns in it (the guard's pid is getppid()). In the guard it never returns;
 * its last act is to end the node's cgroup.
 * foreground: the node ends in order when the process that started it does. quiet: the guard lets go
 * of standard output and error, which the starter may be waiting on. -1 with errno. */
int guard_split(bool foreground, bool quiet, const struct cgroup_base *cgroup);

#endif
