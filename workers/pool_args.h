/*
 * What a pool is told in its spec (`args:`), checked before it starts. One table gives the names,
 * the bounds and the words of the errors. Pure.
 */
#ifndef TROUPE_WORKERS_POOL_ARGS_H
#define TROUPE_WORKERS_POOL_ARGS_H

#include "pool_queue.h"
#include "pool_route.h"

#include <stdint.h>

enum {
    POOL_NAMED_MAX = 16, /* messages that have a priority of their own */
    POOL_NAME_SIZE = 64, /* of such a message's name, with its NUL */
    POOL_WORKERS_SIZE = 512,
    POOL_SIZE_MAX = 10000,
    POOL_WHY_SIZE = 256,
};

struct pool_named {
    char name[POOL_NAME_SIZE];
    unsigned priority;
};

struct pool_args {
    char workers[POOL_WORKERS_SIZE]; /* their supervisor: a name beside the pool, or a path */
    uint64_t size;                   /* how many; 0: as many as there are */
    enum pool_routing route;
    uint64_t field;      /* number of the argument with the key or the worker's name, from 1 */
    uint64_t each;       /* jobs that a worker has at once */
    uint64_t queue;      /* jobs that wait at most */
    uint64_t bytes;      /* … and bytes of their arguments */
    enum pool_full full; /* what goes when one more comes */
    uint64_t priority;   /* number of the argument that gives it, from 1; 0: none */
    struct pool_named named[POOL_NAMED_MAX];
    unsigned named_count;
    int64_t ttl_ms;       /* 0: no limit */
    uint64_t rate, burst; /* jobs a second, and at once; rate 0: no limit */
    uint64_t retries;     /* of jobs whose worker went down */
    int64_t stuck_ms;     /* 0: no dead man's switch */
};

/* As when nothing is said. */
void pool_args_init(struct pool_args *args);
/* One of them. 0; or -1 with why, a line that names the key: "route: \"keys\": expected …". */
int pool_args_set(struct pool_args *args, const char *key, const char *value,
                  char why[POOL_WHY_SIZE]);
/* All of them together. As above. */
int pool_args_check(struct pool_args *args, char why[POOL_WHY_SIZE]);

/* The priority of messages of this name, or POOL_PRIORITY. */
unsigned pool_args_priority(const struct pool_args *args, const char *name);

#endif
