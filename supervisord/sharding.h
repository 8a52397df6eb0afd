/* How a service with many actors is divided (shards.h). Pure. */
#ifndef TROUPE_SHARDING_H
#define TROUPE_SHARDING_H

#include <stdint.h>

enum {
    SHARD_SIZE = 400, /* actors, on average */
    SHARD_ROOM = 600, /* at most: ids do not spread evenly */
};

/* How many shards a service of so many actors has: 0, when its supervisor holds them itself. */
unsigned shards_for(uint32_t max);
/* The number of a shard by its name, ".3"; -1: no shard has it. */
int shard_number(const char *name);

#endif
