/*
 * Idle stops: an actor of a service that nobody has sent anything for a while ends by itself, in order
 * (CLUSTER 4). It is idle when nothing waits, is kept, or is under way; its own timers do not count. One
 * that was sent nothing yet stays for a second at least: its first message is on its way. No
 * message is lost by it: what was written to it by then is handled yet, what comes later goes to its next
 * life. Private to the runtime.
 */
#ifndef TROUPE_IDLE_H
#define TROUPE_IDLE_H

#include <ev.h>
#include <stdint.h>

struct troupe;

struct idle {
    ev_timer timer;
    int64_t since_us; /* when it began to serve; CLOCK_MONOTONIC */
};

/* Begins to look; nothing when its spec names no time. */
void idle_begin(struct troupe *self);
void idle_finish(struct troupe *self);

#endif
