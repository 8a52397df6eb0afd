/*
 * What an actor says of the messages that it understands: its answer to the message `describe`.
 */
#ifndef TROUPE_CLI_DESCRIPTION_H
#define TROUPE_CLI_DESCRIPTION_H

#include "buf.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>

/* Views into the description. */
struct described {
    const char *name;
    const char *arguments, *reply; /* formats (lib/wire.h) */
    const char *help;              /* one line, or "" */
};

struct description {
    struct words words;
    struct described *at;
    size_t count;
    bool takes_others; /* messages that are not listed are taken, too: arguments go as texts */
};

/* Reads the actor's answer: a list of words, four a message. 0, or -1 (it is none). */
int description_read(const void *image, size_t size, struct description *description);
void description_finish(struct description *description);

/* By name; NULL when it is not listed. */
const struct described *description_find(const struct description *description, const char *name);
/* The name that is nearest, or NULL. */
const char *description_nearest(const struct description *description, const char *name);

/* A letter of a format in words: "INT64". */
const char *type_text(char letter);
/* Appends them all, a blank between them. */
void types_write(const char *format, struct buf *text);
/* Appends "add INT64 -> INT64". */
void signature_write(const struct described *message, struct buf *text);

#endif
