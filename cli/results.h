/*
 * The values of a reply, for people and for programs. Nothing here asks or prints.
 */
#ifndef TROUPE_CLI_RESULTS_H
#define TROUPE_CLI_RESULTS_H

#include "buf.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

struct results {
    char *format; /* a letter each (lib/wire.h) */
    union wire_value *at;
};

/* A typed payload of that format; an untyped one is text or bytes: one value of the format's only
 * letter. 0, or -1: it does not fit. values is then untouched. */
int results_of_payload(const char *format, bool is_typed, const void *payload, size_t size,
                       struct results *results);
/* The fields of a raw line, texts all. 0, or -1: it is none. */
int results_of_line(const void *line, size_t size, struct results *results);
void results_finish(struct results *results);

/* Appends one raw line without a newline: a TAB between them, \t \n \\ escaped. */
void results_write_line(const struct results *results, struct buf *text);
/* Appends a JSON array. Numbers are numbers (what JSON has none for, as NaN, is null); bytes are
 * text when they are UTF-8, else {"base64": "…"}. */
void results_write_json(const struct results *results, struct buf *text);

#endif
