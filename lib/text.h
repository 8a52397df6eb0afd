/*
 * Small text work that several programs share: durations, sizes, escaping, the nearest word. Pure.
 */
#ifndef TROUPE_TEXT_H
#define TROUPE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "250ms" "5s" "2m" "1h" (a unit is required; "0" alone is allowed; "1.5s" is not). Returns 0 and
 * milliseconds, or -1 with EINVAL or ERANGE. */
int text_duration(const char *text, int64_t *ms);
/* The shortest text that reads back the same: 250ms, 5s, 2m, 90s. Returns out. */
char *text_of_duration(int64_t ms, char *out, size_t size);

/* "8M", "512k", "1G", "100": powers of 1024. Returns 0, or -1 with EINVAL or ERANGE. */
int text_size(const char *text, uint64_t *bytes);
/* For people: "812k", "1.4M", "2.0G". Returns out. */
char *text_of_size(uint64_t bytes, char *out, size_t size);

/* Whole unsigned decimal number within [min, max]. Returns 0, or -1 with EINVAL or ERANGE. */
int text_unsigned(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* The candidate that is nearest to word (edit distance with transpositions, at most a third of its length,
 * at least 1), or NULL. candidates ends with NULL. */
const char *text_nearest(const char *word, const char *const *candidates);

/* Is all of it well-formed UTF-8? Controls are. */
bool text_is_utf8(const char *bytes, size_t length);

/* Copies foreign bytes as one printable line: controls and invalid UTF-8 as \xNN, newline as \n.
 * Returns the length it wanted (snprintf's rules). */
size_t text_escape(const char *bytes, size_t length, char *out, size_t size);

#endif
