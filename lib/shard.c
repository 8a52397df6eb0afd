#include "shard.h"

#include <stdint.h>

unsigned shard_of(const char *id, unsigned count)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */

    for (; *id; id++)
        hash = (hash ^ (unsigned char)*id) * 1099511628211ULL;
    return (unsigned)((hash ^ hash >> 32) % count);
}
