/*
 * Memory that lies close together, for processes that fork or were forked. On the inherited heap a
 * block lies wherever an earlier life has left a gap, and each page that is written there is a page
 * copied, kept by whoever was forked meanwhile: 20 pages of each module, and as many of its
 * supervisor at each fork. Here blocks of all sizes are cut one after the other, and a block that
 * is given back is the next of its size to be taken.
 *
 * One nest a process, of the thread that opened it; blocks may be given back by others.
 * nest_calls.c has what is linked with it take all its memory here.
 */
#ifndef TROUPE_NEST_H
#define TROUPE_NEST_H

#include <stdbool.h>
#include <stddef.h>

/* The nest has so many bytes from now on, which take no memory before they are used. One that is
 * there already, in a process that was forked, goes on with what it has left: what an earlier life
 * has given back is not taken again, so that this one is on pages of its own. 0, or -1 with errno:
 * nothing can be taken then. */
int nest_open(size_t room);
/* All that was taken is gone, and nothing can be taken any more. */
void nest_leave(void);
/* Do the processes that are forked from now on have no nest, nor anything that was taken? They have to
 * nest_leave() before they take anything. At worst, where the kernel refuses, they have it all the same. */
void nest_withhold(bool withheld);
/* Aligned for everything, with any content. NULL, with errno as it was: there is no nest, it has no
 * room, the size is beyond what it is for, or it is another thread's. */
void *nest_take(size_t size);
bool nest_has(const void *block);
/* How many bytes a block has room for: as many as were asked for, or a few more. */
size_t nest_size(const void *block);
void nest_give(void *block);

#endif
