/*
 * Subscriptions of this actor to what others publish (troupe.h 6; audience.h has the other side and
 * what is said between them). Each ends exactly once, by its owner or with a reason. Private to the
 * runtime.
 */
#ifndef TROUPE_SUBSCRIPTION_H
#define TROUPE_SUBSCRIPTION_H

#include "contact.h"
#include "message.h"
#include "troupe.h"

/* What waits for a busy actor, for each subscription. More is counted, and told as a gap: answers
 * come on the same connection, so it is read in any case. */
enum {
    SUBSCRIPTION_EVENTS = 10000,
    SUBSCRIPTION_BYTES = 8 * 1024 * 1024,
    SUBSCRIPTION_END_MS = 1000, /* for the reason of an end */
};

struct subscriptions {
    struct subscription *all; /* by number */
};

void subscriptions_finish(struct troupe *self);

/* What contact.c reports. */
void subscription_on_event(struct contact *contact, const struct envelope *env);
/* The connection to `remote` (address with incarnation) has ended. */
void subscription_on_lost(struct contact *contact, const char *remote);

#endif
