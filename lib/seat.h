/*
 * Seats: a mailbox has room for so many connections, and whoever comes then waits in the queue of
 * its listening socket. Who sits there and is quiet is asked to make room; when all are busy, who
 * has sat longest. Pure decisions; mailbox.c carries them out, and yield.c what is asked of the
 * other side.
 *
 * What is said between actors (PROTOCOL 2). Names that begin with a dot are ours:
 *
 *   EVENT .yield     ref 0: others wait for this connection. Who does not know the word goes on as
 * ever. CAST .yielded    from the dialer: nothing follows on this connection. What it sends next
 * goes by another, at the end of the queue, but not before it has heard EVENT .yielded   ref 0: all
 * that came on the connection has been taken. Answers that are owed still come on it; the dialer
 * closes it when it has them.
 */
#ifndef TROUPE_SEAT_H
#define TROUPE_SEAT_H

#include "mono.h"

#include <stdbool.h>

#define SEAT_YIELD   ".yield"
#define SEAT_YIELDED ".yielded"

enum {
    SEAT_QUIET_MS = 20,   /* without a message: it is not missed */
    SEAT_TURN_MS = 1000,  /* how long one may be busy while others wait */
    SEAT_AGAIN_MS = 1000, /* one that was asked and stays is asked again */
    SEAT_ASKED_MAX = 128, /* at a time */
};

struct seat {
    struct mono taken;  /* since when it is there */
    struct mono served; /* when something last came from it */
    struct mono asked;  /* when it was last asked to make room; {0}: never */
    bool is_left;       /* it does: what is here of it are answers that it waits for */
};

/* May it be asked to make room? idle: nothing that came from it is still here. urgent: none that is
 * quiet could be asked. */
bool seat_may_be_asked(const struct seat *seat, struct mono now, bool idle, bool urgent);

#endif
