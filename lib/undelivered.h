/*
 * Casts that could not be delivered: found in what was left of a connection, or refused by who got them;
 * and told to the author's function `undelivered`, if there is one. Private to the runtime.
 */
#ifndef TROUPE_UNDELIVERED_H
#define TROUPE_UNDELIVERED_H

#include "agenda.h"
#include "buf.h"
#include "envelope.h"

struct troupe;

enum { UNDELIVERED_MAX = 1000 }; /* that wait to be told; what is more is counted */

struct undelivered {
    unsigned waiting;
    uint64_t lost; /* how many were not told */
    struct agenda_item owed; /* that number */
};

/* Does the author want to hear of them? */
int undelivered_flags(const struct troupe *self);
/* One cast. */
void undelivered_cast(struct troupe *self, const char *to, const char *name, const char *why);
/* One that its receiver has refused, in an ERROR without a number. */
void undelivered_refused(struct troupe *self, const char *to, const struct envelope *env);
/* All casts in whole frames that were sent to `to`. */
void undelivered_frames(struct troupe *self, const char *to, const struct buf *frames, const char *why);

#endif
