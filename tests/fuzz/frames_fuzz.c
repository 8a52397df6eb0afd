/*
 * A stranger's bytes in pieces (each: a length byte, that many bytes): the frames are the same as
 * when all comes at once, none is over the limit, and what is kept is bounded.
 */
#include "../../cluster/frames.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 300 };

struct sum {
    size_t count, bytes;
    uint64_t hash;
    int64_t end;
};

static void drain(struct frames *frames, struct sum *sum)
{
    const uint8_t *body;
    size_t size;
    int result;

    while ((result = frames_next(frames, &body, &size)) == 1) {
        if (size > LIMIT)
            abort();
        sum->count++;
        sum->bytes += size;
        for (size_t i = 0; i < size; i++)
            sum->hash = (sum->hash ^ body[i]) * 1099511628211u;
    }
    if ((result < 0) != (frames->why[0] != 0))
        abort();
    if (sum->end < 0 && result == 0)
        abort(); /* what was wrong stays wrong */
    sum->end = result;
    if (result == 0 && buf_length(&frames->in) > LIMIT + FRAMES_HEADER)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frames pieces, whole;
    struct sum of_pieces = {0}, of_whole = {0};
    uint8_t preface[FRAMES_PREFACE];

    frames_init(&pieces, LIMIT);
    frames_init(&whole, LIMIT);
    frames_write_preface(preface);
    if (size % 4) { /* most inputs begin as a peer does */
        frames_feed(&pieces, preface, sizeof preface);
        frames_feed(&whole, preface, sizeof preface);
    }
    while (size > 1) {
        size_t n = data[0] < size - 1 ? data[0] : size - 1;

        frames_feed(&pieces, data + 1, n);
        frames_feed(&whole, data + 1, n);
        drain(&pieces, &of_pieces);
        data += n + 1;
        size -= n + 1;
    }
    drain(&whole, &of_whole);
    drain(&pieces, &of_pieces);
    if (memcmp(&of_pieces, &of_whole, sizeof of_whole) != 0)
        abort();
    frames_finish(&pieces);
    frames_finish(&whole);
    return 0;
}
