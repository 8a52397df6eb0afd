/*
 * The messages of exchange.h as bytes. Texts have their length, 16 bits, before them; numbers are
 * little-endian; a message begins with its kind. Writing appends to a buffer; reading gives views
 * that are copied to be terminated, remembers the first mistake, and never reads past the range.
 */
#ifndef TROUPE_CLUSTER_EXCHANGE_WIRE_H
#define TROUPE_CLUSTER_EXCHANGE_WIRE_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exchange_kind {
    EXCHANGE_SNAPSHOT = 1, /* u8 which part · (scope group address u32 count)… */
    EXCHANGE_JOIN,         /* scope group address… */
    EXCHANGE_LEAVE,        /* the same */
    EXCHANGE_PEERS,        /* (name url)… : with whom we have sessions */
    /* Between nodes that run services, told by registry.h and places.h; exchange.h hands them on. */
    REGISTRY_CONFIRM, /* fields (fields.h): generation of who says it, of whom it is said to, a time of the
                         asker's: these four */
    REGISTRY_CONFIRMED,
    REGISTRY_ASK,
    REGISTRY_PROMISE,
    PLACES_HOST,   /* u32 number · service id */
    PLACES_HOSTED, /* u32 number · u8 outcome · node, or why not */
};

enum { EXCHANGE_FIRST = 1, EXCHANGE_LAST = 2 }; /* parts of a snapshot; both: all of it */

enum { EXCHANGE_TEXT_MAX = 1023 };

void exchange_put_byte(struct buf *out, uint8_t value);
void exchange_put_number(struct buf *out, uint32_t value);
void exchange_put_text(struct buf *out, const char *text);

struct exchange_reader {
    const uint8_t *at;
    size_t left;
    bool is_bad;
};

uint8_t exchange_get_byte(struct exchange_reader *reader);
uint32_t exchange_get_number(struct exchange_reader *reader);
/* Terminated, "" when it is bad: too long, not all there, or with a NUL inside. */
void exchange_get_text(struct exchange_reader *reader, char out[EXCHANGE_TEXT_MAX + 1]);
/* Is there more to be read? */
bool exchange_has_more(const struct exchange_reader *reader);

#endif
