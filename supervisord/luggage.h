/*
 * Luggage: what a forked process has of its child, of the spec and of what it is told. Its
 * supervisor packs it before the fork, into the satchel, so that nearly all else can be left
 * behind: cribs and store always (child.h, store.h), the nest by whoever has all in the satchel.
 * What is too large for that is packed by the newborn itself, out of its supervisor's memory.
 */
#ifndef TROUPE_LUGGAGE_H
#define TROUPE_LUGGAGE_H

#include "boot.h"
#include "child.h"
#include "environment.h"

struct luggage {
    struct child child; /* a copy, whose spec is the one here; a supervisor's is in the store */
    struct spec spec;
    uint64_t incarnation;   /* the table is not mapped in a newborn */
    const void *last_state; /* of the incarnation before; not owned */
    size_t last_state_size;

    struct environment environment;
    struct troupe_boot boot;
    const char *program; /* the file of this program */
    bool is_whole; /* nothing here points to what is not here, in the satchel or in static memory */
    bool is_unpacked; /* by the newborn, who need not give anything back */
};

/* Packs for a child; incarnation and last state, which is to live as long, are set already. A
 * supervisor is given no environment and no boot, and is lent the store until luggage_finish(). 0,
 * or -1 with ENOMEM. */
int luggage_pack(struct luggage *luggage, const struct child *child);
/* In a newborn whose luggage is not whole: packs anew, from its supervisor's memory. */
void luggage_unpack(struct luggage *luggage);
/* In its supervisor. */
void luggage_finish(struct luggage *luggage);

#endif
