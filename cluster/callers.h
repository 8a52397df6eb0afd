/*
 * The side of the switchboard that faces processes of this node which speak to mailboxes of others: each has
 * dialled sys/node, and says in its HELLO whom it means. Private to the switchboard.
 */
#ifndef TROUPE_CLUSTER_CALLERS_H
#define TROUPE_CLUSTER_CALLERS_H

#include "channel.h"
#include "switchboard.h"

/* For the listener at the mailbox of sys/node; its data is the switchboard. */
extern const struct sp_handlers callers_handlers;

/* How long a process here has to say whom it means, and, when it has gone, what it had sent waits for the
 * HELLO of its mailbox; a variable for the tests. */
extern int64_t callers_patience_ms;

void callers_init(struct switchboard *board);
/* Closes those who have not said whom they mean; the others end with their sessions. */
void callers_finish(struct switchboard *board);
/* The session has ended: all that went by it hear `noconnection`. */
void callers_end(struct switchboard_side *side);
size_t callers_count(const struct switchboard_side *side);

/* Frames of channels that processes here have opened. A process that does not read what comes loses its
 * connection, and nobody else's. NULL; or what a sys/node does not say: the session must end. */
const char *callers_take_back(struct switchboard_side *side, const struct channel_frame *frame);
const char *callers_take_return(struct switchboard_side *side, const struct channel_frame *frame);
void callers_take_ended(struct switchboard_side *side, const struct channel_frame *frame);

#endif
