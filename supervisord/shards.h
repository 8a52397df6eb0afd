/*
 * Shards: a service with many actors spreads them over inner supervisors, since none holds more than some
 * hundred well (ARCHITECTURE 5). They are its front's children `.0`, `.1` …; which of them has an id follows
 * from the id. Nobody else knows of them: an actor's path and mailbox are as if there were none, and whoever
 * asks about it asks the front, which passes questions on, and answers back. Questions about all are asked of
 * all.
 */
#ifndef TROUPE_SHARDS_H
#define TROUPE_SHARDS_H

#include "requests.h"
#include "sharding.h"

#include <stdbool.h>
#include <stdint.h>

struct relay;
struct gathering;

struct shards {
    struct supervisor *supervisor;
    unsigned count;        /* of a front; 0: it is none, and nothing below is used */
    bool is_shard;         /* one of those */
    unsigned index, of;    /* … and which */
    struct relay *relays;  /* questions that were passed on, and are not over */
    struct gathering *gatherings;
    bool is_listening; /* to the events of each shard: somebody has asked for them */
};

void shards_init(struct shards *shards, struct supervisor *supervisor);
void shards_finish(struct shards *shards);

/* Does the front pass this on? False: it is the front's own, or this is no front. */
bool shards_take(const struct request *request, const char *verb);
/* Lets an asker go. */
void shards_drop_peer(struct shards *shards, const struct peer *peer);

/* Is an actor at this path, which a supervisor of this path would have, one of ours? Not, if another shard
 * has it. */
bool shards_have(const struct supervisor *supervisor, const char *path);

#endif
