#include "exchange_wire.h"

#include "memory.h"

#include <endian.h>
#include <string.h>

static void put(struct buf *out, const void *bytes, size_t size)
{
    if (buf_append(out, bytes, size) < 0)
        memory_fail();
}

void exchange_put_byte(struct buf *out, uint8_t value)
{
    put(out, &value, 1);
}

void exchange_put_number(struct buf *out, uint32_t value)
{
    uint32_t little = htole32(value);

    put(out, &little, sizeof little);
}

void exchange_put_text(struct buf *out, const char *text)
{
    size_t length = strnlen(text, EXCHANGE_TEXT_MAX);
    uint16_t little = htole16((uint16_t)length);

    put(out, &little, sizeof little);
    put(out, text, length);
}

/* So many bytes, or NULL. */
static const uint8_t *get(struct exchange_reader *reader, size_t size)
{
    const uint8_t *at = reader->at;

    if (reader->is_bad || size > reader->left) {
        reader->is_bad = true;
        return NULL;
    }
    reader->at += size;
    reader->left -= size;
    return at;
}

uint8_t exchange_get_byte(struct exchange_reader *reader)
{
    const uint8_t *at = get(reader, 1);

    return at ? *at : 0;
}

uint32_t exchange_get_number(struct exchange_reader *reader)
{
    const uint8_t *at = get(reader, sizeof(uint32_t));
    uint32_t little = 0;

    if (at)
        memcpy(&little, at, sizeof little);
    return le32toh(little);
}

void exchange_get_text(struct exchange_reader *reader, char out[EXCHANGE_TEXT_MAX + 1])
{
    const uint8_t *at = get(reader, sizeof(uint16_t));
    uint16_t length = 0;

    out[0] = 0;
    if (!at)
        return;
    memcpy(&length, at, sizeof length);
    length = le16toh(length);
    at = get(reader, length);
    if (!at || length > EXCHANGE_TEXT_MAX || memchr(at, 0, length)) {
        reader->is_bad = true;
        return;
    }
    memcpy(out, at, length);
    out[length] = 0;
}

bool exchange_has_more(const struct exchange_reader *reader)
{
    return !reader->is_bad && reader->left;
}
