/*
 * Messages in frames of at most 64 kB (CLUSTER 1), the receiving side: one that is larger comes in
 * chunks, with chunks of others between them. Pure but for memory, which is bounded by what a peer
 * may have begun at a time, and taken as bytes come, not as they are promised. outbound.h is the
 * other side.
 *
 * A frame's body: kind, and little-endian
 *   WHOLE  the message
 *   FIRST  u32 number · u32 size of the whole message · its first bytes
 *   MORE   u32 number · the next bytes: it is whole when its size is reached, and the number free
 * again
 */
#ifndef TROUPE_CLUSTER_CHUNKS_H
#define TROUPE_CLUSTER_CHUNKS_H

#include "buf.h"

#include <stddef.h>
#include <stdint.h>

enum {
    CHUNKS_FRAME_MAX = 65536,       /* of a body */
    CHUNKS_MESSAGE_MAX = 17 << 20,  /* a payload of 16 MiB and what is around it */
    CHUNKS_BEGUN_MAX = 1024,        /* messages begun and not whole */
    CHUNKS_PROMISED_MAX = 64 << 20, /* bytes of all of them */
    CHUNKS_WHY_SIZE = 80,
};

enum chunk_kind { CHUNK_WHOLE = 32, CHUNK_FIRST, CHUNK_MORE };
enum { CHUNK_FIRST_HEADER = 9, CHUNK_MORE_HEADER = 5 };

struct chunks {
    struct assembly *begun;
    struct buf last; /* what was handed out last */
    size_t promised;
    char why[CHUNKS_WHY_SIZE];
};

void chunks_init(struct chunks *chunks);
void chunks_finish(struct chunks *chunks);
/* A frame's body has come. 1: a message is whole, valid until the next call; 0: not yet; -1: not
 * what a peer says, with why in the struct. */
int chunks_receive(struct chunks *chunks, const uint8_t *body, size_t size, const uint8_t **message,
                   size_t *message_size);

#endif
