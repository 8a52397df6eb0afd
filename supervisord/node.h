/*
 * What every supervisor of one node shares: read once by the root before it forks, constant after.
 */
#ifndef TROUPE_NODE_H
#define TROUPE_NODE_H

#include "addr.h"
#include "cgroup.h"
#include "rights.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct node {
    char name[ADDR_PART_MAX + 1];
    char run_dir[PATH_MAX];
    char state_dir[PATH_MAX];
    char program[PATH_MAX]; /* troupe-supervisord itself */
    uint64_t generation;    /* random, once in the root's life */
    int64_t started_us;     /* wall clock */
    pid_t guard;
    int lock_fd;            /* shared open file: free when the last supervisor is gone */
    struct cgroup_base cgroup;
    struct rights rights;
    bool is_clustered; /* services are shared with other nodes: sys/node places their actors */
};

#endif
