#include "buf.h"

#include "fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = 256, KEEP_SIZE = 256 * 1024 };

void buf_finish(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}

/* Moves what is left to the front, when that is cheap for the room that it makes. */
static void slide(struct buf *buf)
{
    size_t length = buf_length(buf);

    if (buf->start == 0 || buf->start < length)
        return;
    if (length)
        memcpy(buf->data, buf->data + buf->start, length);
    buf->start = 0;
    buf->end = length;
}

static int grow(struct buf *buf, size_t more)
{
    size_t length = buf_length(buf), size = buf->size ? buf->size : FIRST_SIZE;
    uint8_t *data;

    if (more > SIZE_MAX / 4 - length || fault_hits("malloc")) {
        errno = ENOMEM;
        return -1;
    }
    while (size - length < more)
        size *= 2;
    data = malloc(size);
    if (!data)
        return -1;
    if (buf->data)
        memcpy(data, buf->data + buf->start, length);
    free(buf->data);
    *buf = (struct buf){.data = data, .end = length, .size = size};
    return 0;
}

uint8_t *buf_reserve(struct buf *buf, size_t more)
{
    if (buf->size - buf->end < more)
        slide(buf);
    if (!buf->data || buf->size - buf->end < more) {
        if (grow(buf, more))
            return NULL;
    }
    return buf->data + buf->end;
}

int buf_append(struct buf *buf, const void *bytes, size_t length)
{
    uint8_t *to = buf_reserve(buf, length);

    if (!to)
        return -1;
    if (length)
        memcpy(to, bytes, length);
    buf->end += length;
    return 0;
}

int buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    int length;
    uint8_t *to;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return -1;
    to = buf_reserve(buf, (size_t)length + 1);
    if (!to)
        return -1;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)length + 1, format, args);
    va_end(args);
    buf->end += (size_t)length;
    return 0;
}

void buf_consume(struct buf *buf, size_t n)
{
    buf->start += n;
    if (buf->start < buf->end)
        return;
    if (buf->size > KEEP_SIZE) {
        buf_finish(buf);
        return;
    }
    buf->start = buf->end = 0;
}
