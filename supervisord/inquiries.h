/*
 * How incarnations ended that other supervisors know of (SEMANTICS 6): each is asked for once,
 * whoever of ours wants to know, and all hear the answer. The last answers are remembered: what
 * lost its connection to a dead actor asks within moments, but not at once, and the end of an
 * incarnation never changes.
 */
#ifndef TROUPE_INQUIRIES_H
#define TROUPE_INQUIRIES_H

#include <stdint.h>

struct backplane;
struct inquiry;
struct party;
struct watch;

enum { INQUIRIES_KNOWN = 64 }; /* answers that are remembered */

struct inquiries {
    struct inquiry *all;   /* by address */
    struct inquiry *known; /* those that are answered, oldest first */
    unsigned known_count;
};

/* The party's watch, of kind WATCH_ENDED, is over when it is known how that incarnation ended: now,
 * or later. 0, or -1 with errno: it could not be asked. */
int inquiries_join(struct party *party, struct watch *watch);
/* Destroys the watch; when nobody else waits for that answer, it is not wanted any more. */
void inquiries_leave(struct backplane *plane, struct watch *watch);
void inquiries_finish(struct backplane *plane);

#endif
