/*
 * The satchel: what a newborn takes along of its supervisor's memory. It is packed before the fork:
 * what the newborn is told and what its spec says of it then lie on two or three pages side by
 * side, all else stays behind (nest_withhold()), and the newborn computes nothing that its
 * supervisor, whose pages are at hand, could compute for it. A fork copies less, and neither of the
 * two writes on what the other still has: 25 of the 80 pages of an actor's start.
 */
#ifndef TROUPE_SATCHEL_H
#define TROUPE_SATCHEL_H

#include <stddef.h>

enum { SATCHEL_SIZE = 32768 };

/* Empties it: there is one at a time in a process. */
void satchel_open(void);
/* Aligned for everything, with any content. NULL: it is full. */
void *satchel_take(size_t size);
/* A copy. NULL: it is full, or bytes is NULL. */
void *satchel_keep(const void *bytes, size_t size);
char *satchel_keep_text(const char *text);
/* What is left, for who does not know yet how much he needs; he then takes just that, at the same
 * place. */
char *satchel_room(size_t *size);

#endif
