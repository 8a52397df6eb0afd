#include "channel.h"

#include <string.h>

static uint32_t read_u32(const uint8_t *at)
{
    return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static size_t read_u16(const uint8_t *at)
{
    return (size_t)(at[0] | at[1] << 8);
}

/* u16 length, text. Returns what follows it, or NULL. */
static const uint8_t *read_text(const uint8_t *at, const uint8_t *end, const char **text,
                                size_t *size)
{
    if (end - at < 2)
        return NULL;
    *size = read_u16(at);
    at += 2;
    if (*size > CHANNEL_TEXT_MAX || (size_t)(end - at) < *size)
        return NULL;
    *text = (const char *)at;
    return at + *size;
}

static int decode_open(struct channel_frame *frame, const char **why)
{
    const uint8_t *at = frame->body, *end = at + frame->size;

    at = read_text(at, end, &frame->to, &frame->to_size);
    if (at)
        at = read_text(at, end, &frame->from, &frame->from_size);
    if (at == end)
        return 0;
    *why = "an open of another form";
    return -1;
}

int channel_decode(const uint8_t *bytes, size_t size, struct channel_frame *frame, const char **why)
{
    if (size < CHANNEL_HEAD || bytes[0] < CHANNEL_OPEN || bytes[0] > CHANNEL_RETURN) {
        *why = size < CHANNEL_HEAD ? "too short for a channel's frame" : "no channel's frame";
        return -1;
    }
    *frame = (struct channel_frame){.kind = (enum channel_kind)bytes[0],
                                    .id = read_u32(bytes + 1),
                                    .body = bytes + CHANNEL_HEAD,
                                    .size = size - CHANNEL_HEAD};
    if (frame->kind == CHANNEL_OPEN)
        return decode_open(frame, why);
    if (frame->kind == CHANNEL_SHUT && frame->size) {
        *why = "a shut with something behind it";
        return -1;
    }
    return 0;
}

void channel_head(enum channel_kind kind, uint32_t id, uint8_t out[CHANNEL_HEAD])
{
    out[0] = (uint8_t)kind;
    for (int i = 0; i < 4; i++)
        out[1 + i] = (uint8_t)(id >> 8 * i);
}

static size_t write_text(uint8_t *at, const char *text, size_t size)
{
    at[0] = (uint8_t)size;
    at[1] = (uint8_t)(size >> 8);
    memcpy(at + 2, text, size);
    return 2 + size;
}

size_t channel_open(uint32_t id, const char *to, const char *from, uint8_t out[CHANNEL_OPEN_MAX])
{
    size_t to_size = strlen(to), from_size = strlen(from), used = CHANNEL_HEAD;

    if (to_size > CHANNEL_TEXT_MAX || from_size > CHANNEL_TEXT_MAX)
        return 0;
    channel_head(CHANNEL_OPEN, id, out);
    used += write_text(out + used, to, to_size);
    return used + write_text(out + used, from, from_size);
}
