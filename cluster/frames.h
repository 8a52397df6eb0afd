/*
 * A peer's bytes, cut into frames: the 8 bytes of an SP PAIR0 header, then `01`, a length of 64
 * bits, big-endian, and that many bytes (PROTOCOL 1). Pure but for memory. A length is held against
 * the limit before a byte of its body is kept: what a stream can make us hold is one frame within
 * the limit and what was fed at once.
 */
#ifndef TROUPE_CLUSTER_FRAMES_H
#define TROUPE_CLUSTER_FRAMES_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FRAMES_PREFACE = 8, FRAMES_HEADER = 9, FRAMES_WHY_SIZE = 80 };

struct frames {
    struct buf in;
    size_t limit; /* bytes of a body; may be raised between frames */
    size_t taken; /* of the frame that was handed out last */
    bool is_greeted;
    char why[FRAMES_WHY_SIZE];
};

void frames_init(struct frames *frames, size_t limit);
void frames_finish(struct frames *frames);

/* Bytes have come. */
void frames_feed(struct frames *frames, const void *bytes, size_t size);
/* The next body, valid until the next call. 1; 0: not whole yet; -1: not what a peer says, with why
 * in the struct, and so for ever. */
int frames_next(struct frames *frames, const uint8_t **body, size_t *size);
/* Has a frame begun that is not whole? */
bool frames_has_part(const struct frames *frames);

void frames_write_preface(uint8_t out[FRAMES_PREFACE]);
void frames_write_header(uint64_t body_size, uint8_t out[FRAMES_HEADER]);

#endif
