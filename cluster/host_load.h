/*
 * How full this host is, in percent of what its node allows its services to find (CONFIG,
 * `max_memory`, `max_load`): the memory that is not available, and the load of the last minute for
 * each processor. At 100 it takes no more actors.
 */
#ifndef TROUPE_CLUSTER_HOST_LOAD_H
#define TROUPE_CLUSTER_HOST_LOAD_H

#include <stdint.h>

struct host_limits {
    uint32_t max_memory; /* percent of the host's; 0: none */
    double max_load;     /* for each processor; 0: none */
};

/* The part of memory that is not available, 0 to 1, by the text of /proc/meminfo; 0 where it does
 * not say. Pure. */
double host_load_memory(const char *meminfo);
/* The load for each of so many processors, by the text of /proc/loadavg; 0 where it does not say.
 * Pure. */
double host_load_load(const char *loadavg, long processors);
/* `part` in percent of `allowed`, of which nothing is below 100 that has reached it; allowed 0:
 * none, and 0. Pure. */
uint32_t host_load_percent(double part, double allowed);

/* Both, now; what cannot be read is 0. */
void host_load_read(const struct host_limits *limits, uint32_t *memory_percent,
                    uint32_t *load_percent);

#endif
