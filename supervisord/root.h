/*
 * The root: the node's first supervisor, also called the launcher. Holds the lock, reads the config,
 * makes the run directory, and has `sys` and the applications as its children.
 */
#ifndef TROUPE_ROOT_H
#define TROUPE_ROOT_H

#include <stdbool.h>
#include <stddef.h>

struct root_options {
    const char *node;  /* --node, or NULL */
    int ready_fd;      /* "booted" goes there; -1 */
    bool foreground;
    char **files;      /* NULL-terminated; may be empty */
    size_t file_count;
};

/* Exit statuses of a node (troupe-supervisord(8)). */
enum { ROOT_DONE = 0, ROOT_FAILED = 1, ROOT_USAGE = 2, ROOT_CONFIG = 7 };

/* Runs a node to its end; the exit status. Forks the guard first. */
int root_run(const struct root_options *options);

#endif
