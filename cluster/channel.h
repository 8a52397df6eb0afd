/*
 * Channels: what a session carries besides the nodes' own talk. A channel is one connection to a
 * mailbox, stretched over a session: a process here has dialled sys/node and said in its HELLO whom
 * it means, and the other node's sys/node has dialled that mailbox for it. Whole envelopes go forth
 * and back in order, with their refs untouched; one end's end is told to the other. Pure: views in,
 * bytes out.
 *
 *   OPEN   id, to, from   by the side of the dialer: `to` is a path there, `from` PATH@NODE#N
 *   FORTH  id, envelope   to the mailbox; not before its HELLO has come BACK
 *   BACK   id, envelope   to the dialer: an answer or an event, never a message
 *   SHUT   id             the dialer says no more; one that the other does not have (any more) is
 *                         answered by ENDED, behind all that is returned
 *   ENDED  id, reason     the mailbox has ended, or was not reached: `noproc`, `denied`, `closed`
 *   RETURN id, envelope   to the dialer: a CALL or CAST that went forth, and that the mailbox did not
 *                         take before it ended: to go again, before all that was not sent yet
 *
 * The id is chosen by the side of the dialer, anew for each channel of a session.
 */
#ifndef TROUPE_CLUSTER_CHANNEL_H
#define TROUPE_CLUSTER_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

enum channel_kind {
    CHANNEL_OPEN = 0x10, /* apart from the first bytes of all else that a session says */
    CHANNEL_FORTH,
    CHANNEL_BACK,
    CHANNEL_SHUT,
    CHANNEL_ENDED,
    CHANNEL_RETURN,
};

enum {
    CHANNEL_HEAD = 5,
    CHANNEL_TEXT_MAX = 600,
    CHANNEL_OPEN_MAX = CHANNEL_HEAD + 4 + 2 * CHANNEL_TEXT_MAX,
};

struct channel_frame {
    enum channel_kind kind;
    uint32_t id;
    const uint8_t *body; /* FORTH, BACK, RETURN: an envelope; ENDED: the reason's text */
    size_t size;
    const char *to, *from; /* OPEN: not NUL-terminated */
    size_t to_size, from_size;
};

/* Exactly these bytes. 0, or -1 with *why. */
int channel_decode(const uint8_t *bytes, size_t size, struct channel_frame *frame,
                   const char **why);

/* The head that every frame begins with. */
void channel_head(enum channel_kind kind, uint32_t id, uint8_t out[CHANNEL_HEAD]);
/* A whole OPEN. Returns its size, or 0: a text is longer than CHANNEL_TEXT_MAX. */
size_t channel_open(uint32_t id, const char *to, const char *from, uint8_t out[CHANNEL_OPEN_MAX]);

#endif
