#include "frames.h"

#include "memory.h"
#include "sp.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void frames_write_preface(uint8_t out[FRAMES_PREFACE])
{
    sp_header_write(SP_PAIR0, out);
}

void frames_write_header(uint64_t body_size, uint8_t out[FRAMES_HEADER])
{
    uint64_t big = htobe64(body_size);

    out[0] = 1;
    memcpy(out + 1, &big, sizeof big);
}

void frames_init(struct frames *frames, size_t limit)
{
    *frames = (struct frames){.limit = limit};
}

void frames_finish(struct frames *frames)
{
    buf_finish(&frames->in);
}

void frames_feed(struct frames *frames, const void *bytes, size_t size)
{
    if (frames->why[0])
        return;
    buf_consume(&frames->in, frames->taken);
    frames->taken = 0;
    if (buf_append(&frames->in, bytes, size) < 0)
        memory_fail();
}

/* 1, 0 or -1 as frames_next(). */
static int take_preface(struct frames *frames)
{
    if (buf_length(&frames->in) < FRAMES_PREFACE)
        return 0;
    if (sp_header_read(buf_front(&frames->in)) != SP_PAIR0) {
        snprintf(frames->why, sizeof frames->why, "not the header of a peer");
        return -1;
    }
    buf_consume(&frames->in, FRAMES_PREFACE);
    frames->is_greeted = true;
    return 1;
}

static int take_frame(struct frames *frames, const uint8_t **body, size_t *size)
{
    const uint8_t *at = buf_front(&frames->in);
    uint64_t length;

    if (buf_length(&frames->in) < FRAMES_HEADER)
        return 0;
    memcpy(&length, at + 1, sizeof length);
    length = be64toh(length);
    if (at[0] != 1)
        snprintf(frames->why, sizeof frames->why, "not a frame");
    else if (length > frames->limit)
        snprintf(frames->why, sizeof frames->why, "frame of %" PRIu64 " bytes: more than %zu",
                 length, frames->limit);
    if (frames->why[0])
        return -1;
    if (buf_length(&frames->in) - FRAMES_HEADER < length)
        return 0;
    *body = at + FRAMES_HEADER;
    *size = (size_t)length;
    frames->taken = FRAMES_HEADER + (size_t)length;
    return 1;
}

int frames_next(struct frames *frames, const uint8_t **body, size_t *size)
{
    if (frames->why[0])
        return -1;
    buf_consume(&frames->in, frames->taken);
    frames->taken = 0;
    if (!frames->is_greeted) {
        int result = take_preface(frames);

        if (result <= 0)
            return result;
    }
    return take_frame(frames, body, size);
}

bool frames_has_part(const struct frames *frames)
{
    return buf_length(&frames->in) > frames->taken;
}
