/*
 * A growable byte buffer. The owner frees it with buf_finish(). Growing may fail with ENOMEM; the
 * buffer is then unchanged.
 */
#ifndef TROUPE_BUF_H
#define TROUPE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
    uint8_t *data;
    size_t start; /* first byte that is still wanted */
    size_t end;   /* one past the last */
    size_t size;  /* allocated */
};

void buf_finish(struct buf *buf);
/* Makes room for `more` bytes after end; returns where they go, or NULL. */
uint8_t *buf_reserve(struct buf *buf, size_t more);
int buf_append(struct buf *buf, const void *bytes, size_t length);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes n bytes from the front; an emptied buffer that grew over 256 KiB gives its memory back. */
void buf_consume(struct buf *buf, size_t n);

static inline size_t buf_length(const struct buf *buf)
{
    return buf->end - buf->start;
}

static inline uint8_t *buf_front(const struct buf *buf)
{
    return buf->data + buf->start;
}

#endif
