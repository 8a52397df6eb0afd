/*
 * The cookie that the nodes of a cluster share (CLUSTER 1), as a file: which one may be used is
 * decided here for whoever checks a configuration, and for sys/node, which reads it.
 */
#ifndef TROUPE_COOKIE_H
#define TROUPE_COOKIE_H

#include <stddef.h>
#include <stdint.h>

enum { COOKIE_MIN = 16, COOKIE_MAX = 4096 }; /* bytes; one newline at the end is none of them */

struct cookie {
    uint8_t bytes[COOKIE_MAX + 2]; /* with a newline; and one more would be too long */
    size_t size;
};

/* An ordinary file, for nobody but its owner, and not to be guessed by its length. 0; or -1 with
 * *why, a phrase that says what it is instead: valid until the next failure. */
int cookie_read(const char *file, struct cookie *cookie, const char **why);

#endif
