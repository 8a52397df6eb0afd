#include "log_reader.h"
#include "mono.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

enum {
    TURN_STREAMS = 16, /* pipes read in one turn of the loop, each for 64 KiB at most */
    EVENTS = 128,
    KEY_SIZE = ADDR_PATH_MAX + 3,
    OFFSET_BITS = 40, /* room for the bytes of one stream before the next one's offsets */
};

struct stream {
    UT_hash_handle hh;
    TAILQ_ENTRY(stream) entry;
    char key[KEY_SIZE]; /* the stream's kind as a digit, then its path */
    enum log_stream_kind kind;
    int fd;
    dev_t dev;
    ino_t ino;
    uint64_t base, offset; /* where its offsets began; of the next byte */
    uint64_t stop_at;
    uint64_t dropped; /* lines, not mentioned yet */
    bool is_queued, is_ending, is_listed;
};

struct log_reader {
    struct ev_loop *loop;
    struct log_ring *ring;
    const char *own_path;
    int64_t patience_ms;
    struct log_reader_handlers handlers;
    void *data;

    struct stream *streams;
    TAILQ_HEAD(, stream) queue; /* those that may have something to read */
    uint64_t opened;
    int epoll_fd; /* edge-triggered: a partial line that waits in its pipe does not wake us again */
    int scratch[2];
    ev_io io;
    ev_check turn;
    ev_idle spin; /* keeps the loop from sleeping while the queue is not empty */
    ev_timer patience;
    bool is_full;     /* an episode: from the first record that did not fit until half is free */
    bool is_waiting;  /* for room: the queue is not looked at */
    bool is_dropping; /* patience is over */
    bool is_stopping;
    struct {
        char key[KEY_SIZE];
        char *bytes;
        size_t size;
    } repeat; /* what the first pipe with this key may begin with, though the ring has it already */
    uint64_t ended_dropped; /* lines of streams that ended before it could be said */
    char chunk[LOG_CHUNK_MAX], junk[LOG_CHUNK_MAX];
};

static const char *path_of(const struct stream *stream)
{
    return stream->key + 1;
}

/* ---- the queue -------------------------------------------------------------------------------- */

static void update_spin(struct log_reader *reader)
{
    if (!reader->is_waiting && !TAILQ_EMPTY(&reader->queue))
        ev_idle_start(reader->loop, &reader->spin);
    else
        ev_idle_stop(reader->loop, &reader->spin);
}

static void enqueue(struct log_reader *reader, struct stream *stream)
{
    if (stream->is_queued)
        return;
    stream->is_queued = true;
    TAILQ_INSERT_TAIL(&reader->queue, stream, entry);
    update_spin(reader);
}

static void dequeue(struct log_reader *reader, struct stream *stream)
{
    if (!stream->is_queued)
        return;
    stream->is_queued = false;
    TAILQ_REMOVE(&reader->queue, stream, entry);
}

/* ---- streams ----------------------------------------------------------------------------------- */

static void make_key(const char *path, enum log_stream_kind kind, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "%d%s", (int)kind, path);
}

static struct stream *find(const struct log_reader *reader, const char *path,
                           enum log_stream_kind kind)
{
    struct stream *stream;
    char key[KEY_SIZE];

    make_key(path, kind, key);
    HASH_FIND_STR(reader->streams, key, stream);
    return stream;
}

static void unlist(struct log_reader *reader, struct stream *stream)
{
    if (stream->is_listed)
        HASH_DELETE(hh, reader->streams, stream);
    stream->is_listed = false;
}

static void stream_destroy(struct log_reader *reader, struct stream *stream)
{
    unlist(reader, stream);
    dequeue(reader, stream);
    reader->ended_dropped += stream->dropped;
    /* Another process may hold the same open file: closing alone would not take it off the list. */
    epoll_ctl(reader->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
    close(stream->fd);
    free(stream);
}

/* ---- taking ------------------------------------------------------------------------------------- */

enum take { TAKE_MORE, TAKE_EMPTY, TAKE_FULL };

static bool put(struct log_reader *reader, const struct log_chunk *chunk)
{
    struct log_record record = {.path = chunk->path,
                                .kind = chunk->kind,
                                .wall_us = chunk->wall_us,
                                .is_final = chunk->is_final,
                                .bytes = chunk->bytes,
                                .size = chunk->size};

    return log_ring_put(reader->ring, &record);
}

/* Of a record that was committed. */
static void tell(struct log_reader *reader, const struct log_chunk *chunk)
{
    reader->handlers.wake_writer(reader->data);
    reader->handlers.on_chunk(reader->data, chunk);
}

bool log_reader_note(struct log_reader *reader, const char *path, const char *format, ...)
{
    char text[ADDR_PATH_MAX + 256];
    struct log_chunk chunk = {.path = path, .kind = LOG_NOTE, .is_final = true, .bytes = text};
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    chunk.size = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
    chunk.wall_us = wall_now_us();
    if (!put(reader, &chunk))
        return false;
    log_ring_commit(reader->ring);
    tell(reader, &chunk);
    return true;
}

static const char *reason(const struct log_reader *reader)
{
    int error = log_ring_error(reader->ring);

    return error ? strerror(error) : "the disk is too slow";
}

/* Says how many lines were dropped. False when there is no room to say it. */
static bool mention_dropped(struct log_reader *reader, const char *path, uint64_t *lines)
{
    if (*lines == 0)
        return true;
    if (!log_reader_note(reader, path, "%llu lines dropped: %s", (unsigned long long)*lines,
                         reason(reader)))
        return false;
    log_ring_count_dropped(reader->ring, -(int64_t)*lines);
    *lines = 0;
    return true;
}

/* What the pipe holds, up to 64 KiB, without taking it. 0: nothing. *is_crammed: all slots of the
 * pipe seem to be in use, so that its writer may be waiting. */
static size_t look(struct log_reader *reader, const struct stream *stream, bool *is_crammed)
{
    struct pollfd room = {.fd = reader->scratch[1], .events = POLLOUT};
    ssize_t n = tee(stream->fd, reader->scratch[1], LOG_CHUNK_MAX, SPLICE_F_NONBLOCK);
    size_t got = 0;

    *is_crammed = false;
    if (n <= 0)
        return 0;
    if (n <= LOG_PIECE_MAX)
        *is_crammed = poll(&room, 1, 0) == 0;
    while (got < (size_t)n) {
        ssize_t more = read(reader->scratch[0], reader->chunk + got, (size_t)n - got);

        if (more <= 0)
            break;
        got += (size_t)more;
    }
    return got;
}

/* Takes bytes that were looked at before out of the pipe: they are there, nobody else reads. */
static void take_out(struct log_reader *reader, struct stream *stream, size_t size)
{
    while (size > 0) {
        ssize_t n = read(stream->fd, reader->junk, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        size -= (size_t)n;
    }
}

static void drop(struct log_reader *reader, struct stream *stream, const struct log_chunk *chunk)
{
    uint64_t lines = log_line_count(chunk->bytes, chunk->size);

    log_ring_count_dropped(reader->ring, (int64_t)lines);
    take_out(reader, stream, chunk->size);
    stream->dropped += lines;
    reader->handlers.on_chunk(reader->data, chunk);
}

static enum take store(struct log_reader *reader, struct stream *stream,
                       const struct log_chunk *chunk)
{
    if (reader->is_dropping) {
        drop(reader, stream, chunk);
    } else {
        if (!put(reader, chunk))
            return TAKE_FULL;
        log_ring_hold(reader->ring, chunk->path, chunk->size);
        take_out(reader, stream, chunk->size);
        log_ring_commit(reader->ring);
        log_ring_unhold(reader->ring);
        tell(reader, chunk);
    }
    stream->offset += chunk->size;
    return TAKE_MORE;
}

static enum take take(struct log_reader *reader, struct stream *stream)
{
    struct log_chunk chunk = {.path = path_of(stream),
                              .kind = stream->kind,
                              .offset = stream->offset,
                              .bytes = reader->chunk};
    bool is_crammed;
    size_t size;

    if (!reader->is_dropping && !mention_dropped(reader, path_of(stream), &stream->dropped))
        return TAKE_FULL;
    if (reader->is_stopping && stream->offset >= stream->stop_at)
        return TAKE_EMPTY;
    size = look(reader, stream, &is_crammed);
    if (size == 0)
        return TAKE_EMPTY;
    chunk.size = log_take_size(reader->chunk, size);
    if (chunk.size == 0) {
        /* A line that is not complete: it can wait for its end, unless there will be none. */
        if (!is_crammed && !stream->is_ending)
            return TAKE_EMPTY;
        chunk.size = size;
        chunk.is_final = stream->is_ending;
    }
    chunk.wall_us = wall_now_us();
    return store(reader, stream, &chunk);
}

/* ---- full, and no longer ------------------------------------------------------------------------- */

static void begin_episode(struct log_reader *reader)
{
    reader->is_full = true;
    ev_now_update(reader->loop);
    ev_timer_set(&reader->patience, (double)reader->patience_ms / 1000.0, 0.);
    ev_timer_start(reader->loop, &reader->patience);
}

static void end_episode(struct log_reader *reader)
{
    struct stream *stream, *next;

    ev_timer_stop(reader->loop, &reader->patience);
    reader->is_full = reader->is_waiting = false;
    if (!reader->is_dropping)
        return;
    reader->is_dropping = false;
    HASH_ITER(hh, reader->streams, stream, next) {
        if (stream->dropped > 0)
            enqueue(reader, stream);
    }
    mention_dropped(reader, reader->own_path, &reader->ended_dropped);
    reader->handlers.on_dropping(reader->data, NULL);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct log_reader *reader = container_of(timer, struct log_reader, patience);

    (void)loop;
    (void)events;
    reader->is_dropping = true;
    reader->is_waiting = false;
    update_spin(reader);
    reader->handlers.on_dropping(reader->data, reason(reader));
}

void log_reader_progress(struct log_reader *reader)
{
    if (!reader->is_full)
        return;
    log_ring_wish_bell(reader->ring, LOG_READER, true);
    if (log_ring_is_half_empty(reader->ring))
        end_episode(reader);
    else if (!reader->is_dropping)
        reader->is_waiting = false; /* perhaps the next record fits */
    update_spin(reader);
}

/* ---- turns ----------------------------------------------------------------------------------------- */

/* Takes from the stream; asks for the bell before it believes that the ring is full. */
static enum take take_or_wait(struct log_reader *reader, struct stream *stream)
{
    enum take result = take(reader, stream);

    if (result != TAKE_FULL)
        return result;
    log_ring_wish_bell(reader->ring, LOG_READER, true);
    result = take(reader, stream);
    if (result != TAKE_FULL)
        return result;
    if (!reader->is_full)
        begin_episode(reader);
    reader->is_waiting = true;
    return TAKE_FULL;
}

static void on_turn(struct ev_loop *loop, ev_check *check, int events)
{
    struct log_reader *reader = container_of(check, struct log_reader, turn);

    (void)loop;
    (void)events;
    for (int i = 0; i < TURN_STREAMS && !reader->is_waiting; i++) {
        struct stream *stream = TAILQ_FIRST(&reader->queue);
        enum take result;

        if (!stream)
            break;
        result = take_or_wait(reader, stream);
        if (result == TAKE_FULL)
            break;
        dequeue(reader, stream);
        if (result == TAKE_MORE)
            enqueue(reader, stream);
        else if (stream->is_ending)
            stream_destroy(reader, stream);
    }
    if (reader->ended_dropped > 0 && !reader->is_full)
        mention_dropped(reader, reader->own_path, &reader->ended_dropped);
    update_spin(reader);
    reader->handlers.on_turn(reader->data);
}

static void on_idle(struct ev_loop *loop, ev_idle *idle, int events)
{
    (void)loop;
    (void)idle;
    (void)events;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct log_reader *reader = container_of(io, struct log_reader, io);
    struct epoll_event events[EVENTS];
    int count = epoll_wait(reader->epoll_fd, events, EVENTS, 0);

    (void)loop;
    (void)revents;
    for (int i = 0; i < count; i++) {
        struct stream *stream = events[i].data.ptr;

        if (events[i].events & (EPOLLHUP | EPOLLERR))
            stream->is_ending = true;
        enqueue(reader, stream);
    }
}

/* ---- opening and closing ------------------------------------------------------------------------------ */

/* An open file of our own: what we set on it does not reach the actor, and we do not hold the pipe
 * open for writing, so that its end is seen. */
static int reopen(int fd)
{
    char name[32];
    int own;

    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    own = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (own < 0)
        return fd;
    close(fd);
    return own;
}

/* Reads the stream to its present end and destroys it; if the ring has no room now, later. */
static void finish(struct log_reader *reader, struct stream *stream)
{
    enum take result;

    unlist(reader, stream);
    stream->is_ending = true;
    do {
        result = reader->is_waiting ? TAKE_FULL : take_or_wait(reader, stream);
    } while (result == TAKE_MORE);
    if (result == TAKE_FULL)
        enqueue(reader, stream);
    else
        stream_destroy(reader, stream);
    update_spin(reader);
}

void log_reader_expect_repeat(struct log_reader *reader, const char *path,
                              enum log_stream_kind kind, char *bytes, size_t size)
{
    make_key(path, kind, reader->repeat.key);
    reader->repeat.bytes = bytes;
    reader->repeat.size = size;
}

static void check_repeat(struct log_reader *reader, const struct stream *stream)
{
    bool is_crammed;
    size_t size;

    if (!reader->repeat.bytes || strcmp(reader->repeat.key, stream->key) != 0)
        return;
    size = look(reader, stream, &is_crammed);
    if (size >= reader->repeat.size &&
        !memcmp(reader->chunk, reader->repeat.bytes, reader->repeat.size))
        log_reader_note(reader, path_of(stream), "%zu bytes may be repeated: %s was killed with them in hand",
                        reader->repeat.size, reader->own_path);
    free(reader->repeat.bytes);
    reader->repeat.bytes = NULL;
}

static int list_stream(struct log_reader *reader, const char *path, enum log_stream_kind kind,
                       int fd, const struct stat *st)
{
    struct stream *stream = calloc(1, sizeof *stream);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = stream};

    if (!stream)
        return -1;
    make_key(path, kind, stream->key);
    stream->kind = kind;
    stream->fd = fd;
    stream->dev = st->st_dev;
    stream->ino = st->st_ino;
    stream->stop_at = UINT64_MAX;
    stream->base = stream->offset = ++reader->opened << OFFSET_BITS;
    if (epoll_ctl(reader->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        free(stream);
        return -1;
    }
    stream->is_listed = true;
    HASH_ADD_STR(reader->streams, key, stream);
    check_repeat(reader, stream);
    enqueue(reader, stream);
    return 0;
}

int log_reader_open(struct log_reader *reader, const char *path, enum log_stream_kind kind, int fd)
{
    struct stream *known = find(reader, path, kind);
    struct stat st;

    if (fstat(fd, &st) < 0)
        goto fail;
    if (!S_ISFIFO(st.st_mode)) {
        errno = EINVAL;
        goto fail;
    }
    if (known && known->dev == st.st_dev && known->ino == st.st_ino) {
        close(fd);
        return 0;
    }
    fd = reopen(fd);
    if (known)
        finish(reader, known);
    if (list_stream(reader, path, kind, fd, &st) == 0)
        return 0;
fail:
    close(fd);
    return -1;
}

int log_reader_close(struct log_reader *reader, const char *path)
{
    int count = 0;

    for (int kind = LOG_OUT; kind <= LOG_BOTH; kind++) {
        struct stream *stream = find(reader, path, kind);

        if (!stream)
            continue;
        finish(reader, stream);
        count++;
    }
    return count;
}

uint64_t log_reader_offset(const struct log_reader *reader, const char *path,
                           enum log_stream_kind kind)
{
    const struct stream *stream = find(reader, path, kind);
    int waiting = 0;

    if (!stream)
        return 0;
    if (stream->offset != stream->base)
        ioctl(stream->fd, FIONREAD, &waiting);
    return stream->offset + (uint64_t)waiting;
}

/* ---- beginning and end ----------------------------------------------------------------------------------- */

void log_reader_stop(struct log_reader *reader)
{
    struct stream *stream, *next;

    ev_io_stop(reader->loop, &reader->io);
    reader->is_stopping = true;
    HASH_ITER(hh, reader->streams, stream, next) {
        int waiting = 0;

        ioctl(stream->fd, FIONREAD, &waiting);
        stream->stop_at = stream->offset + (uint64_t)waiting;
        enqueue(reader, stream);
    }
    update_spin(reader);
}

bool log_reader_is_idle(const struct log_reader *reader)
{
    return TAILQ_EMPTY(&reader->queue);
}

struct log_reader *log_reader_create(struct ev_loop *loop, struct log_ring *ring,
                                     const char *own_path, int64_t patience_ms,
                                     const struct log_reader_handlers *handlers, void *data)
{
    struct log_reader *reader = calloc(1, sizeof *reader);

    if (!reader)
        return NULL;
    reader->loop = loop;
    reader->ring = ring;
    reader->own_path = own_path;
    reader->patience_ms = patience_ms;
    reader->handlers = *handlers;
    reader->data = data;
    reader->scratch[0] = reader->scratch[1] = -1;
    TAILQ_INIT(&reader->queue);
    reader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (reader->epoll_fd < 0 || pipe2(reader->scratch, O_CLOEXEC | O_NONBLOCK) < 0) {
        if (reader->epoll_fd >= 0)
            close(reader->epoll_fd);
        free(reader);
        return NULL;
    }
    ev_io_init(&reader->io, on_readable, reader->epoll_fd, EV_READ);
    ev_io_start(loop, &reader->io);
    ev_check_init(&reader->turn, on_turn);
    ev_check_start(loop, &reader->turn);
    ev_idle_init(&reader->spin, on_idle);
    ev_init(&reader->patience, on_patience);
    return reader;
}

void log_reader_destroy(struct log_reader *reader)
{
    struct stream *stream, *next;

    if (!reader)
        return;
    while ((stream = TAILQ_FIRST(&reader->queue)))
        stream_destroy(reader, stream);
    HASH_ITER(hh, reader->streams, stream, next) {
        stream_destroy(reader, stream);
    }
    ev_io_stop(reader->loop, &reader->io);
    ev_check_stop(reader->loop, &reader->turn);
    ev_idle_stop(reader->loop, &reader->spin);
    ev_timer_stop(reader->loop, &reader->patience);
    close(reader->epoll_fd);
    close(reader->scratch[0]);
    close(reader->scratch[1]);
    free(reader->repeat.bytes);
    free(reader);
}
