/*
 * Signals of a supervisor: blocked, and read as a descriptor has them. There is no handler that a
 * newborn would run before it has its own life, none that it has to take away, and the end of a
 * child is one read.
 */
#ifndef TROUPE_SIGNALS_H
#define TROUPE_SIGNALS_H

#include <ev.h>
#include <stdbool.h>

struct signals {
    ev_io io;
    void (*on_end_of_child)(struct ev_loop *loop);
    void (*on_wish_to_end)(struct ev_loop *loop); /* SIGTERM, SIGINT */
};

/* From here on, once in a supervisor. SIGHUP is heard and means nothing: a closed terminal is no
 * reason to end. 0, or -1 with errno. */
int signals_begin(struct signals *signals, struct ev_loop *loop);
/* In a forked process, before it is anything: signals are what they are for a new one, those that
 * have come meanwhile included. */
void signals_leave(void);

#endif
