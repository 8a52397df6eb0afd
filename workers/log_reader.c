#include "log_reader.h"
#include "mono.h"

#include <errno.h>
#include <fcntl.h>
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
    ORPHANS_MS = 30000, /* when rests are written whose stream nobody has opened again */
    OFFSET_BITS = 40,   /* room for the bytes of one stream before the next one's offsets */
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
    int place;        /* of its rest in the ring; -1: it has none */
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
    TAILQ_HEAD(stream_list, stream) queue; /* those that may have something to read */
    uint64_t opened;
    int epoll_fd; /* edge-triggered: a pipe that waits for its turn does not wake us again */
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
    int drop_error;               /* why lines were dropped: the disk's errno; 0: too slow */
    uint64_t ended_dropped;       /* lines of streams that ended before it could be said */
    bool is_owned[LOG_RESTS_MAX]; /* places of streams that are open */
    ev_timer orphans;
    char chunk[LOG_RECORD_MAX], junk[LOG_CHUNK_MAX];
};

static const char *path_of(const struct stream *stream)
{
    return stream->key + 1;
}

/* ---- the queue --------------------------------------------------------------------------------
 */

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

/* ---- streams -----------------------------------------------------------------------------------
 */

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

/* The rest, if there is one, waits for a stream of that name to be opened again. */
static void disown(struct log_reader *reader, struct stream *stream)
{
    size_t size;

    reader->is_owned[stream->place] = false;
    log_rest_bytes(reader->ring, stream->place, &size);
    if (size == 0)
        log_rest_remove(reader->ring, stream->place);
    stream->place = -1;
}

static void stream_destroy(struct log_reader *reader, struct stream *stream)
{
    unlist(reader, stream);
    dequeue(reader, stream);
    if (stream->place >= 0)
        disown(reader, stream);
    reader->ended_dropped += stream->dropped;
    /* Another process may hold the same open file: closing alone would not take it off the list. */
    epoll_ctl(reader->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL);
    close(stream->fd);
    free(stream);
}

/* ---- taking -------------------------------------------------------------------------------------
 */

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
    return reader->drop_error ? strerror(reader->drop_error) : "the disk is too slow";
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

/* Copies what the pipe holds, up to 64 KiB, without taking it. 0: nothing. */
static size_t look(struct log_reader *reader, const struct stream *stream, char *out)
{
    ssize_t n = tee(stream->fd, reader->scratch[1], LOG_CHUNK_MAX, SPLICE_F_NONBLOCK);
    size_t got = 0;

    while (n > 0 && got < (size_t)n) {
        ssize_t more = read(reader->scratch[0], out + got, (size_t)n - got);

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

static void count_dropped(struct log_reader *reader, struct stream *stream,
                          const struct log_chunk *chunk)
{
    uint64_t lines = log_line_count(chunk->bytes, chunk->size);
    int error = log_ring_error(reader->ring);

    if (error)
        reader->drop_error = error;
    log_ring_count_dropped(reader->ring, (int64_t)lines);
    stream->dropped += lines;
}

/* A place for the rest of this stream. False when there is none. */
static bool has_place(struct log_reader *reader, struct stream *stream)
{
    if (stream->place >= 0)
        return true;
    stream->place = log_rest_add(reader->ring, path_of(stream), stream->kind);
    if (stream->place >= 0)
        reader->is_owned[stream->place] = true;
    return stream->place >= 0;
}

/* Takes `size` bytes out of the pipe: the chunk becomes a record (or is dropped), what follows it
 * in reader->chunk becomes the rest. */
static enum take transfer(struct log_reader *reader, struct stream *stream,
                          const struct log_chunk *chunk, size_t size, size_t rest_size)
{
    struct log_transfer transfer = {.path = path_of(stream),
                                    .kind = stream->kind,
                                    .size = size,
                                    .place = stream->place,
                                    .rest = reader->chunk + chunk->size,
                                    .rest_size = rest_size};

    if (chunk->size > 0 && reader->is_dropping)
        count_dropped(reader, stream, chunk);
    else if (chunk->size > 0 && !put(reader, chunk))
        return TAKE_FULL;
    log_ring_transfer_begin(reader->ring, &transfer);
    take_out(reader, stream, size);
    log_ring_transfer_end(reader->ring);
    stream->offset += size;
    if (stream->place >= 0 && rest_size == 0) {
        reader->is_owned[stream->place] = false;
        stream->place = -1;
    }
    if (chunk->size > 0)
        tell(reader, chunk);
    return TAKE_MORE;
}

/* Puts the rest in front of reader->chunk. Returns its size. */
static size_t recall_rest(struct log_reader *reader, const struct stream *stream)
{
    const char *rest;
    size_t size;

    if (stream->place < 0)
        return 0;
    rest = log_rest_bytes(reader->ring, stream->place, &size);
    memcpy(reader->chunk, rest, size);
    return size;
}

static enum take take(struct log_reader *reader, struct stream *stream)
{
    struct log_chunk chunk = {.path = path_of(stream), .kind = stream->kind};
    size_t old, size, rest_size;

    if (!reader->is_dropping && !mention_dropped(reader, path_of(stream), &stream->dropped))
        return TAKE_FULL;
    if (reader->is_stopping && stream->offset >= stream->stop_at)
        return TAKE_EMPTY;
    old = recall_rest(reader, stream);
    size = look(reader, stream, reader->chunk + old);
    chunk.is_final = size == 0;
    if (size == 0 && (old == 0 || !stream->is_ending))
        return TAKE_EMPTY;
    chunk.bytes = reader->chunk;
    chunk.offset = stream->offset - old;
    chunk.wall_us = wall_now_us();
    chunk.size = size == 0 ? old : log_take_size(reader->chunk, old + size);
    rest_size = old + size - chunk.size;
    if (rest_size > 0 && !has_place(reader, stream)) {
        chunk.size += rest_size; /* then it is a piece that goes on in the next line */
        rest_size = 0;
    }
    return transfer(reader, stream, &chunk, size, rest_size);
}

/* ---- full, and no longer --------------------------------------------------------------------- */

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
    HASH_ITER (hh, reader->streams, stream, next) {
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
    reader->drop_error = log_ring_error(reader->ring);
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

/* ---- turns ----------------------------------------------------------------------------------- */

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

/* ---- opening and closing --------------------------------------------------------------------- */

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
    size_t size;

    if (!reader->repeat.bytes || strcmp(reader->repeat.key, stream->key) != 0)
        return;
    size = look(reader, stream, reader->chunk);
    if (size >= reader->repeat.size &&
        !memcmp(reader->chunk, reader->repeat.bytes, reader->repeat.size))
        log_reader_note(reader, path_of(stream),
                        "%zu bytes may be repeated: %s was killed with them in hand",
                        reader->repeat.size, reader->own_path);
    free(reader->repeat.bytes);
    reader->repeat.bytes = NULL;
}

/* The beginning of its last line, if an earlier stream of that name left one. */
static void adopt_rest(struct log_reader *reader, struct stream *stream)
{
    stream->place = log_rest_find(reader->ring, path_of(stream), stream->kind);
    if (stream->place < 0)
        return;
    if (reader->is_owned[stream->place])
        stream->place = -1;
    else
        reader->is_owned[stream->place] = true;
}

/* Rests of actors that are gone together with their supervisor are written as they are. */
static void on_orphans(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct log_reader *reader = container_of(timer, struct log_reader, orphans);

    (void)loop;
    (void)events;
    for (int place = 0; place < log_rest_places(reader->ring); place++) {
        struct log_chunk chunk = {.is_final = true, .wall_us = wall_now_us()};
        struct log_transfer transfer = {.place = place, .rest = ""};

        chunk.path = log_rest_path(reader->ring, place, &chunk.kind);
        if (!chunk.path || reader->is_owned[place])
            continue;
        chunk.bytes = log_rest_bytes(reader->ring, place, &chunk.size);
        if (!put(reader, &chunk))
            return;
        transfer.path = chunk.path;
        transfer.kind = chunk.kind;
        log_ring_transfer_begin(reader->ring, &transfer);
        log_ring_transfer_end(reader->ring);
        tell(reader, &chunk);
    }
    ev_timer_stop(reader->loop, timer);
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
    stream->place = -1;
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
    adopt_rest(reader, stream);
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
                           enum log_stream_kind kind, uint64_t unread)
{
    const struct stream *stream = find(reader, path, kind);
    int waiting = 0;

    if (!stream)
        return 0;
    if (stream->offset == stream->base)
        return 0;
    ioctl(stream->fd, FIONREAD, &waiting);
    return stream->offset + (unread < (uint64_t)waiting ? unread : (uint64_t)waiting);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

void log_reader_stop(struct log_reader *reader)
{
    struct stream *stream, *next;

    ev_io_stop(reader->loop, &reader->io);
    reader->is_stopping = true;
    HASH_ITER (hh, reader->streams, stream, next) {
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
    ev_set_priority(&reader->turn, -1); /* after the peers: who asks to watch hears what follows */
    ev_check_start(loop, &reader->turn);
    ev_idle_init(&reader->spin, on_idle);
    ev_init(&reader->patience, on_patience);
    ev_timer_init(&reader->orphans, on_orphans, ORPHANS_MS / 1000.0, ORPHANS_MS / 1000.0);
    if (log_rest_places(ring) > 0)
        ev_timer_start(loop, &reader->orphans);
    return reader;
}

void log_reader_destroy(struct log_reader *reader)
{
    struct stream *stream, *next;

    if (!reader)
        return;
    while ((stream = TAILQ_FIRST(&reader->queue)))
        stream_destroy(reader, stream);
    HASH_ITER (hh, reader->streams, stream, next) {
        stream_destroy(reader, stream);
    }
    ev_io_stop(reader->loop, &reader->io);
    ev_check_stop(reader->loop, &reader->turn);
    ev_idle_stop(reader->loop, &reader->spin);
    ev_timer_stop(reader->loop, &reader->patience);
    ev_timer_stop(reader->loop, &reader->orphans);
    close(reader->epoll_fd);
    close(reader->scratch[0]);
    close(reader->scratch[1]);
    free(reader->repeat.bytes);
    free(reader);
}
