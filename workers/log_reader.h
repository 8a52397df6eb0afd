/*
 * The reader's pipes: takes what actors write, puts it into the ring, tells the followers. Never
 * touches a disk and never waits.
 *
 * The reader has nothing in its own memory that its end would cost: what is not in a pipe is in the
 * ring's file, as a record or, while a line has no newline yet, as a rest. tee(2) shows what a pipe
 * holds; it is taken out only when the ring knows what it was. One pipe gives at most 64 KiB a
 * turn.
 *
 * When the ring is full actors wait, for `patience_ms`; from then on what does not fit is dropped
 * and counted, path by path, until half of the ring is free again. The count is the next thing that
 * the log of that path says.
 */
#ifndef TROUPE_LOG_READER_H
#define TROUPE_LOG_READER_H

#include "log_ring.h"
#include "loop.h"

struct log_reader;

/* Bytes that were just read: whole lines, or a piece of a long one. */
struct log_chunk {
    const char *path;
    enum log_stream_kind kind;
    int64_t wall_us;
    uint64_t offset; /* of its first byte: grows within a stream, and from one stream to the next */
    bool is_final;
    const char *bytes;
    size_t size;
};

struct log_reader_handlers {
    void (*on_chunk)(void *data, const struct log_chunk *chunk);
    /* The writer may be asleep and has work. */
    void (*wake_writer)(void *data);
    /* Lines are dropped (why: a phrase), or no longer (NULL). */
    void (*on_dropping)(void *data, const char *why);
    /* A turn is over: for those who wait for the reader to become idle. */
    void (*on_turn)(void *data);
};

/* own_path is where the reader's own notes go. NULL with errno. */
struct log_reader *log_reader_create(struct ev_loop *loop, struct log_ring *ring,
                                     const char *own_path, int64_t patience_ms,
                                     const struct log_reader_handlers *handlers, void *data);
/* Closes the pipes; what is in them stays for a successor. Takes NULL. */
void log_reader_destroy(struct log_reader *reader);

/* Takes over the read end of a pipe. The same pipe again changes nothing; another one for the same
 * path and stream: the first is read to its end and closed. 0, or -1 with errno (fd is closed). */
int log_reader_open(struct log_reader *reader, const char *path, enum log_stream_kind kind, int fd);
/* The actor is gone for good: reads what its pipes hold, then closes them. Returns how many. */
int log_reader_close(struct log_reader *reader, const char *path);

/* Where the stream of path will be when `unread` bytes of what is in its pipe have been read. 0: no
 * such stream, or nothing was read since it was opened. */
uint64_t log_reader_offset(const struct log_reader *reader, const char *path,
                           enum log_stream_kind kind, uint64_t unread);

/* A line of sys/log's own in the log of path. False when the ring is full. */
bool log_reader_note(struct log_reader *reader, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A killed predecessor may have left these bytes both in the ring and in their pipe: when the pipe
 * that is opened begins with them, the log of that path says so. Takes over bytes (malloc). */
void log_reader_expect_repeat(struct log_reader *reader, const char *path,
                              enum log_stream_kind kind, char *bytes, size_t size);

/* The writer has made progress. */
void log_reader_progress(struct log_reader *reader);

/* Reads what is in the pipes at this moment and nothing that comes later. */
void log_reader_stop(struct log_reader *reader);
/* Nothing is left to do but to wait for actors. */
bool log_reader_is_idle(const struct log_reader *reader);

#endif
