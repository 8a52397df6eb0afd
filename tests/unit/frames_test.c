/* A peer's bytes in pieces of any size give the same frames, and what is wrong is seen at its first
 * byte. */
#include "../../cluster/frames.h"
#include "tap.h"

#include <stdlib.h>

enum { LIMIT = 1000 };

static void put_frame(struct buf *out, size_t size, uint8_t fill)
{
    uint8_t header[FRAMES_HEADER], body[LIMIT];

    memset(body, fill, sizeof body);
    frames_write_header(size, header);
    buf_append(out, header, sizeof header);
    buf_append(out, body, size);
}

static void put_preface(struct buf *out)
{
    uint8_t preface[FRAMES_PREFACE];

    frames_write_preface(preface);
    buf_append(out, preface, sizeof preface);
}

/* The sizes that come out, or false when a frame is not the one that went in. */
static bool are_same(const size_t *sizes, size_t n, size_t piece)
{
    struct buf bytes = {0};
    struct frames frames;
    size_t got = 0, size;
    const uint8_t *body;
    bool same = true;

    put_preface(&bytes);
    for (size_t i = 0; i < n; i++)
        put_frame(&bytes, sizes[i], (uint8_t)i);
    frames_init(&frames, LIMIT);
    while (buf_length(&bytes)) {
        size_t part = buf_length(&bytes) < piece ? buf_length(&bytes) : piece;

        frames_feed(&frames, buf_front(&bytes), part);
        buf_consume(&bytes, part);
        while (frames_next(&frames, &body, &size) == 1) {
            same = same && got < n && size == sizes[got] &&
                   (!size || (body[0] == (uint8_t)got && body[size - 1] == (uint8_t)got));
            got++;
        }
    }
    same = same && got == n && !frames_has_part(&frames);
    frames_finish(&frames);
    buf_finish(&bytes);
    return same;
}

static void check_pieces(void)
{
    size_t sizes[40];
    unsigned wrong = 0;

    for (size_t i = 0; i < 40; i++)
        sizes[i] = i % 4 ? i * 25 : i % 8 ? 0 : LIMIT;
    for (size_t piece = 1; piece < 3000; piece++)
        wrong += !are_same(sizes, 40, piece);
    tap_is_int(wrong, 0, "frames are the same however their bytes come");
}

static int feed_text(struct frames *frames, const void *bytes, size_t size)
{
    const uint8_t *body;
    size_t length;

    frames_feed(frames, bytes, size);
    return frames_next(frames, &body, &length);
}

static void check_wrong(void)
{
    struct frames frames;
    uint8_t bytes[FRAMES_PREFACE + FRAMES_HEADER];

    frames_init(&frames, LIMIT);
    CHECK(feed_text(&frames, "GET / HT", 8) == -1 && strstr(frames.why, "header"),
          "a stranger's first words are no header");
    CHECK(feed_text(&frames, bytes, 8) == -1, "and nothing repairs that");
    frames_finish(&frames);
    frames_init(&frames, LIMIT);
    frames_write_preface(bytes);
    frames_write_header(1 << 30, bytes + FRAMES_PREFACE);
    CHECK(feed_text(&frames, bytes, sizeof bytes) == -1, "a length of 1 GiB is refused at once");
    tap_is_text(frames.why, "frame of 1073741824 bytes: more than 1000", "by its number");
    for (int i = 0; i < 1000; i++)
        frames_feed(&frames, bytes, sizeof bytes);
    CHECK(frames.in.size < 4096, "what comes after it is not kept");
    frames_finish(&frames);
    frames_init(&frames, LIMIT);
    frames_write_header(UINT64_MAX, bytes + FRAMES_PREFACE);
    CHECK(feed_text(&frames, bytes, sizeof bytes) == -1, "so is the greatest there is");
    frames_finish(&frames);
    frames_init(&frames, LIMIT);
    frames_write_header(LIMIT + 1, bytes + FRAMES_PREFACE);
    CHECK(feed_text(&frames, bytes, sizeof bytes) == -1, "and one byte too many");
    frames_finish(&frames);
    frames_init(&frames, LIMIT);
    bytes[FRAMES_PREFACE] = 2;
    CHECK(feed_text(&frames, bytes, sizeof bytes) == -1, "a frame begins with 01");
    frames_finish(&frames);
    frames_init(&frames, LIMIT);
    bytes[5] = 0x30;
    CHECK(feed_text(&frames, bytes, 8) == -1, "REQ is not what peers speak");
    frames_finish(&frames);
}

static void check_limit_raised(void)
{
    struct frames frames;
    struct buf bytes = {0};
    const uint8_t *body;
    size_t size;

    put_preface(&bytes);
    put_frame(&bytes, 10, 1);
    put_frame(&bytes, 500, 2);
    frames_init(&frames, 10);
    frames_feed(&frames, buf_front(&bytes), buf_length(&bytes));
    CHECK(frames_next(&frames, &body, &size) == 1, "a frame within the first limit");
    frames.limit = LIMIT;
    CHECK(frames_next(&frames, &body, &size) == 1 && size == 500,
          "after the proof larger ones may come, in the same bytes too");
    frames_finish(&frames);
    buf_finish(&bytes);
}

int main(void)
{
    check_pieces();
    check_wrong();
    check_limit_raised();
    return tap_done();
}
