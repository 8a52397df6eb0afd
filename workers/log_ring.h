/*
 * The ring between the reader and the writer of sys/log: what was read from the pipes and is not in
 * a file yet. It is a file in the run directory that both map, so it survives either of them, and
 * both: whoever is killed, the successor finds what was read and goes on where the other stopped.
 *
 * One process appends (the reader), one takes (the writer); no locks. Beside the records the file
 * holds what a successor must know: the rests (lines whose end has not come yet), what the reader
 * had in hand when it was killed, how many lines it had dropped without having said so, and how far
 * the writer was in which file.
 *
 * Where the file cannot be made the ring is shared memory only: then what it holds does not survive
 * the end of both processes.
 */
#ifndef TROUPE_LOG_RING_H
#define TROUPE_LOG_RING_H

#include "log_line.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_CHUNK_MAX = 65536,                          /* bytes taken from a pipe at once */
    LOG_RECORD_MAX = LOG_CHUNK_MAX + LOG_PIECE_MAX, /* with the beginning of their first line */
    LOG_RING_MIN = 4 * LOG_CHUNK_MAX,
    LOG_RING_SIZE = 1 << 20,
    LOG_RESTS_MAX = 4096,
};

struct log_ring;

/* What a killed reader left behind. */
struct log_legacy {
    uint64_t ring_bytes;    /* records that its successor's writer will take */
    bool is_damaged;        /* there was something that is no ring (any more): lost */
    bool is_volatile;       /* this ring has no file */
    uint64_t dropped_lines; /* dropped and never mentioned */
    /* It was taking these bytes out of a pipe. They are in the ring and in the rests again; whether
     * they are in their pipe too only the pipe can tell. */
    size_t hand_size; /* 0: nothing of that kind */
    char hand_path[ADDR_PATH_MAX + 1];
    enum log_stream_kind hand_kind;
    char *hand; /* a copy of them; to be freed */
};

/* Maps the ring at file, of size bytes (rounded up to a power of two, at least LOG_RING_MIN). What
 * a predecessor left there is kept if it is sound. NULL with errno. */
struct log_ring *log_ring_open(const char *file, size_t size, struct log_legacy *legacy);
/* Unmaps; does not remove the file. Takes NULL. */
void log_ring_close(struct log_ring *ring);

/* A successor's account is settled once it has appended what it says about it. */
void log_ring_settle(struct log_ring *ring);

/* ---- the reader's side --------------------------------------------------------------------- */

struct log_record {
    const char *path;
    enum log_stream_kind kind;
    int64_t wall_us;
    bool is_final; /* a last piece without newline does not go on in the next record */
    const char *bytes;
    size_t size;
    /* Set by log_ring_next(): where it stands, and how many of its bytes were released before. */
    uint64_t position;
    size_t skipped;
};

/* Copies a record (at most LOG_RECORD_MAX bytes) behind the last one, not yet for the writer to
 * see. False when there is no room. */
bool log_ring_put(struct log_ring *ring, const struct log_record *record);
/* Makes the record that was put visible to the writer. */
void log_ring_commit(struct log_ring *ring);

/* Rests: for each stream whose last line has no end yet, its beginning (at most LOG_PIECE_MAX
 * bytes). log_rest_add() gives a place for one, or -1 when there is none; log_rest_find() the place
 * of a stream, or -1; log_rest_bytes() what is there. A rest that becomes empty gives its place
 * back. */
int log_rest_add(struct log_ring *ring, const char *path, enum log_stream_kind kind);
int log_rest_find(const struct log_ring *ring, const char *path, enum log_stream_kind kind);
const char *log_rest_bytes(const struct log_ring *ring, int place, size_t *size);
/* The stream that a place belongs to; NULL when the place is empty. */
const char *log_rest_path(const struct log_ring *ring, int place, enum log_stream_kind *kind);
/* Places are smaller than this. */
int log_rest_places(const struct log_ring *ring);

/* Gives back a place that was never filled. */
void log_rest_remove(struct log_ring *ring, int place);

/* Taking `size` bytes out of a pipe: begin says what shall be true afterwards (the record that was
 * put is committed; the rest at place, -1: none, is rest[rest_size]), then the pipe is read, and
 * end makes it true. After a SIGKILL in between the successor does what end would have done. */
struct log_transfer {
    const char *path;
    enum log_stream_kind kind;
    size_t size;
    int place;
    const char *rest;
    size_t rest_size;
};
void log_ring_transfer_begin(struct log_ring *ring, const struct log_transfer *transfer);
void log_ring_transfer_end(struct log_ring *ring);

/* Lines dropped without a record that says so: more (or, negative, fewer: they were mentioned). */
void log_ring_count_dropped(struct log_ring *ring, int64_t lines);

/* The writer takes nothing behind the barrier, so that the files hold exactly what was there before
 * it; LOG_NO_BARRIER lifts it. The head must not be beyond it when it is set. */
#define LOG_NO_BARRIER UINT64_MAX
void log_ring_set_barrier(struct log_ring *ring, uint64_t position);

/* Positions of the next record to append and of the first to take. */
uint64_t log_ring_head(const struct log_ring *ring);
uint64_t log_ring_tail(const struct log_ring *ring);
/* Neither records nor rests. */
bool log_ring_is_empty(const struct log_ring *ring);
bool log_ring_is_half_empty(const struct log_ring *ring);

/* ---- the writer's side --------------------------------------------------------------------- */

/* How far the writer may go now: the head, or the barrier. */
uint64_t log_ring_limit(const struct log_ring *ring);
/* The record at *at (tail, at first; without what was released of it) and *at behind it; false at
 * the head, or at `end` if that is nearer. The views hold until log_ring_release(). */
bool log_ring_next(const struct log_ring *ring, uint64_t *at, uint64_t end,
                   struct log_record *record);
/* Everything before at, and the first `done` bytes of the record there, are in files. One step: a
 * writer that is killed has released both or nothing. */
void log_ring_release(struct log_ring *ring, uint64_t at, size_t done);

/* The file that is being written and its length before, so that a successor can take back half a
 * write and nothing appears twice. */
void log_ring_journal_set(struct log_ring *ring, const char *file, uint64_t inode, uint64_t size);
void log_ring_journal_clear(struct log_ring *ring);
struct log_journal {
    char file[LOG_FILE_MAX];
    uint64_t inode, size;
};
/* False when no write was under way, or it came to its end. */
bool log_ring_journal_get(const struct log_ring *ring, struct log_journal *journal);

/* The errno that keeps the writer from writing; 0: none. */
void log_ring_set_error(struct log_ring *ring, int error);
int log_ring_error(const struct log_ring *ring);

/* ---- waking each other ----------------------------------------------------------------------- */

/* "I shall sleep: ring the bell" and "was I asked to ring?" (which takes the wish back). */
enum log_side { LOG_READER, LOG_WRITER };
void log_ring_wish_bell(struct log_ring *ring, enum log_side sleeper, bool wish);
bool log_ring_take_wish(struct log_ring *ring, enum log_side sleeper);

#endif
