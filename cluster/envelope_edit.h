/*
 * What sys/node does to envelopes that pass through: it reads as little of them as it can. Pure; a
 * body that is no envelope is let pass, for the mailbox to refuse.
 */
#ifndef TROUPE_CLUSTER_ENVELOPE_EDIT_H
#define TROUPE_CLUSTER_ENVELOPE_EDIT_H

#include "envelope.h"
#include "mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/* A body in parts, with a deadline of its own when it has one. */
struct envelope_parts {
    struct iovec parts[3];
    int count;
    uint8_t deadline[8];
};

/* Clocks of two hosts are never compared: on the wire between nodes a deadline is what is left of
 * it, in microseconds, at least 1 (PROTOCOL 2). parts point into body and into themselves. */
void envelope_to_wire(const uint8_t *body, size_t size, struct mono now,
                      struct envelope_parts *out);
void envelope_from_wire(const uint8_t *body, size_t size, struct mono now,
                        struct envelope_parts *out);

/* The RIGHT_ bits that it needs at `to`, a mailbox; 0 with *why: nobody may send it between nodes.
 */
unsigned envelope_right(const uint8_t *body, size_t size, const char **why);

/* Is it a message to an actor: a call or a cast? */
bool envelope_is_message(const uint8_t *body, size_t size);
bool envelope_is_cast(const uint8_t *body, size_t size);

/* Does it say itself who sends it? Only what sys/node hands on within its node may (fanout.h): between
 * nodes, and from who is not sys/node, it is a name that anybody could have chosen. */
bool envelope_has_sender(const uint8_t *body, size_t size);

enum { ENVELOPE_REFUSAL_MAX = ENVELOPE_HEADER_MAX + 512 };

/* The ERROR that tells the sender of a request that it will not be handled, and why. Returns its
 * size; 0 when the envelope is none that wants to hear of it. */
size_t envelope_refusal(const uint8_t *body, size_t size, const char *reason,
                        uint8_t out[ENVELOPE_REFUSAL_MAX]);

#endif
