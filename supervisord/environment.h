/*
 * The environment of a child: what it is told, then what its spec sets, then all that the node has
 * and nobody has named yet. Its supervisor puts it together in the satchel, before the child is
 * born; a setenv() for each variable, in the child, would take its texts from all over the
 * inherited heap.
 */
#ifndef TROUPE_ENVIRONMENT_H
#define TROUPE_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

enum { ENVIRONMENT_PIDS = 2 };

struct environment {
    char **list;
    size_t count;
    char *pids[ENVIRONMENT_PIDS]; /* where the child's own number is to be */
    bool borrows; /* a text or the list lies elsewhere, since the satchel is full or the list is
                     long */
    bool failed;
};

/* There is one at a time in a process. extra: how many pairs environment_add() may be given. */
void environment_begin(struct environment *environment, size_t extra);
/* The first to name a variable wins. */
void environment_set(struct environment *environment, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, to the number of the process that will wear it; ENVIRONMENT_PIDS times at most. */
void environment_set_pid(struct environment *environment, const char *name);
/* pair: "NAME=VALUE", which stays where it is; NULL: there was no memory for it. */
void environment_add(struct environment *environment, char *pair);
/* Adds what the process itself has. */
void environment_end(struct environment *environment);
/* Makes it the environment of this process. -1 with errno. */
int environment_wear(const struct environment *environment);
/* Lets go of a list that lies elsewhere, in who has put it together. */
void environment_finish(struct environment *environment);

#endif
