#include "log_writer.h"
#include "log_files.h"
#include "mono.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH_BYTES = 256 << 10, BATCH_ROOM = BATCH_BYTES + LOG_FORMATTED_MAX, RETRY_MS = 1000 };

struct writer {
    const struct log_writer_config *config;
    struct log_ring *ring;
    struct log_files *files;
    int bell_fd;
    bool reader_is_gone;
    char *batch; /* BATCH_ROOM bytes */
    size_t batch_size, batch_limit;
    /* Of lines that this path's own trouble cost and that were not mentioned yet. */
    char lost_path[ADDR_PATH_MAX + 1];
    uint64_t lost_lines;
    int lost_error;
};

/* ---- the bell -------------------------------------------------------------------------------- */

/* Sleeps until the reader rings, it is gone, or the time is over (-1: none). */
static void wait_for_bell(struct writer *writer, int timeout_ms)
{
    struct pollfd pfd = {.fd = writer->bell_fd, .events = POLLIN};
    char rings[64];
    ssize_t n;

    if (writer->reader_is_gone || poll(&pfd, 1, timeout_ms) <= 0)
        return;
    n = recv(writer->bell_fd, rings, sizeof rings, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        writer->reader_is_gone = true;
}

static void ring_reader(struct writer *writer)
{
    if (log_ring_take_wish(writer->ring, LOG_READER))
        send(writer->bell_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool has_work(const struct writer *writer)
{
    return log_ring_tail(writer->ring) != log_ring_limit(writer->ring);
}

/* ---- one batch ------------------------------------------------------------------------------- */

/* The lines of a record from *at on, as long as they fit into one file. */
static void add_lines(struct writer *writer, const struct log_record *record, size_t *at)
{
    struct log_piece piece;
    size_t from = *at, length;

    while (log_piece_next(record->bytes, record->size, at, &piece)) {
        bool goes_on = piece.goes_on || (!piece.is_whole && !record->is_final);

        length = log_line_format(record->wall_us, record->kind, goes_on, piece.at, piece.length,
                                 writer->batch + writer->batch_size);
        if (writer->batch_size > 0 && writer->batch_size + length > writer->batch_limit) {
            *at = from;
            return;
        }
        writer->batch_size += length;
        from = *at;
    }
}

/* The disk is in trouble, not this path alone: waiting may help. */
static bool is_disk_error(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EROFS:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
        return true;
    default:
        return false;
    }
}

/* False when the reader is gone before there is a directory. */
static bool open_files(struct writer *writer)
{
    for (;;) {
        writer->files =
            log_files_create(writer->config->dir, &writer->config->limits, writer->ring);
        if (writer->files)
            return true;
        log_ring_set_error(writer->ring, errno);
        ring_reader(writer);
        if (writer->reader_is_gone)
            return false;
        wait_for_bell(writer, RETRY_MS);
    }
}

/* Appends, and tries again while the disk is in trouble. False when the reader is gone meanwhile:
 * then the successor's writer does it. */
static bool append(struct writer *writer, const char *path)
{
    bool is_reopened = false;

    while (log_files_append(writer->files, path, writer->batch, writer->batch_size) < 0) {
        int error = errno;

        if (error == ENOENT && !is_reopened) { /* the directory itself was removed */
            is_reopened = true;
            log_files_destroy(writer->files);
            if (!open_files(writer))
                return false;
            continue;
        }
        if (!is_disk_error(error)) {
            writer->lost_error = error;
            return true;
        }
        log_ring_set_error(writer->ring, error);
        ring_reader(writer);
        if (writer->reader_is_gone)
            return false;
        wait_for_bell(writer, RETRY_MS);
    }
    log_ring_set_error(writer->ring, 0);
    return true;
}

static void say_what_was_lost(struct writer *writer)
{
    char text[ADDR_PATH_MAX + 128];
    int length;

    if (writer->lost_lines == 0)
        return;
    length = snprintf(text, sizeof text, "%llu lines of %s dropped: %s",
                      (unsigned long long)writer->lost_lines, writer->lost_path,
                      strerror(writer->lost_error));
    writer->lost_lines = 0;
    writer->lost_error = 0;
    writer->batch_size =
        log_line_format(wall_now_us(), LOG_NOTE, false, text, (size_t)length, writer->batch);
    append(writer, writer->config->own_path);
    writer->lost_error = 0;
}

/* Writes what the batch holds. False: end without releasing it. */
static bool flush(struct writer *writer, const char *path)
{
    if (writer->batch_size == 0)
        return true;
    if (!append(writer, path))
        return false;
    if (writer->lost_error) {
        writer->lost_lines += log_line_count(writer->batch, writer->batch_size);
        snprintf(writer->lost_path, sizeof writer->lost_path, "%s", path);
    }
    writer->batch_size = 0;
    return true;
}

/* Collects the lines of records that follow each other and have one path, up to one append's worth.
 * Returns where it ended: position, and bytes of the record there. False when there was no record.
 */
static bool collect(struct writer *writer, char path[ADDR_PATH_MAX + 1], uint64_t *end,
                    size_t *done)
{
    struct log_record record;
    uint64_t at = log_ring_tail(writer->ring), limit = log_ring_limit(writer->ring);

    *path = '\0';
    *end = at;
    *done = 0;
    while (log_ring_next(writer->ring, &at, limit, &record)) {
        size_t from = 0;

        if (*path && strcmp(record.path, path) != 0)
            break;
        snprintf(path, ADDR_PATH_MAX + 1, "%s", record.path);
        add_lines(writer, &record, &from);
        if (from < record.size) {
            if (from > 0) {
                *end = record.position;
                *done = record.skipped + from;
            }
            break;
        }
        *end = at;
        *done = 0;
    }
    return *path != '\0';
}

/* One append and its release. False when the process is to end. */
static bool write_batch(struct writer *writer)
{
    char path[ADDR_PATH_MAX + 1];
    uint64_t end;
    size_t done;

    if (!collect(writer, path, &end, &done)) {
        /* Nothing sound between tail and limit: never seen, but never to be spun on. */
        log_ring_release(writer->ring, log_ring_limit(writer->ring), 0);
        return true;
    }
    if (!flush(writer, path))
        return false;
    log_ring_release(writer->ring, end, done);
    log_ring_journal_clear(writer->ring);
    ring_reader(writer);
    say_what_was_lost(writer);
    return true;
}

/* ---- life --------------------------------------------------------------------------------------
 */

static void take_lock(const char *file)
{
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;

    /* Kept until the end. A writer whose reader was killed may still be at work. */
    if (fd >= 0)
        while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
            ;
}

static void work(struct writer *writer)
{
    for (;;) {
        while (has_work(writer)) {
            if (!write_batch(writer))
                return;
        }
        if (writer->reader_is_gone)
            return;
        log_ring_wish_bell(writer->ring, LOG_WRITER, true);
        if (!has_work(writer))
            wait_for_bell(writer, -1);
        log_ring_wish_bell(writer->ring, LOG_WRITER, false);
    }
}

int log_writer_run(const struct log_writer_config *config, struct log_ring *ring, int bell_fd)
{
    struct writer writer = {.config = config, .ring = ring, .bell_fd = bell_fd};

    writer.batch_limit = log_size_limit(&config->limits);
    if (writer.batch_limit > BATCH_BYTES)
        writer.batch_limit = BATCH_BYTES;
    writer.batch = malloc(BATCH_ROOM);
    if (!writer.batch)
        return 1;
    take_lock(config->lock);
    if (open_files(&writer))
        work(&writer);
    log_files_destroy(writer.files);
    free(writer.batch);
    return 0;
}
