/*
 * The writer of sys/log: a forked process that takes records from the ring and appends them to
 * files. It may block on the disk for as long as the disk likes. A full or failing disk is tried
 * again each second; a path that cannot be written for reasons of its own loses its lines, which
 * are counted in the log of sys/log itself.
 */
#ifndef TROUPE_LOG_WRITER_H
#define TROUPE_LOG_WRITER_H

#include "log_plan.h"
#include "log_ring.h"

struct log_writer_config {
    const char *dir;      /* the log directory */
    const char *lock;     /* a file that one writer at a time holds by flock, or NULL */
    const char *own_path; /* where sys/log itself logs: "sys/log" */
    struct log_limits limits;
};

/* The whole life of the process: until the other end of bell_fd is closed and, unless the disk
 * refuses, the ring is empty. Returns the exit status. */
int log_writer_run(const struct log_writer_config *config, struct log_ring *ring, int bell_fd);

#endif
