#include "sharding.h"

#include <stdlib.h>

unsigned shards_for(uint32_t max)
{
    return max > SHARD_ROOM ? (max + SHARD_SIZE - 1) / SHARD_SIZE : 0;
}

unsigned shard_of(const char *id, unsigned count)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211ULL;
    return (unsigned)((hash ^ hash >> 32) % count);
}

int shard_number(const char *name)
{
    char *end;
    long number;

    if (*name != '.' || name[1] < '0' || name[1] > '9')
        return -1;
    number = strtol(name + 1, &end, 10);
    return *end || number > INT32_MAX ? -1 : (int)number;
}
