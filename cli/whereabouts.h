/*
 * Where a service has an actor that is not on this node: its row in the store says it, which nodes
 * share (CLUSTER 4).
 */
#ifndef TROUPE_CLI_WHEREABOUTS_H
#define TROUPE_CLI_WHEREABOUTS_H

#include "cli.h"

/* The node that has claimed it; false: none, it is no actor of a service, or the store does not say
 * so soon. One whose node has died counts until somebody asks for it. */
bool whereabouts_find(struct cli *cli, const char *path, char node[ADDR_PART_MAX + 1]);

#endif
