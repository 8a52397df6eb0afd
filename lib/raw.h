/*
 * The raw line (PROTOCOL 1): MESSAGE, then arguments, TAB-separated, with \t \n \\ escaped. Pure.
 */
#ifndef TROUPE_RAW_H
#define TROUPE_RAW_H

#include "buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Splits a body into fields, unescaped in place (each NUL-terminated; body[size] must be writable).
 * One trailing newline is dropped. Returns the number of fields; or -1 with *why a static phrase
 * (bad escape, NUL byte, more than max fields). */
int raw_split(char *body, size_t size, char **fields, int max, const char **why);

/* Appends one field, escaped; a TAB goes before it unless it is the first. 0 or -1 (ENOMEM). */
int raw_append(struct buf *line, const char *field, size_t length);
/* The same, where "first" is said: for lines that begin with something else, or with an empty
 * field. */
int raw_put(struct buf *line, bool first, const char *field, size_t length);

#endif
