/*
 * What became of something that an author has asked for, told to a function of his when the actor
 * is free (troupe.h 9). Private to the runtime.
 */
#ifndef TROUPE_VERDICT_H
#define TROUPE_VERDICT_H

#include "troupe.h"

struct verdict;

/* on_saved may be NULL. To be posted, or given to free(). NULL: ENOMEM. */
struct verdict *verdict_create(troupe_on_saved *on_saved, void *data);
/* Owes it; verdict is freed then. failure: copied, or NULL. Fits saving_done. */
void verdict_post(struct troupe *self, const char *failure, void *verdict);

#endif
