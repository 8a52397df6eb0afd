/*
 * Waiting for a node's end: nobody holds its lock any more, and its run directory is cleared, or
 * another node's by now.
 */
#ifndef TROUPE_CLI_ENDING_H
#define TROUPE_CLI_ENDING_H

#include "client.h"

struct ending;

/* Notes which node is meant, while it is there. */
struct ending *ending_create(struct client *client);
/* Returns when that node is gone. killed: nobody is left to clear its directory. */
void ending_wait(struct ending *ending, bool killed);
/* Takes NULL. */
void ending_destroy(struct ending *ending);

#endif
