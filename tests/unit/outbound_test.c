/* From one node's queue to the other's messages: whole, in order by lane, in turns, and within
 * bounds. */
#include "../../cluster/chunks.h"
#include "../../cluster/frames.h"
#include "../../cluster/outbound.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>

struct wire {
    struct outbound outbound;
    struct frames frames;
    struct chunks chunks;
};

static void begin(struct wire *wire, size_t limit)
{
    uint8_t preface[FRAMES_PREFACE];

    outbound_init(&wire->outbound, limit);
    frames_init(&wire->frames, CHUNKS_FRAME_MAX);
    chunks_init(&wire->chunks);
    frames_write_preface(preface);
    frames_feed(&wire->frames, preface, sizeof preface);
}

static void end(struct wire *wire)
{
    outbound_finish(&wire->outbound);
    frames_finish(&wire->frames);
    chunks_finish(&wire->chunks);
}

/* Sends up to so many bytes over. */
static void carry(struct wire *wire, size_t budget)
{
    struct buf bytes = {0};

    outbound_take(&wire->outbound, &bytes, budget);
    frames_feed(&wire->frames, buf_front(&bytes), buf_length(&bytes));
    buf_finish(&bytes);
}

/* The next message over there; 1, 0: none yet, -1. */
static int hear(struct wire *wire, const uint8_t **message, size_t *size)
{
    const uint8_t *body;
    size_t body_size;
    int result;

    while ((result = frames_next(&wire->frames, &body, &body_size)) == 1) {
        result = chunks_receive(&wire->chunks, body, body_size, message, size);
        if (result != 0)
            return result;
    }
    return result;
}

/* A message says its lane and its number in it, and the rest of its bytes follow from these. */
enum { HEAD = 8 };

static int push(struct wire *wire, uint32_t lane, uint32_t number, size_t size)
{
    uint8_t *bytes = malloc(size);
    struct iovec parts[2] = {{bytes, 3}, {bytes + 3, size - 3}};
    int result;

    memcpy(bytes, &lane, 4);
    memcpy(bytes + 4, &number, 4);
    for (size_t i = HEAD; i < size; i++)
        bytes[i] = (uint8_t)(lane + number + i * 7);
    result = outbound_push(&wire->outbound, lane, parts, 2);
    free(bytes);
    return result;
}

static bool is_whole(const uint8_t *message, size_t size, uint32_t *lane, uint32_t *number)
{
    memcpy(lane, message, 4);
    memcpy(number, message + 4, 4);
    for (size_t i = HEAD; i < size; i++)
        if (message[i] != (uint8_t)(*lane + *number + i * 7))
            return false;
    return true;
}

/* ---- order and wholeness ----------------------------------------------------------------- */

enum { LANES = 20, MESSAGES = 3000 };

static size_t random_size(void)
{
    static const size_t edges[] = {HEAD, CHUNKS_FRAME_MAX - 1, CHUNKS_FRAME_MAX,
                                   2 * CHUNKS_FRAME_MAX - CHUNK_FIRST_HEADER - CHUNK_MORE_HEADER};

    switch (random() % 8) {
    case 0:
        return edges[random() % 4] + (size_t)random() % 2;
    case 1:
        return HEAD + (size_t)random() % 400000;
    default:
        return HEAD + (size_t)random() % 2000;
    }
}

static const char *random_course(void)
{
    uint32_t pushed[LANES] = {0}, heard[LANES] = {0}, sent = 0, got = 0;
    static struct wire wire; /* why may point into it */
    const char *why = NULL;

    begin(&wire, 0);
    while ((got < MESSAGES) && !why) {
        const uint8_t *message;
        size_t size;
        int result;

        for (long n = random() % 30; n > 0 && sent < MESSAGES; n--) {
            uint32_t lane = (uint32_t)random() % LANES;

            if (push(&wire, lane, pushed[lane], random_size()) == 0) {
                pushed[lane]++;
                sent++;
            }
        }
        carry(&wire, (size_t)random() % 500000);
        while ((result = hear(&wire, &message, &size)) == 1) {
            uint32_t lane, number;

            if (!is_whole(message, size, &lane, &number))
                why = "a message is not as it was";
            else if (number != heard[lane]++)
                why = "a lane is out of order";
            got++;
        }
        if (result < 0)
            why = *wire.chunks.why ? wire.chunks.why : wire.frames.why;
    }
    if (!why && (wire.outbound.queued || wire.outbound.messages || wire.chunks.promised))
        why = "something is left";
    end(&wire);
    return why;
}

static void check_random(void)
{
    const char *why = NULL;

    for (unsigned seed = 1; seed <= 6 && !why; seed++) {
        srandom(seed);
        why = random_course();
        if (why)
            tap_note("seed %u: %s", seed, why);
    }
    CHECK(!why, "18,000 messages of all sizes in 20 lanes: whole, and in order by lane");
}

static void check_turns(void)
{
    const uint8_t *message;
    struct wire wire;
    uint32_t lane = 0, number;
    size_t size;

    begin(&wire, 0);
    push(&wire, 1, 0, 4 << 20);
    push(&wire, 1, 1, 100);
    push(&wire, 2, 0, 100);
    carry(&wire, 2 * CHUNKS_FRAME_MAX);
    CHECK(hear(&wire, &message, &size) == 1 && is_whole(message, size, &lane, &number) && lane == 2,
          "a small message passes a large one of another lane");
    carry(&wire, SIZE_MAX);
    CHECK(hear(&wire, &message, &size) == 1 && is_whole(message, size, &lane, &number) &&
              lane == 1 && number == 0 && size == 4 << 20,
          "but not the one before it in its own");
    CHECK(hear(&wire, &message, &size) == 1 && size == 100, "which comes first");
    end(&wire);
}

/* ---- bounds ------------------------------------------------------------------------------ */

static void check_bounds(void)
{
    struct wire wire;
    unsigned taken = 0;
    size_t before;

    begin(&wire, 1 << 20);
    while (push(&wire, taken % 3, 0, 1000) == 0)
        taken++;
    CHECK(errno == EAGAIN && taken > 900 && wire.outbound.queued <= 1 << 20,
          "a full queue says overloaded");
    for (int i = 0; i < 100000; i++)
        taken += push(&wire, 1, 0, 1000) == 0;
    CHECK(taken < 1100, "however often it is asked");
    carry(&wire, 600000);
    CHECK(push(&wire, 9, 0, 16 << 20) == 0, "half empty it takes the largest there is");
    CHECK(push(&wire, 9, 0, HEAD) < 0 && errno == EAGAIN, "and then nothing");
    before = wire.outbound.queued;
    carry(&wire, 1 << 20);
    CHECK(wire.outbound.queued > before - (2 << 20), "a message counts until all of it is sent");
    end(&wire);
    begin(&wire, 0);
    CHECK(push(&wire, 1, 0, CHUNKS_MESSAGE_MAX + 1) < 0 && errno == EMSGSIZE,
          "one that is too large");
    CHECK(push(&wire, 1, 0, CHUNKS_MESSAGE_MAX) == 0, "and one that is just not");
    end(&wire);
}

/* ---- what a peer may not say ------------------------------------------------------------- */

static size_t make_chunk(uint8_t *out, uint8_t kind, uint32_t number, uint32_t total, size_t size)
{
    size_t head = kind == CHUNK_FIRST ? CHUNK_FIRST_HEADER : CHUNK_MORE_HEADER;

    memset(out, 0, head + size);
    out[0] = kind;
    memcpy(out + 1, &number, 4);
    if (kind == CHUNK_FIRST)
        memcpy(out + 5, &total, 4);
    return head + size;
}

static struct chunks chunks;

static int give(uint8_t kind, uint32_t number, uint32_t total, size_t size)
{
    static uint8_t body[CHUNKS_FRAME_MAX + 16];
    const uint8_t *message;
    size_t message_size, body_size = make_chunk(body, kind, number, total, size);

    return chunks_receive(&chunks, body, body_size, &message, &message_size);
}

static void check_refusal(const char *why, uint8_t kind, uint32_t number, uint32_t total,
                          size_t size)
{
    chunks_init(&chunks);
    give(CHUNK_FIRST, 7, 100, 60);
    CHECK(give(kind, number, total, size) == -1 && !strcmp(chunks.why, why), "refused: %s", why);
    CHECK(give(CHUNK_MORE, 7, 0, 40) == -1, "and nothing is taken after that");
    chunks_finish(&chunks);
}

static void check_refusals(void)
{
    uint8_t none = 0;
    const uint8_t *message;
    size_t size;

    check_refusal("a first chunk without bytes", CHUNK_FIRST, 8, 100, 0);
    check_refusal("a message that is too large", CHUNK_FIRST, 8, CHUNKS_MESSAGE_MAX + 1, 10);
    check_refusal("a message that is too large", CHUNK_FIRST, 8, UINT32_MAX, 10);
    check_refusal("a first chunk that is the whole message", CHUNK_FIRST, 8, 10, 10);
    check_refusal("a first chunk that is the whole message", CHUNK_FIRST, 8, 0, 10);
    check_refusal("a message begun twice", CHUNK_FIRST, 7, 100, 10);
    check_refusal("a chunk of no message", CHUNK_MORE, 8, 0, 10);
    check_refusal("a chunk of no message", CHUNK_MORE, 7, 0, 0);
    check_refusal("a chunk beyond its message", CHUNK_MORE, 7, 0, 41);
    check_refusal("a frame of no kind", 9, 7, 0, 10);
    check_refusal("a frame of no kind", CHUNK_MORE, 7, 0, CHUNKS_FRAME_MAX);
    chunks_init(&chunks);
    CHECK(chunks_receive(&chunks, &none, 0, &message, &size) == -1, "an empty frame is none");
    chunks_finish(&chunks);
}

static void check_begun(void)
{
    uint32_t begun = 0;

    chunks_init(&chunks);
    while (give(CHUNK_FIRST, begun, 1000, 10) == 0)
        begun++;
    tap_is_int(begun, CHUNKS_BEGUN_MAX, "a peer can begin so many messages");
    chunks_finish(&chunks);
    chunks_init(&chunks);
    for (begun = 0; give(CHUNK_FIRST, begun, 16 << 20, 10) == 0;)
        begun++;
    tap_is_int(begun, 4, "and of so many bytes");
    chunks_finish(&chunks);
    chunks_init(&chunks);
    CHECK(give(CHUNK_FIRST, 1, 20, 10) == 0 && give(CHUNK_MORE, 1, 0, 10) == 1 &&
              give(CHUNK_FIRST, 1, 20, 10) == 0,
          "a number is free again once its message is whole");
    CHECK(chunks.promised == 20, "and so is its room");
    chunks_finish(&chunks);
}

int main(void)
{
    check_random();
    check_turns();
    check_bounds();
    check_refusals();
    check_begun();
    return tap_done();
}
