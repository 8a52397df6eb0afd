/*
 * Epochs without a store: numbers for the starts of service actors, of which none is ever given twice
 * on this node, whatever is killed when (CLUSTER 4). One file in the node's state directory holds the
 * first number that nobody has taken; each supervisor takes many at a time, so that a start needs no
 * disk. Numbers that were taken and not used are lost.
 */
#ifndef TROUPE_EPOCHS_H
#define TROUPE_EPOCHS_H

#include <stdint.h>

struct epochs {
    const char *state_dir;
    uint64_t next, end; /* those taken and not given yet: next … end - 1 */
};

/* state_dir outlives it. Touches no disk. */
void epochs_init(struct epochs *epochs, const char *state_dir);
/* A new one, from 1; 0 with errno, when the file cannot be read or written. */
uint64_t epochs_take(struct epochs *epochs);

#endif
