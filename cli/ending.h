/*
 * Waiting for a node's end: its lock is free, and its run directory holds nothing any more.
 */
#ifndef TROUPE_CLI_ENDING_H
#define TROUPE_CLI_ENDING_H

#include "client.h"

/* Returns when the node is gone. killed: nobody is left to clear its directory. */
void ending_wait(struct client *client, bool killed);

#endif
