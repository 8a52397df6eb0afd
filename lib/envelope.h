/*
 * Troupe's envelope (PROTOCOL 2): fixed little-endian header, addresses, payload. Pure: a decoder
 * takes a byte range and gives a view into it or an error, allocates nothing, never reads past it.
 */
#ifndef TROUPE_ENVELOPE_H
#define TROUPE_ENVELOPE_H

#include "addr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum envelope_kind {
    ENVELOPE_HELLO = 1,
    ENVELOPE_CAST,
    ENVELOPE_CALL,
    ENVELOPE_REPLY,
    ENVELOPE_ERROR,
    ENVELOPE_EVENT,
    ENVELOPE_CONTROL,
    ENVELOPE_CONTROL_REPLY,
};

enum { ENVELOPE_TYPED = 1, ENVELOPE_WANTS_UNDELIVERED = 2 };

enum {
    ENVELOPE_VERSION = 1,
    ENVELOPE_FIXED_SIZE = 32, /* version … type_len: what follows stands aligned */
    ENVELOPE_MAX_BLOCKED = 32,
    ENVELOPE_ADDRESS_MAX = ADDR_TEXT_MAX, /* bytes of `to` and of `from`: any address fits */
    ENVELOPE_NAME_MAX = 255,              /* of `type` */
    ENVELOPE_HEADER_MAX = ENVELOPE_FIXED_SIZE + ENVELOPE_MAX_BLOCKED * 8 +
                          2 * ENVELOPE_ADDRESS_MAX + ENVELOPE_NAME_MAX,
};

/* A text inside the envelope: not NUL-terminated. */
struct envelope_text {
    const char *at;
    uint16_t length;
};

struct envelope {
    uint8_t kind;
    uint16_t flags;
    uint64_t ref;         /* pairs a reply with its request */
    uint64_t deadline_us; /* CLOCK_MONOTONIC, absolute; 0: none */
    uint16_t blocked_count;
    uint64_t blocked[ENVELOPE_MAX_BLOCKED]; /* the waits that this call is part of (call.c); the
                                             * first blocked_count are set */
    struct envelope_text to, from, type;
    const void *payload;
    uint32_t payload_size;
};

/* Decodes exactly `size` bytes. Returns 0; or -1 with *why a static phrase ("version 9: expected 1",
 * "flags", "kind", "length", "blocked", "text"). */
int envelope_decode(const uint8_t *bytes, size_t size, struct envelope *env, const char **why);

/* Encodes all but the payload into header[]; returns its length (always ≤ ENVELOPE_HEADER_MAX): what is
 * over a bound above is cut off. */
size_t envelope_encode_header(const struct envelope *env, uint8_t header[ENVELOPE_HEADER_MAX]);

/* Of at most ENVELOPE_ADDRESS_MAX bytes: the rest is left out. */
struct envelope_text envelope_text(const char *nul_terminated);
int envelope_text_copy(struct envelope_text text, char *out, size_t size); /* -1 when it does not fit */
int envelope_text_equals(struct envelope_text text, const char *nul_terminated);

#endif
