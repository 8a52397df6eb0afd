/*
 * Messages made of fields, each one byte of length and that many bytes, numbers little-endian: the
 * language of the handshake. Reading and writing remember the first mistake, so that a message is
 * written down as the list of its fields and asked once at the end. Pure; never outside the given
 * range.
 */
#ifndef TROUPE_CLUSTER_FIELDS_H
#define TROUPE_CLUSTER_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fields_writer {
    uint8_t *at;
    size_t size, used;
    bool is_full; /* something did not fit: what is there is of no use */
};

void fields_put(struct fields_writer *writer, const void *bytes, size_t size);
void fields_put_number(struct fields_writer *writer, uint64_t value, size_t bytes);
void fields_put_text(struct fields_writer *writer, const char *text);

struct fields_reader {
    const uint8_t *at;
    size_t size, used;
    bool is_bad; /* a field was missing or of another length than expected */
};

/* A field of exactly this many bytes; out is zeroed when there is none. */
void fields_get(struct fields_reader *reader, void *out, size_t size);
uint64_t fields_get_number(struct fields_reader *reader, size_t bytes);
/* A text without NUL of less than size bytes, terminated; "" when there is none. */
void fields_get_text(struct fields_reader *reader, char *out, size_t size);
/* Was everything there, and nothing more? */
bool fields_are_done(const struct fields_reader *reader);

#endif
