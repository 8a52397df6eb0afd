/*
 * Children that are falling: their leader has ended, and whoever else is theirs is told to go; when
 * nobody is left, the incarnation is over (SEMANTICS 2). One roll call of the adopted serves all that
 * fall at a time: to read of each child of ours whose it is takes two files of /proc, and n ends at
 * once would read n * n of them.
 */
#ifndef TROUPE_FALLING_H
#define TROUPE_FALLING_H

#include <ev.h>
#include <stdbool.h>

struct child;
struct supervisor;

struct falling {
    ev_timer look; /* while somebody is left, whose end may not be told to us */
    int wait_ms;   /* before that look */
};

void falling_init(struct supervisor *supervisor);

/* Its leader has ended, and it has not been buried. */
bool child_is_falling(const struct child *child);
/* Another one is falling: it is looked at soon and often again. */
void falling_begin(struct supervisor *supervisor);
/* Looks who is left of them; CHILD_EV_EMPTY to each of whom nobody is. */
void falling_check(struct supervisor *supervisor);
/* The same once, for all who ask, when the present callbacks are through. */
void falling_check_soon(struct supervisor *supervisor);

#endif
