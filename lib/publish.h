/*
 * Publishing (troupe.h 6): to the actors that listen (audience.h) and to nng's SUB dialers; and
 * what was shared last under each topic, for those who come later. Private to the runtime.
 */
#ifndef TROUPE_PUBLISH_H
#define TROUPE_PUBLISH_H

#include "audience.h"

#include <stdbool.h>

struct shared;
struct troupe_message;

struct publishing {
    LIST_HEAD(, audience) audiences;
    struct shared *shared; /* by topic; the least recently shared comes first */
};

void publish_finish(struct troupe *self);

/* Is this a request of another actor's runtime to subscribe, or to hear no more? */
bool publish_is_request(const struct troupe_message *message);
/* Does what it asks, and answers. */
void publish_on_request(struct troupe *self, struct troupe_message *message);

#endif
