/*
 * The log directory: one file a path, rotated by size, all capped, at most LOG_OPEN_MAX open. Used
 * by the writer process only; every call may block on the disk. An append is whole or not at all,
 * also when the process is killed in it (log_ring.h, journal).
 */
#ifndef TROUPE_LOG_FILES_H
#define TROUPE_LOG_FILES_H

#include "log_plan.h"
#include "log_ring.h"

struct log_files;

/* Opens (and makes) the directory, takes back half an append of a killed predecessor, counts what
 * is there. NULL with errno. */
struct log_files *log_files_create(const char *dir, const struct log_limits *limits,
                                   struct log_ring *ring);
/* Closes everything. Takes NULL. */
void log_files_destroy(struct log_files *files);

/* Appends formatted lines to the file of path. 0, or -1 with errno; then nothing was written. */
int log_files_append(struct log_files *files, const char *path, const char *lines, size_t size);

#endif
