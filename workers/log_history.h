/*
 * The last lines of a path, or of everything below it, from the files and, where the writer lags,
 * from the ring. Reads disks: only ever called in a process forked for it.
 */
#ifndef TROUPE_LOG_HISTORY_H
#define TROUPE_LOG_HISTORY_H

#include "log_ring.h"

enum { LOG_HISTORY_MAX = 100000 };

struct log_history_request {
    const char *dir;
    const char *path; /* "": everything */
    bool exact;       /* the path alone, not what is below it */
    size_t count;     /* at most LOG_HISTORY_MAX */
    int64_t since_us; /* nothing older than this (0: no limit) */
    const struct log_ring *ring;
    uint64_t end; /* nothing behind this position of the ring */
};

/* Writes the lines to fd, oldest first, each `PATH TAB STREAM TAB WALL_US TAB TEXT`. 0, or -1. */
int log_history_write(const struct log_history_request *request, int fd);

#endif
