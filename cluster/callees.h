/*
 * The side of the switchboard that faces mailboxes of this node which processes of others speak to: each is
 * dialled here for them. Private to the switchboard.
 */
#ifndef TROUPE_CLUSTER_CALLEES_H
#define TROUPE_CLUSTER_CALLEES_H

#include "channel.h"
#include "switchboard.h"

/* Frames of channels that the other node has opened. NULL; or what a sys/node does not say: the session
 * must end. */
const char *callees_take_open(struct switchboard_side *side, const struct channel_frame *frame);
const char *callees_take_forth(struct switchboard_side *side, const struct channel_frame *frame);
void callees_take_shut(struct switchboard_side *side, const struct channel_frame *frame);

/* The session has ended: so do its channels. */
void callees_end(struct switchboard_side *side);
/* All that a process had sent to a mailbox has gone there: what it has sent since may follow. */
void callees_on_parted(struct partings *partings, const char *name);
/* It has room again: answers are taken from all mailboxes. */
void callees_drained(struct switchboard_side *side);
size_t callees_count(const struct switchboard_side *side);

#endif
