/*
 * What waits to be sent to one peer (CLUSTER 1): bounded in bytes; when it is full the answer is
 * `overloaded` (EAGAIN), never a wait and never more memory. Messages of one lane (a sender and its
 * target) stay in order; lanes take turns, so that a large message, which goes in chunks, holds up
 * nobody but its own lane. Pure but for memory. chunks.h is the other side.
 */
#ifndef TROUPE_CLUSTER_OUTBOUND_H
#define TROUPE_CLUSTER_OUTBOUND_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { OUTBOUND_LIMIT = 8 << 20, OUTBOUND_LIMIT_MAX = 32 << 20, OUTBOUND_TURN = 16384 };

struct outbound {
    size_t limit, queued; /* bytes, with what it costs to keep them */
    size_t messages;
    struct lane *lanes, *ring; /* by key; those in turn: all of them */
    uint32_t next_number;      /* of a message in chunks */
};

/* limit: bytes, at most OUTBOUND_LIMIT_MAX, so that all that is begun is within what the other side
 * takes; 0: OUTBOUND_LIMIT. */
void outbound_init(struct outbound *outbound, size_t limit);
void outbound_finish(struct outbound *outbound);

/* Queues one message of n parts (copied). A queue that is less than half full takes any message. 0;
 * or -1 with EAGAIN (overloaded), EMSGSIZE (over CHUNKS_MESSAGE_MAX). */
int outbound_push(struct outbound *outbound, uint64_t lane, const struct iovec *parts, int n);
/* Is it less than half full? */
bool outbound_has_room(const struct outbound *outbound);
/* As outbound_push(), whether there is room or not: for the rest of what had room when it began. */
int outbound_insist(struct outbound *outbound, uint64_t lane, const struct iovec *parts, int n);
/* Appends frames, with their SP headers, until out holds at least budget bytes or nothing is left.
 */
void outbound_take(struct outbound *outbound, struct buf *out, size_t budget);

#endif
