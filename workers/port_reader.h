/*
 * What a program writes, cut into lines of a bounded length: a longer one is told once, with its
 * head, and its rest is skipped in no more memory than that. Does no I/O itself.
 */
#ifndef TROUPE_PORT_READER_H
#define TROUPE_PORT_READER_H

#include "buf.h"

#include <stdbool.h>

struct port_reader {
    struct buf buf;
    size_t max;      /* bytes of a line without its newline */
    size_t searched; /* bytes at the front that hold no newline */
    size_t taken;    /* bytes of the line that was given out last */
    bool is_skipping;
};

enum port_read {
    PORT_READ_NONE, /* no whole line is there */
    PORT_READ_LINE,
    PORT_READ_LONG, /* the head of a line that is too long */
};

void port_reader_init(struct port_reader *reader, size_t max);
void port_reader_finish(struct port_reader *reader);

/* Room for `more` bytes, or NULL; then how many of them have come. */
void *port_reader_room(struct port_reader *reader, size_t more);
void port_reader_fed(struct port_reader *reader, size_t n);

/* The next line, without its newline, valid until the next call here; the byte behind a LINE may be
 * written. */
enum port_read port_reader_take(struct port_reader *reader, char **line, size_t *size);
/* How much of a line is there that nothing ended. */
size_t port_reader_rest(const struct port_reader *reader);

#endif
