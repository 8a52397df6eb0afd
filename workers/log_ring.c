#include "log_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAGIC = 0x54524c47, VERSION = 1, ALIGN = 8, DONE_BITS = 16 };

/* What the file begins with. Positions only grow; a position modulo size is a place in the data. The
 * tail is two numbers in one word: position / ALIGN above DONE_BITS, and the bytes of that record
 * that are done. */
struct header {
    uint32_t magic, version;
    uint64_t size;
    _Atomic uint64_t head, tail, barrier;
    _Atomic uint32_t wishes[2];
    _Atomic int32_t error;
    _Atomic uint64_t dropped_lines;
    _Atomic uint64_t hand_size;
    uint64_t hand_position; /* the head when it was put */
    char hand_path[ADDR_PATH_MAX + 1];
    _Atomic uint32_t journal_is_set;
    uint64_t journal_tail; /* the tail (both numbers) that the journal belongs to */
    struct log_journal journal;
};

enum { DATA_OFFSET = 4096 };
_Static_assert(sizeof(struct header) <= DATA_OFFSET, "the ring's header fits its page");

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
    size_t mapped_size;
    uint64_t put_end; /* behind the record that was put and not committed */
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
        frame->size > LOG_CHUNK_MAX ||
        sizeof *frame + frame->path_length + 1 + frame->size > frame_size)
        return NULL;
    return ((const char *)(frame + 1))[frame->path_length] == '\0' ? frame : NULL;
}

static bool is_filler(const struct frame *frame)
{
    return frame->frame_size < sizeof *frame || frame->path_length == 0;
}

/* ---- opening ----------------------------------------------------------------------------- */

static size_t round_size(size_t wanted)
{
    size_t size = LOG_RING_MIN;

    while (size < wanted && size < (size_t)1 << 30)
        size *= 2;
    return size;
}

/* Is what a predecessor left sound? Every record is looked at: the writer trusts them. */
static bool is_sound(const struct log_ring *ring, size_t size)
{
    const struct header *header = ring->header;
    uint64_t head, at;

    if (header->magic != MAGIC || header->version != VERSION || header->size != size)
        return false;
    head = atomic_load(&header->head);
    at = tail_position(header);
    if (head < at || head - at > size || at % ALIGN || head % ALIGN)
        return false;
    while (at < head) {
        const struct frame *frame = frame_at(ring, at, head);

        if (!frame)
            return false;
        at += frame->frame_size;
    }
    return memchr(header->hand_path, '\0', sizeof header->hand_path) &&
           memchr(header->journal.file, '\0', sizeof header->journal.file);
}

static void begin_anew(struct log_ring *ring, size_t size)
{
    memset(ring->header, 0, sizeof *ring->header);
    ring->header->magic = MAGIC;
    ring->header->version = VERSION;
    ring->header->size = size;
}

/* The record that was put at the head and not committed, if it is all there. */
static const struct frame *uncommitted(const struct log_ring *ring, uint64_t *at)
{
    uint64_t bound = tail_position(ring->header) + ring->header->size;
    const struct frame *frame;

    *at = atomic_load(&ring->header->head);
    frame = *at < bound ? frame_at(ring, *at, bound) : NULL;
    if (frame && is_filler(frame)) {
        *at += frame->frame_size;
        frame = *at < bound ? frame_at(ring, *at, bound) : NULL;
    }
    return frame && !is_filler(frame) ? frame : NULL;
}

/* What was in hand goes into the ring after all. */
static void adopt_hand(struct log_ring *ring, struct log_legacy *legacy)
{
    uint64_t at;
    const struct frame *frame = uncommitted(ring, &at);
    const char *path = (const char *)(frame + 1);

    if (!frame || frame->size != legacy->hand_size || strcmp(path, legacy->hand_path) != 0)
        return;
    legacy->hand = malloc(frame->size);
    if (!legacy->hand)
        return;
    memcpy(legacy->hand, path + frame->path_length + 1, frame->size);
    legacy->hand_kind = frame->kind;
    atomic_store(&ring->header->head, at + frame->frame_size);
}

static void read_legacy(struct log_ring *ring, struct log_legacy *legacy)
{
    struct header *header = ring->header;

    *legacy = (struct log_legacy){.ring_bytes = used(ring),
                                  .dropped_lines = atomic_load(&header->dropped_lines),
                                  .hand_size = atomic_load(&header->hand_size)};
    memcpy(legacy->hand_path, header->hand_path, sizeof legacy->hand_path);
    /* A head that has moved on: it was committed, only the hand was not emptied any more. */
    if (atomic_load(&header->head) != header->hand_position)
        legacy->hand_size = 0;
    if (legacy->hand_size > 0)
        adopt_hand(ring, legacy);
}

/* The file, ours and with all its blocks (a write to a hole of a full tmpfs would be SIGBUS); -1. */
static int open_file(const char *file, size_t size)
{
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
        ftruncate(fd, (off_t)size) < 0 || posix_fallocate(fd, 0, (off_t)size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void *map_shared(const char *file, size_t size, bool *is_volatile)
{
    int fd = file ? open_file(file, size) : -1;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

    *is_volatile = fd < 0;
    if (fd >= 0)
        close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

struct log_ring *log_ring_open(const char *file, size_t size, struct log_legacy *legacy)
{
    struct log_ring *ring = calloc(1, sizeof *ring);
    bool is_volatile, is_damaged;

    if (!ring)
        return NULL;
    size = round_size(size);
    ring->mapped_size = DATA_OFFSET + size;
    ring->header = map_shared(file, ring->mapped_size, &is_volatile);
    if (!ring->header) {
        free(ring);
        return NULL;
    }
    ring->data = (char *)ring->header + DATA_OFFSET;
    is_damaged = !is_sound(ring, size) && ring->header->magic != 0;
    if (is_damaged || ring->header->magic == 0)
        begin_anew(ring, size);
    read_legacy(ring, legacy);
    legacy->is_volatile = is_volatile;
    legacy->is_damaged = is_damaged;
    log_ring_set_barrier(ring, LOG_NO_BARRIER);
    return ring;
}

void log_ring_close(struct log_ring *ring)
{
    if (!ring)
        return;
    munmap(ring->header, ring->mapped_size);
    free(ring);
}

void log_ring_settle(struct log_ring *ring)
{
    atomic_store(&ring->header->hand_size, 0);
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

void log_ring_hold(struct log_ring *ring, const char *path, uint64_t size)
{
    size_t length = strnlen(path, ADDR_PATH_MAX);

    memcpy(ring->header->hand_path, path, length);
    ring->header->hand_path[length] = '\0';
    ring->header->hand_position = atomic_load(&ring->header->head);
    atomic_store(&ring->header->hand_size, size);
}

void log_ring_unhold(struct log_ring *ring)
{
    atomic_store(&ring->header->hand_size, 0);
}

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

bool log_ring_next(const struct log_ring *ring, uint64_t *at, uint64_t end, struct log_record *record)
{
    uint64_t head = atomic_load(&ring->header->head);
    uint64_t tail = atomic_load(&ring->header->tail), from;
    const struct frame *frame;

    if (end < head)
        head = end;
    do {
        if (*at >= head)
            return false;
        from = *at;
        frame = frame_at(ring, from, head);
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
