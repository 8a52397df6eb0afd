/*
 * What a switchboard says over a session, frame by frame (channel.h). Requests find room or are refused; what
 * keeps both sides in step, and answers, always go. Private to the switchboard.
 */
#ifndef TROUPE_CLUSTER_TRUNK_H
#define TROUPE_CLUSTER_TRUNK_H

#include "channel.h"
#include "envelope_edit.h"
#include "switchboard.h"

/* A frame with a body in at most 3 parts, copied. 0; or -1 with EAGAIN: a FORTH found no room. */
int trunk_send_parts(struct switchboard_side *side, enum channel_kind kind, uint32_t id,
                     const struct envelope_parts *body);
/* The same with a body in one part. */
int trunk_send(struct switchboard_side *side, enum channel_kind kind, uint32_t id, const void *bytes,
               size_t size);
void trunk_open(struct switchboard_side *side, uint32_t id, const char *to, const char *from);
void trunk_tell_ended(struct switchboard_side *side, uint32_t id, const char *reason);

#endif
