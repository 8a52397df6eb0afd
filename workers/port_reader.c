#include "port_reader.h"

#include <string.h>

void port_reader_init(struct port_reader *reader, size_t max)
{
    *reader = (struct port_reader){.max = max};
}

void port_reader_finish(struct port_reader *reader)
{
    buf_finish(&reader->buf);
    *reader = (struct port_reader){.max = reader->max};
}

/* The line that was given out is not needed any more. */
static void forget_taken(struct port_reader *reader)
{
    if (reader->taken)
        buf_consume(&reader->buf, reader->taken);
    reader->taken = 0;
}

void *port_reader_room(struct port_reader *reader, size_t more)
{
    forget_taken(reader);
    return buf_reserve(&reader->buf, more);
}

void port_reader_fed(struct port_reader *reader, size_t n)
{
    reader->buf.end += n;
}

static char *find_newline(struct port_reader *reader)
{
    size_t length = buf_length(&reader->buf);
    char *front, *found;

    if (length == reader->searched)
        return NULL;
    front = (char *)buf_front(&reader->buf);
    found = memchr(front + reader->searched, '\n', length - reader->searched);
    reader->searched = found ? 0 : length;
    return found;
}

/* The end of what is skipped; true when it has come. */
static bool skip(struct port_reader *reader)
{
    char *end = find_newline(reader);
    size_t n = end ? (size_t)(end - (char *)buf_front(&reader->buf)) + 1 : buf_length(&reader->buf);

    if (n)
        buf_consume(&reader->buf, n);
    reader->searched = 0;
    reader->is_skipping = !end;
    return end != NULL;
}

enum port_read port_reader_take(struct port_reader *reader, char **line, size_t *size)
{
    char *end;

    forget_taken(reader);
    if (reader->is_skipping && !skip(reader))
        return PORT_READ_NONE;
    end = find_newline(reader);
    *size = end ? (size_t)(end - (char *)buf_front(&reader->buf)) : buf_length(&reader->buf);
    if (*size > reader->max) {
        *line = (char *)buf_front(&reader->buf);
        reader->taken = *size + (end ? 1 : 0);
        reader->is_skipping = !end;
        reader->searched = 0;
        return PORT_READ_LONG;
    }
    if (!end)
        return PORT_READ_NONE;
    *line = (char *)buf_front(&reader->buf);
    reader->taken = *size + 1;
    return PORT_READ_LINE;
}

size_t port_reader_rest(const struct port_reader *reader)
{
    return buf_length(&reader->buf) - reader->taken;
}
