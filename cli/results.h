/*
 * The values of a reply, for people and for programs. Nothing here asks or prints.
 */
#ifndef TROUPE_CLI_VALUES_H
#define TROUPE_CLI_VALUES_H

#include "buf.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

struct values {
    char *format; /* a letter each (lib/wire.h) */
    union wire_value *at;
};

/* A typed payload of that format; an untyped one is text or bytes: one value of the format's only
 * letter. 0, or -1: it does not fit. values is then untouched. */
int values_of_payload(const char *format, bool is_typed, const void *payload, size_t size,
                      struct values *values);
/* The fields of a raw line, texts all. 0, or -1: it is none. */
int values_of_line(const void *line, size_t size, struct values *values);
void values_finish(struct values *values);

/* Appends one raw line without a newline: a TAB between them, \t \n \\ escaped. */
void values_write_line(const struct values *values, struct buf *text);
/* Appends a JSON array. Numbers are numbers (what JSON has none for, as NaN, is null); bytes are
 * text when they are UTF-8, else {"base64": "…"}. */
void values_write_json(const struct values *values, struct buf *text);

#endif
