/*
 * Memory for a newborn module: one block of its own for the actor, its state and libev's first
 * arrays. Taken from the inherited heap, they would lie wherever the supervisor has left a gap, and
 * each page written there is a page copied: 30 of them, a fifth of a start and of an idle module's
 * memory.
 */
#ifndef TROUPE_NURSERY_H
#define TROUPE_NURSERY_H

#include <stddef.h>

/* Lays the block out, with room for `size` bytes, and lets libev have what is left of it.
 * 0, or -1 with errno. Once in a process. */
int nursery_open(size_t size);
/* Zeroed; never given back. NULL when there is no room. */
void *nursery_take(size_t size);

#endif
