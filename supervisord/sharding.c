#include "sharding.h"

#include <stdlib.h>

unsigned shards_for(uint32_t max)
{
    return max > SHARD_ROOM ? (max + SHARD_SIZE - 1) / SHARD_SIZE : 0;
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
