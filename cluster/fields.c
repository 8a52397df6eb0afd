#include "fields.h"

#include <endian.h>
#include <string.h>

enum { FIELD_MAX = 255 };

void fields_put(struct fields_writer *writer, const void *bytes, size_t size)
{
    if (size > FIELD_MAX || size + 1 > writer->size - writer->used)
        writer->is_full = true;
    if (writer->is_full)
        return;
    writer->at[writer->used] = (uint8_t)size;
    if (size)
        memcpy(writer->at + writer->used + 1, bytes, size);
    writer->used += 1 + size;
}

void fields_put_number(struct fields_writer *writer, uint64_t value, size_t bytes)
{
    uint64_t little = htole64(value);

    fields_put(writer, &little, bytes);
}

void fields_put_text(struct fields_writer *writer, const char *text)
{
    fields_put(writer, text, strlen(text));
}

/* The next field's bytes, or NULL: none, or not all of it. */
static const uint8_t *next(struct fields_reader *reader, size_t *size)
{
    size_t left = reader->size - reader->used;
    const uint8_t *at = reader->at + reader->used;

    if (reader->is_bad || left < 1 || (size_t)at[0] + 1 > left) {
        reader->is_bad = true;
        return NULL;
    }
    *size = at[0];
    reader->used += 1 + *size;
    return at + 1;
}

void fields_get(struct fields_reader *reader, void *out, size_t size)
{
    size_t have = 0;
    const uint8_t *at = next(reader, &have);

    memset(out, 0, size);
    if (!at || have != size)
        reader->is_bad = true;
    else
        memcpy(out, at, size);
}

uint64_t fields_get_number(struct fields_reader *reader, size_t bytes)
{
    uint64_t little = 0;

    fields_get(reader, &little, bytes);
    return le64toh(little);
}

void fields_get_text(struct fields_reader *reader, char *out, size_t size)
{
    size_t have = 0;
    const uint8_t *at = next(reader, &have);

    out[0] = 0;
    if (!at || have >= size || memchr(at, 0, have)) {
        reader->is_bad = true;
        return;
    }
    memcpy(out, at, have);
    out[have] = 0;
}

bool fields_are_done(const struct fields_reader *reader)
{
    return !reader->is_bad && reader->used == reader->size;
}
