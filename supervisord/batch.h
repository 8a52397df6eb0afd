/*
 * The batch: the stops and starts that a supervisor has before it, as strategy.c sees them and as
 * the children carry them out. Translates between the two; decides nothing.
 */
#ifndef TROUPE_BATCH_H
#define TROUPE_BATCH_H

#include "strategy.h"
#include "supervisor.h"

/* All children as seats, in start order. Valid until asked for again; the room is made when a child
 * is added, so that a decision needs no memory. */
struct seat *batch_seats(const struct supervisor *supervisor);
/* Gives the children what the strategy has written into those seats. */
void batch_take(struct supervisor *supervisor, const struct seat *seats);
/* Carries out one step. True when there may be another at once; *what tells why not. */
bool batch_step(struct supervisor *supervisor, enum step *what);

#endif
