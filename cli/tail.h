/*
 * The last lines of one actor's output, as sys/log has them.
 */
#ifndef TROUPE_CLI_TAIL_H
#define TROUPE_CLI_TAIL_H

#include "client.h"

/* sys/log, in the node where a place is. */
void tail_mailbox(const char *place, char out[MAILBOX_MAX]);

enum { LOG_WORDS_A_LINE = 4 }; /* PATH STREAM WALL_US TEXT */

/* Appends at most count lines' texts. Nothing when there is no log, or it is silent for 1 s. */
void tail_read(struct client *client, const char *place, unsigned count, struct words *lines);

#endif
