/*
 * The environment of a child, put together in the child itself: what it is told, then what its spec
 * sets, then all that the node has and nobody has named yet.
 *
 * It lies in memory that the supervisor never touches. A setenv() for each variable would take its
 * texts from all over the inherited heap, and each page written there is a page copied: 45 of them,
 * 70 µs of every start.
 */
#ifndef TROUPE_ENVIRONMENT_H
#define TROUPE_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

enum { ENVIRONMENT_TEXT_SIZE = 16384 };

struct environment {
    char **list;
    size_t count;
    bool failed;
};

/* There is one at a time in a process. extra: how many pairs environment_add() may be given. */
void environment_begin(struct environment *environment, size_t extra);
/* The first to name a variable wins. */
void environment_set(struct environment *environment, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* pair: "NAME=VALUE", copied while there is room, then kept as it is. */
void environment_add(struct environment *environment, char *pair);
/* Adds what the process has and makes it the process's environment; -1 with errno. */
int environment_finish(struct environment *environment);
/* A pair was kept as it is, or there are so many that their list was allocated. */
bool environment_borrows(void);
/* Something else that shall lie where the texts lie; aligned for pointers and numbers. NULL: no
 * room. */
void *environment_keep(const void *bytes, size_t size);

#endif
