#include "chunks.h"

#include "memory.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct assembly {
    uint32_t number;
    size_t total;
    struct buf bytes;
    UT_hash_handle hh;
};

void chunks_init(struct chunks *chunks)
{
    *chunks = (struct chunks){0};
}

static void drop(struct chunks *chunks, struct assembly *assembly)
{
    HASH_DEL(chunks->begun, assembly);
    chunks->promised -= assembly->total;
    buf_finish(&assembly->bytes);
    free(assembly);
}

void chunks_finish(struct chunks *chunks)
{
    while (chunks->begun)
        drop(chunks, chunks->begun);
    buf_finish(&chunks->last);
}

static int refuse(struct chunks *chunks, const char *why)
{
    snprintf(chunks->why, sizeof chunks->why, "%s", why);
    return -1;
}

static uint32_t get_number(const uint8_t *at)
{
    uint32_t little;

    memcpy(&little, at, sizeof little);
    return le32toh(little);
}

static struct assembly *find(const struct chunks *chunks, uint32_t number)
{
    struct assembly *assembly;

    HASH_FIND(hh, chunks->begun, &number, sizeof number, assembly);
    return assembly;
}

static void append(struct assembly *assembly, const uint8_t *bytes, size_t size)
{
    if (buf_append(&assembly->bytes, bytes, size) < 0)
        memory_fail();
}

static int take_first(struct chunks *chunks, const uint8_t *body, size_t size)
{
    struct assembly *assembly;
    size_t total;

    if (size <= CHUNK_FIRST_HEADER)
        return refuse(chunks, "a first chunk without bytes");
    total = get_number(body + 5);
    if (total > CHUNKS_MESSAGE_MAX)
        return refuse(chunks, "a message that is too large");
    if (total <= size - CHUNK_FIRST_HEADER)
        return refuse(chunks, "a first chunk that is the whole message");
    if (find(chunks, get_number(body + 1)))
        return refuse(chunks, "a message begun twice");
    if (HASH_COUNT(chunks->begun) == CHUNKS_BEGUN_MAX ||
        chunks->promised + total > CHUNKS_PROMISED_MAX)
        return refuse(chunks, "too many messages begun");
    assembly = memory_zeroed(sizeof *assembly);
    assembly->number = get_number(body + 1);
    assembly->total = total;
    chunks->promised += total;
    HASH_ADD(hh, chunks->begun, number, sizeof assembly->number, assembly);
    append(assembly, body + CHUNK_FIRST_HEADER, size - CHUNK_FIRST_HEADER);
    return 0;
}

static int take_more(struct chunks *chunks, const uint8_t *body, size_t size,
                     const uint8_t **message, size_t *message_size)
{
    struct assembly *assembly =
        size > CHUNK_MORE_HEADER ? find(chunks, get_number(body + 1)) : NULL;
    size_t length = size - CHUNK_MORE_HEADER;

    if (!assembly)
        return refuse(chunks, "a chunk of no message");
    if (length > assembly->total - buf_length(&assembly->bytes))
        return refuse(chunks, "a chunk beyond its message");
    append(assembly, body + CHUNK_MORE_HEADER, length);
    if (buf_length(&assembly->bytes) < assembly->total)
        return 0;
    chunks->last = assembly->bytes;
    assembly->bytes = (struct buf){0};
    drop(chunks, assembly);
    *message = buf_front(&chunks->last);
    *message_size = buf_length(&chunks->last);
    return 1;
}

int chunks_receive(struct chunks *chunks, const uint8_t *body, size_t size, const uint8_t **message,
                   size_t *message_size)
{
    buf_finish(&chunks->last);
    chunks->last = (struct buf){0};
    if (chunks->why[0])
        return -1;
    if (size == 0 || size > CHUNKS_FRAME_MAX)
        return refuse(chunks, "a frame of no kind");
    switch (body[0]) {
    case CHUNK_WHOLE:
        *message = body + 1;
        *message_size = size - 1;
        return 1;
    case CHUNK_FIRST:
        return take_first(chunks, body, size);
    case CHUNK_MORE:
        return take_more(chunks, body, size, message, message_size);
    default:
        return refuse(chunks, "a frame of no kind");
    }
}
