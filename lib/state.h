/*
 * What an actor keeps in the node's store (troupe.h 9): loaded before its init, saved when it says
 * so or after each function of its author that has changed it. Private to the runtime.
 */
#ifndef TROUPE_STATE_H
#define TROUPE_STATE_H

#include "withheld.h"

#include <stdbool.h>

struct state; /* NULL in struct troupe: the actor keeps nothing */

/* Loads all of it, waiting. 0; or -1: the actor is to end, and says which could not be loaded, and
 * why. */
int state_begin(struct troupe *self);
/* The author's init is over: what it has made of it is what later changes are measured by. */
void state_settle(struct troupe *self);
/* A function of the author has returned: saves what it has changed, if it is to be. */
void state_look(struct troupe *self);
/* Are answers that are given now to be kept back? */
bool state_withholds(const struct troupe *self);
struct withheld_list *state_withheld(struct troupe *self);
/* At the end: saves what is to be, and waits for what is under way, for at most `ms`. */
void state_drain(struct troupe *self, int64_t ms);
void state_finish(struct troupe *self);

#endif
