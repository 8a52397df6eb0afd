#include "outbound.h"

#include "chunks.h"
#include "frames.h"
#include "memory.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

struct parcel {
    struct parcel *next;
    size_t size, sent;
    uint32_t number; /* while it goes in chunks */
    uint8_t bytes[];
};

struct lane {
    uint64_t key;
    struct parcel *first, *last;
    struct lane *prev, *next; /* in the ring */
    UT_hash_handle hh;
};

void outbound_init(struct outbound *outbound, size_t limit)
{
    *outbound = (struct outbound){.limit = limit ? limit : OUTBOUND_LIMIT};
}

/* ---- lanes ------------------------------------------------------------------------------- */

static struct lane *find_lane(const struct outbound *outbound, uint64_t key)
{
    struct lane *lane;

    HASH_FIND(hh, outbound->lanes, &key, sizeof key, lane);
    return lane;
}

static struct lane *make_lane(struct outbound *outbound, uint64_t key)
{
    struct lane *lane = find_lane(outbound, key);

    if (lane)
        return lane;
    lane = memory_zeroed(sizeof *lane);
    lane->key = key;
    HASH_ADD(hh, outbound->lanes, key, sizeof lane->key, lane);
    DL_APPEND(outbound->ring, lane);
    return lane;
}

static void drop_lane(struct outbound *outbound, struct lane *lane)
{
    HASH_DELETE(hh, outbound->lanes, lane);
    DL_DELETE(outbound->ring, lane);
    free(lane);
}

static void drop_first(struct outbound *outbound, struct lane *lane)
{
    struct parcel *parcel = lane->first;

    lane->first = parcel->next;
    outbound->queued -= sizeof *parcel + parcel->size;
    outbound->messages--;
    free(parcel);
}

void outbound_finish(struct outbound *outbound)
{
    while (outbound->ring) {
        while (outbound->ring->first)
            drop_first(outbound, outbound->ring);
        drop_lane(outbound, outbound->ring);
    }
}

/* ---- in ---------------------------------------------------------------------------------- */

static size_t size_of(const struct iovec *parts, int n)
{
    size_t size = 0;

    for (int i = 0; i < n; i++)
        size += parts[i].iov_len;
    return size;
}

static struct parcel *pack(const struct iovec *parts, int n, size_t size)
{
    struct parcel *parcel = memory_zeroed(sizeof *parcel + size);

    for (int i = 0; i < n; i++) {
        if (parts[i].iov_len)
            memcpy(parcel->bytes + parcel->size, parts[i].iov_base, parts[i].iov_len);
        parcel->size += parts[i].iov_len;
    }
    return parcel;
}

static void append(struct outbound *outbound, uint64_t key, struct parcel *parcel)
{
    struct lane *lane = make_lane(outbound, key);

    if (lane->first)
        lane->last->next = parcel;
    else
        lane->first = parcel;
    lane->last = parcel;
    outbound->queued += sizeof *parcel + parcel->size;
    outbound->messages++;
}

bool outbound_has_room(const struct outbound *outbound)
{
    return outbound->queued < outbound->limit / 2;
}

int outbound_insist(struct outbound *outbound, uint64_t key, const struct iovec *parts, int n)
{
    size_t size = size_of(parts, n);

    if (size > CHUNKS_MESSAGE_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    append(outbound, key, pack(parts, n, size));
    return 0;
}

int outbound_push(struct outbound *outbound, uint64_t key, const struct iovec *parts, int n)
{
    size_t size = size_of(parts, n);

    if (size <= CHUNKS_MESSAGE_MAX && !outbound_has_room(outbound) &&
        outbound->queued + sizeof(struct parcel) + size > outbound->limit) {
        errno = EAGAIN;
        return -1;
    }
    return outbound_insist(outbound, key, parts, n);
}

/* ---- out --------------------------------------------------------------------------------- */

/* A frame: its header, the head of a chunk, bytes of the message. */
static void put(struct buf *out, const uint8_t *head, size_t head_size, const uint8_t *bytes,
                size_t size)
{
    uint8_t *at = buf_reserve(out, FRAMES_HEADER + head_size + size);

    if (!at)
        memory_fail();
    frames_write_header(head_size + size, at);
    memcpy(at + FRAMES_HEADER, head, head_size);
    if (size)
        memcpy(at + FRAMES_HEADER + head_size, bytes, size);
    out->end += FRAMES_HEADER + head_size + size;
}

static void put_number(uint8_t *at, size_t number)
{
    uint32_t little = htole32((uint32_t)number);

    memcpy(at, &little, sizeof little);
}

static size_t at_most(size_t size, size_t most)
{
    return size < most ? size : most;
}

/* Everything, or the next chunk. */
static void put_parcel(struct outbound *outbound, struct parcel *parcel, struct buf *out)
{
    uint8_t head[CHUNK_FIRST_HEADER] = {CHUNK_WHOLE};
    size_t head_size = 1, size = parcel->size - parcel->sent;

    if (parcel->sent) {
        head[0] = CHUNK_MORE;
        head_size = CHUNK_MORE_HEADER;
        put_number(head + 1, parcel->number);
        size = at_most(size, CHUNKS_FRAME_MAX - head_size);
    } else if (size > CHUNKS_FRAME_MAX - 1) {
        head[0] = CHUNK_FIRST;
        head_size = CHUNK_FIRST_HEADER;
        parcel->number = outbound->next_number++;
        put_number(head + 1, parcel->number);
        put_number(head + 5, parcel->size);
        size = CHUNKS_FRAME_MAX - head_size;
    }
    put(out, head, head_size, parcel->bytes + parcel->sent, size);
    parcel->sent += size;
}

/* A lane's turn: some 16 kB of small messages, or one chunk. */
static void take_turn(struct outbound *outbound, struct lane *lane, struct buf *out)
{
    size_t end = buf_length(out) + OUTBOUND_TURN;

    do {
        put_parcel(outbound, lane->first, out);
        if (lane->first->sent < lane->first->size)
            break;
        drop_first(outbound, lane);
    } while (lane->first && buf_length(out) < end);
}

void outbound_take(struct outbound *outbound, struct buf *out, size_t budget)
{
    while (outbound->ring && buf_length(out) < budget) {
        struct lane *lane = outbound->ring;

        take_turn(outbound, lane, out);
        if (!lane->first) {
            drop_lane(outbound, lane);
        } else {
            DL_DELETE(outbound->ring, lane);
            DL_APPEND(outbound->ring, lane);
        }
    }
}
