#include "log_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 0x54524c47, VERSION = 1, ALIGN = 8, DONE_BITS = 17 };

/* What the reader is about to have done: enough to do it again. */
struct hand {
    _Atomic uint32_t is_set;
    uint8_t kind;
    uint64_t size;               /* bytes out of the pipe */
    uint64_t position, new_head; /* the head before and after */
    int32_t place;
    uint32_t rest_size;
    char path[ADDR_PATH_MAX + 1];
    char rest[LOG_PIECE_MAX];
};

/* What the file begins with. Positions only grow; a position modulo size is a place in the data.
 * The tail is two numbers in one word: position / ALIGN above DONE_BITS, and the bytes of that
 * record that are done. */
struct header {
    uint32_t magic, version;
    uint64_t size;
    _Atomic uint64_t head, tail, barrier;
    _Atomic uint32_t wishes[2];
    _Atomic int32_t error;
    _Atomic uint64_t dropped_lines;
    _Atomic uint32_t rest_count; /* places that have been made */
    _Atomic uint32_t journal_is_set;
    uint64_t journal_tail; /* the tail (both numbers) that the journal belongs to */
    struct log_journal journal;
    struct hand hand;
};

/* A stream's last line, as far as it has come. Empty: size 0. */
struct rest {
    _Atomic uint32_t size;
    uint8_t kind;
    char path[ADDR_PATH_MAX + 1];
    char bytes[LOG_PIECE_MAX];
};

enum { DATA_OFFSET = 16384 };
_Static_assert(sizeof(struct header) <= DATA_OFFSET, "the header fits before the data");

/* A record, aligned to 8; then the path with its NUL, then the bytes. Records do not wrap: one
 * without a path length fills the end of the data. */
struct frame {
    uint32_t frame_size; /* with everything, and padding */
    uint32_t size;
    int64_t wall_us;
    uint16_t path_length;
    uint8_t kind, is_final;
    uint32_t reserved;
};

struct log_ring {
    struct header *header;
    char *data;
    struct rest *rests; /* LOG_RESTS_MAX of them, made when they are wanted */
    int fd;             /* -1: no file */
    size_t mapped_size;
    uint64_t put_end; /* behind the record that was put and not committed; else the head */
    int free_places[LOG_RESTS_MAX];
    int free_count;
};

static uint64_t tail_position(const struct header *header)
{
    return (atomic_load(&header->tail) >> DONE_BITS) * ALIGN;
}

static uint64_t used(const struct log_ring *ring)
{
    return atomic_load(&ring->header->head) - tail_position(ring->header);
}

/* The frame at a position, if what stands there can be one before `head`. */
static const struct frame *frame_at(const struct log_ring *ring, uint64_t at, uint64_t head)
{
    uint64_t size = ring->header->size;
    uint64_t offset = at & (size - 1);
    const struct frame *frame = (const void *)(ring->data + offset);
    uint64_t frame_size = frame->frame_size;

    if (frame_size < ALIGN || frame_size % ALIGN || frame_size > size - offset)
        return NULL;
    if (frame_size > head - at)
        return NULL;
    if (frame_size < sizeof *frame)
        return frame; /* filler: its first word only */
    if (frame->path_length == 0)
        return frame;
    if (frame->path_length > ADDR_PATH_MAX || frame->kind >= LOG_KINDS ||
        frame->size > LOG_RECORD_MAX ||
        sizeof *frame + frame->path_length + 1 + frame->size > frame_size)
        return NULL;
    return ((const char *)(frame + 1))[frame->path_length] == '\0' ? frame : NULL;
}

static bool is_filler(const struct frame *frame)
{
    return frame->frame_size < sizeof *frame || frame->path_length == 0;
}

/* The record at *at, if there is one before end. */
static bool next_record(const struct log_ring *ring, uint64_t *at, uint64_t end,
                        struct log_record *record)
{
    uint64_t tail = atomic_load(&ring->header->tail), from;
    const struct frame *frame;

    do {
        if (*at >= end)
            return false;
        from = *at;
        frame = frame_at(ring, from, end);
        if (!frame)
            return false;
        *at += frame->frame_size;
    } while (is_filler(frame));
    record->path = (const char *)(frame + 1);
    record->kind = frame->kind;
    record->wall_us = frame->wall_us;
    record->is_final = frame->is_final;
    record->position = from;
    record->skipped = from / ALIGN == tail >> DONE_BITS ? tail & ((1 << DONE_BITS) - 1) : 0;
    if (record->skipped > frame->size)
        record->skipped = frame->size;
    record->bytes = record->path + frame->path_length + 1 + record->skipped;
    record->size = frame->size - record->skipped;
    return true;
}

/* ---- opening ----------------------------------------------------------------------------- */

static size_t round_size(size_t wanted)
{
    size_t size = LOG_RING_MIN;

    while (size < wanted && size < (size_t)1 << 30)
        size *= 2;
    return size;
}

static bool is_text(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static bool are_rests_sound(const struct log_ring *ring)
{
    uint32_t count = atomic_load(&ring->header->rest_count);

    if (count > LOG_RESTS_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const struct rest *rest = &ring->rests[i];

        if (atomic_load(&rest->size) > LOG_PIECE_MAX || rest->kind >= LOG_KINDS ||
            !is_text(rest->path, sizeof rest->path))
            return false;
    }
    return true;
}

/* The records from `at` to `end` are frames, one after the other. */
static bool are_frames_sound(const struct log_ring *ring, uint64_t at, uint64_t end)
{
    while (at < end) {
        const struct frame *frame = frame_at(ring, at, end);

        if (!frame)
            return false;
        at += frame->frame_size;
    }
    return at == end;
}

static bool is_hand_sound(const struct log_ring *ring)
{
    const struct header *header = ring->header;
    const struct hand *hand = &header->hand;

    if (!atomic_load(&hand->is_set))
        return true;
    return hand->kind < LOG_KINDS && hand->size <= LOG_CHUNK_MAX &&
           hand->rest_size <= LOG_PIECE_MAX && is_text(hand->path, sizeof hand->path) &&
           hand->place < (int)atomic_load(&header->rest_count) &&
           hand->position <= hand->new_head &&
           hand->new_head - tail_position(header) <= header->size &&
           are_frames_sound(ring, hand->position, hand->new_head);
}

/* Is what a predecessor left sound? Every record is looked at: the writer trusts them. */
static bool is_sound(const struct log_ring *ring, size_t size)
{
    const struct header *header = ring->header;
    uint64_t head, tail;

    if (header->magic != MAGIC || header->version != VERSION || header->size != size)
        return false;
    head = atomic_load(&header->head);
    tail = tail_position(header);
    return head >= tail && head - tail <= size && head % ALIGN == 0 &&
           are_frames_sound(ring, tail, head) &&
           is_text(header->journal.file, sizeof header->journal.file) && are_rests_sound(ring) &&
           is_hand_sound(ring);
}

static void begin_anew(struct log_ring *ring, size_t size)
{
    memset(ring->header, 0, sizeof *ring->header);
    ring->header->magic = MAGIC;
    ring->header->version = VERSION;
    ring->header->size = size;
}

/* Does what the hand says; doing it twice changes nothing. */
static void apply_hand(struct log_ring *ring)
{
    struct hand *hand = &ring->header->hand;

    if (hand->place >= 0) {
        struct rest *rest = &ring->rests[hand->place];

        memcpy(rest->bytes, hand->rest, hand->rest_size);
        atomic_store(&rest->size, hand->rest_size);
    }
    if (atomic_load(&ring->header->head) == hand->position)
        atomic_store(&ring->header->head, hand->new_head);
    ring->put_end = hand->new_head;
    atomic_store(&hand->is_set, 0);
}

/* A copy of the bytes that were being taken: the last ones of the record and the rest together. */
static void copy_hand(const struct log_ring *ring, struct log_legacy *legacy)
{
    const struct hand *hand = &ring->header->hand;
    uint64_t at = hand->position;
    struct log_record record;
    size_t size = 0;
    char *all = malloc(LOG_RECORD_MAX + LOG_PIECE_MAX);

    if (!all)
        return;
    if (next_record(ring, &at, hand->new_head, &record)) {
        memcpy(all, record.bytes, record.size);
        size = record.size;
    }
    memcpy(all + size, hand->rest, hand->rest_size);
    size += hand->rest_size;
    if (size >= hand->size) {
        memmove(all, all + size - hand->size, hand->size);
        legacy->hand = all;
        legacy->hand_size = hand->size;
        legacy->hand_kind = hand->kind;
        memcpy(legacy->hand_path, hand->path, sizeof legacy->hand_path);
    } else {
        free(all);
    }
}

/* Lists the places that are free; the last one is used first. */
static void list_free_places(struct log_ring *ring)
{
    for (int place = log_rest_places(ring) - 1; place >= 0; place--) {
        if (atomic_load(&ring->rests[place].size) == 0)
            ring->free_places[ring->free_count++] = place;
    }
}

static void read_legacy(struct log_ring *ring, struct log_legacy *legacy)
{
    struct header *header = ring->header;

    legacy->dropped_lines = atomic_load(&header->dropped_lines);
    if (atomic_load(&header->hand.is_set)) {
        /* Once the head has moved the bytes were out of the pipe for certain. */
        if (header->hand.size > 0 && atomic_load(&header->head) == header->hand.position)
            copy_hand(ring, legacy);
        apply_hand(ring);
    }
    legacy->ring_bytes = used(ring);
    ring->put_end = atomic_load(&header->head);
}

/* The file, ours and with the blocks of its first `filled` bytes (touching a hole of a full tmpfs
 * would be SIGBUS); -1. */
static int open_file(const char *file, size_t size, size_t filled)
{
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        ftruncate(fd, (off_t)size) < 0 || posix_fallocate(fd, 0, (off_t)filled) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool map_shared(struct log_ring *ring, const char *file, size_t filled)
{
    void *memory;

    ring->fd = file ? open_file(file, ring->mapped_size, filled) : -1;
    memory = mmap(NULL, ring->mapped_size, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_NORESERVE | (ring->fd < 0 ? MAP_ANONYMOUS : 0), ring->fd, 0);
    if (memory == MAP_FAILED)
        return false;
    ring->header = memory;
    ring->data = (char *)memory + DATA_OFFSET;
    ring->rests = (void *)((char *)memory + filled);
    return true;
}

struct log_ring *log_ring_open(const char *file, size_t size, struct log_legacy *legacy)
{
    struct log_ring *ring = calloc(1, sizeof *ring);

    *legacy = (struct log_legacy){0};
    if (!ring)
        return NULL;
    size = round_size(size);
    ring->mapped_size = DATA_OFFSET + size + LOG_RESTS_MAX * sizeof(struct rest);
    if (!map_shared(ring, file, DATA_OFFSET + size)) {
        free(ring);
        return NULL;
    }
    legacy->is_volatile = ring->fd < 0;
    if (!is_sound(ring, size)) {
        legacy->is_damaged = ring->header->magic != 0;
        begin_anew(ring, size);
    }
    read_legacy(ring, legacy);
    list_free_places(ring);
    log_ring_set_barrier(ring, LOG_NO_BARRIER);
    return ring;
}

void log_ring_close(struct log_ring *ring)
{
    if (!ring)
        return;
    munmap(ring->header, ring->mapped_size);
    if (ring->fd >= 0)
        close(ring->fd);
    free(ring);
}

void log_ring_settle(struct log_ring *ring)
{
    atomic_store(&ring->header->dropped_lines, 0);
}

/* ---- the reader's side ----------------------------------------------------------------------- */

bool log_ring_put(struct log_ring *ring, const struct log_record *record)
{
    uint64_t size = ring->header->size, head = atomic_load(&ring->header->head);
    uint64_t offset = head & (size - 1);
    size_t path_length = strlen(record->path);
    size_t wanted = sizeof(struct frame) + path_length + 1 + record->size;
    uint64_t filler = 0;
    struct frame *frame;
    char *at;

    wanted = (wanted + ALIGN - 1) / ALIGN * ALIGN;
    if (wanted > size - offset)
        filler = size - offset;
    if (used(ring) + filler + wanted > size)
        return false;
    if (filler) {
        frame = (void *)(ring->data + offset);
        if (filler >= sizeof *frame)
            frame->path_length = 0;
        frame->frame_size = (uint32_t)filler;
        offset = 0;
    }
    frame = (void *)(ring->data + offset);
    *frame = (struct frame){.frame_size = (uint32_t)wanted,
                            .size = (uint32_t)record->size,
                            .wall_us = record->wall_us,
                            .path_length = (uint16_t)path_length,
                            .kind = (uint8_t)record->kind,
                            .is_final = record->is_final};
    at = (char *)(frame + 1);
    memcpy(at, record->path, path_length + 1);
    memcpy(at + path_length + 1, record->bytes, record->size);
    ring->put_end = head + filler + wanted;
    return true;
}

void log_ring_commit(struct log_ring *ring)
{
    atomic_store(&ring->header->head, ring->put_end);
}

void log_ring_transfer_begin(struct log_ring *ring, const struct log_transfer *transfer)
{
    struct hand *hand = &ring->header->hand;
    size_t length = strnlen(transfer->path, ADDR_PATH_MAX);

    memcpy(hand->path, transfer->path, length);
    hand->path[length] = '\0';
    hand->kind = (uint8_t)transfer->kind;
    hand->size = transfer->size;
    hand->position = atomic_load(&ring->header->head);
    hand->new_head = ring->put_end;
    hand->place = transfer->place;
    hand->rest_size = (uint32_t)transfer->rest_size;
    memcpy(hand->rest, transfer->rest, transfer->rest_size);
    atomic_store(&hand->is_set, 1);
}

void log_ring_transfer_end(struct log_ring *ring)
{
    int place = ring->header->hand.place;

    apply_hand(ring);
    if (place >= 0 && atomic_load(&ring->rests[place].size) == 0)
        ring->free_places[ring->free_count++] = place;
}

/* ---- rests ----------------------------------------------------------------------------------- */

/* One more place, with its blocks. False when the bound is reached or there is no room. */
static bool make_place(struct log_ring *ring)
{
    uint32_t count = atomic_load(&ring->header->rest_count);
    off_t offset = (char *)&ring->rests[count] - (char *)ring->header;

    if (count == LOG_RESTS_MAX)
        return false;
    if (ring->fd >= 0 && posix_fallocate(ring->fd, offset, sizeof(struct rest)) != 0)
        return false;
    memset(&ring->rests[count], 0, sizeof(struct rest));
    atomic_store(&ring->header->rest_count, count + 1);
    ring->free_places[ring->free_count++] = (int)count;
    return true;
}

int log_rest_add(struct log_ring *ring, const char *path, enum log_stream_kind kind)
{
    size_t length = strnlen(path, ADDR_PATH_MAX);
    struct rest *rest;
    int place;

    if (ring->free_count == 0 && !make_place(ring))
        return -1;
    place = ring->free_places[--ring->free_count];
    rest = &ring->rests[place];
    memcpy(rest->path, path, length);
    rest->path[length] = '\0';
    rest->kind = (uint8_t)kind;
    return place;
}

void log_rest_remove(struct log_ring *ring, int place)
{
    ring->free_places[ring->free_count++] = place;
}

int log_rest_places(const struct log_ring *ring)
{
    return (int)atomic_load(&ring->header->rest_count);
}

const char *log_rest_path(const struct log_ring *ring, int place, enum log_stream_kind *kind)
{
    const struct rest *rest = &ring->rests[place];

    *kind = rest->kind;
    return atomic_load(&rest->size) > 0 ? rest->path : NULL;
}

int log_rest_find(const struct log_ring *ring, const char *path, enum log_stream_kind kind)
{
    for (int place = 0; place < log_rest_places(ring); place++) {
        const struct rest *rest = &ring->rests[place];

        if (atomic_load(&rest->size) > 0 && rest->kind == kind && !strcmp(rest->path, path))
            return place;
    }
    return -1;
}

const char *log_rest_bytes(const struct log_ring *ring, int place, size_t *size)
{
    const struct rest *rest = &ring->rests[place];

    *size = atomic_load(&rest->size);
    return rest->bytes;
}

/* ---- the reader's account ----------------------------------------------------------------------
 */

void log_ring_count_dropped(struct log_ring *ring, int64_t lines)
{
    atomic_fetch_add(&ring->header->dropped_lines, (uint64_t)lines);
}

void log_ring_set_barrier(struct log_ring *ring, uint64_t position)
{
    atomic_store(&ring->header->barrier, position);
}

uint64_t log_ring_head(const struct log_ring *ring)
{
    return atomic_load(&ring->header->head);
}

uint64_t log_ring_tail(const struct log_ring *ring)
{
    return tail_position(ring->header);
}

bool log_ring_is_empty(const struct log_ring *ring)
{
    if (used(ring) > 0)
        return false;
    for (int place = 0; place < log_rest_places(ring); place++) {
        if (atomic_load(&ring->rests[place].size) > 0)
            return false;
    }
    return true;
}

bool log_ring_is_half_empty(const struct log_ring *ring)
{
    return used(ring) <= ring->header->size / 2;
}

/* ---- the writer's side ----------------------------------------------------------------------- */

uint64_t log_ring_limit(const struct log_ring *ring)
{
    /* The head first: whoever sees a head behind the barrier also sees the barrier. */
    uint64_t head = atomic_load(&ring->header->head);
    uint64_t barrier = atomic_load(&ring->header->barrier);

    return barrier < head ? barrier : head;
}

bool log_ring_next(const struct log_ring *ring, uint64_t *at, uint64_t end,
                   struct log_record *record)
{
    uint64_t head = atomic_load(&ring->header->head);

    return next_record(ring, at, end < head ? end : head, record);
}

void log_ring_release(struct log_ring *ring, uint64_t at, size_t done)
{
    atomic_store(&ring->header->tail, at / ALIGN << DONE_BITS | done);
}

void log_ring_journal_set(struct log_ring *ring, const char *file, uint64_t inode, uint64_t size)
{
    struct header *header = ring->header;
    size_t length = strnlen(file, LOG_FILE_MAX - 1);

    atomic_store(&header->journal_is_set, 0);
    memcpy(header->journal.file, file, length);
    header->journal.file[length] = '\0';
    header->journal.inode = inode;
    header->journal.size = size;
    header->journal_tail = atomic_load(&header->tail);
    atomic_store(&header->journal_is_set, 1);
}

void log_ring_journal_clear(struct log_ring *ring)
{
    atomic_store(&ring->header->journal_is_set, 0);
}

bool log_ring_journal_get(const struct log_ring *ring, struct log_journal *journal)
{
    const struct header *header = ring->header;

    if (!atomic_load(&header->journal_is_set))
        return false;
    if (header->journal_tail != atomic_load(&header->tail))
        return false;
    *journal = header->journal;
    return true;
}

void log_ring_set_error(struct log_ring *ring, int error)
{
    atomic_store(&ring->header->error, error);
}

int log_ring_error(const struct log_ring *ring)
{
    return atomic_load(&ring->header->error);
}

/* ---- waking each other ----------------------------------------------------------------------- */

void log_ring_wish_bell(struct log_ring *ring, enum log_side sleeper, bool wish)
{
    atomic_store(&ring->header->wishes[sleeper], wish);
}

bool log_ring_take_wish(struct log_ring *ring, enum log_side sleeper)
{
    if (!atomic_load(&ring->header->wishes[sleeper]))
        return false;
    return atomic_exchange(&ring->header->wishes[sleeper], 0) != 0;
}
