/*
 * Descriptors 0 to 6 of every process that we fork have fixed meanings (lib/boot.h). A supervisor
 * keeps its own descriptors above them, so that a child can put its own there with plain dup2.
 */
#ifndef TROUPE_SLOTS_H
#define TROUPE_SLOTS_H

enum { SLOT_FIRST_FREE = 7 };

/* Fills whatever is closed of 0-6 with /dev/null. 0 or -1. */
int slots_reserve(void);
/* Moves a descriptor out of the slots (CLOEXEC); returns its new number, or -1. */
int slots_move_up(int fd);
/* In a child: puts `from` at slot `to` (inheritable), or closes the slot when from is -1. 0 or -1. */
int slots_put(int from, int to);
/* In a child: closes everything above the slots. */
void slots_close_rest(void);

#endif
