/*
 * Who is there: walks the run directory and asks every supervisor itself, in parallel, one second
 * each (CLI, ps). One that is silent is shown from its table file, as lost. Of another node there
 * is nothing to walk: its supervisors are asked level by level, and one that is silent is lost with
 * all below it.
 */
#ifndef TROUPE_CLI_ACTORS_H
#define TROUPE_CLI_ACTORS_H

#include "client.h"

#include <stdbool.h>
#include <stddef.h>

struct actor {
    struct row row;
    unsigned depth; /* below the scope: 0, 1 … */
    bool is_last;   /* of its siblings */
};

struct actors {
    struct actor *at; /* start order, depth first; sys at the end */
    size_t count, size;
    struct answer
        refusal; /* why another node told nothing: NONE when it did, or has no such actor */
};

/* Everything at and below scope, a place ("" is all here). An empty list when there is nothing at
 * scope. brief: without what costs its supervisor more than a glance (CPU time, threads,
 * descriptors, user). 0, or -1 with errno. */
int actors_collect(struct client *client, const char *scope, bool brief, struct actors *actors);
void actors_finish(struct actors *actors);

/* Does the glob pattern match the path, part by part? below: what is under a match counts too. Both
 * are places of one node. */
bool actors_match(const char *pattern, const char *path, bool below);
/* The longest leading parts of a pattern that hold no glob character; a place of the same node. */
void actors_fixed_part(const char *pattern, char out[ADDR_PATH_MAX + 1]);

#endif
