/*
 * The values that an actor says (TROUPE_VALUE): converted to a declared format, written into a raw line,
 * or packed into a payload. Pure but for memory; texts and bytes are borrowed.
 */
#ifndef TROUPE_VALUES_H
#define TROUPE_VALUES_H

#include "buf.h"
#include "troupe.h"
#include "wire.h"

#include <stdbool.h>

enum { VALUES_WHY_SIZE = 256 };

/* Converts values (ends with type 0) to the declared format; format NULL takes them as they are.
 * Fills out[] and out_format, both for WIRE_VALUES_MAX values; texts and bytes are borrowed. Returns
 * the count; or -1 with why. */
int values_convert(const struct troupe_value *values, const char *format, union wire_value *out,
                   char *out_format, char why[VALUES_WHY_SIZE]);
/* The same from unpacked values that own their texts and bytes, in place: given is their format, and stays
 * it on failure. A text that is a number also fits a number, as in a raw line. 0, or -1. */
int values_fit(const char *given, const char *format, union wire_value *values);

/* Appends values to a raw line; a TAB goes before the first of them unless it is the line's first
 * field. 0 or -1 (ENOMEM). */
int values_append(struct buf *line, bool first, const char *format, const union wire_value *values);

/* What values travel as: nothing; the bytes of a single one of bytes, as they are (borrowed); or an image
 * with its types. Free with wire_image_finish(&payload->image). */
struct payload {
    const void *at;
    size_t size;
    bool is_typed;
    struct wire_image image;
};

/* 0, or -1 with EINVAL (a value that cannot travel), ENOMEM. */
int values_pack(const struct troupe_value *values, struct payload *payload);
/* The same, and nothing is borrowed. */
int values_pack_copy(const struct troupe_value *values, struct payload *payload);
/* A copy, of nothing that is borrowed. 0, or -1 (ENOMEM). */
int values_copy_payload(const struct payload *from, struct payload *to);
int values_pack_as(const char *format, const union wire_value *values, struct payload *payload);

#endif
