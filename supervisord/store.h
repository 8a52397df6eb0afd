/*
 * The store: where the specs of a running node lie. A fork takes along only what its parent lends, so
 * that no module or program carries the configuration of the whole node: 1,000 specs are 330 pages,
 * which each fork would enter into the tables of the new process, and each end take out again.
 * Memory that is taken stays taken.
 */
#ifndef TROUPE_STORE_H
#define TROUPE_STORE_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory, aligned for anything; NULL with errno. */
void *store_take(size_t size);
/* Do the forks that follow take the store along? At first they do not; a process that was lent it says
 * for itself. At worst, where the kernel refuses, they do. */
void store_lend(bool lent);

#endif
