/*
 * Seats: a mailbox has room for so many connections, and whoever comes then waits in the queue of
 * its listening socket. Who sits there and is quiet makes room; when all are busy, who has sat
 * longest. Actors are asked to (below). nng's clients know no such words: what they have sent by
 * then is handled and answered yet, what they send later fails at their end, where nng connects
 * anew; so do actors that do not listen. Those of whom something would be lost, or who would miss
 * something, keep their seat; there are only so many of them. Pure decisions; mailbox.c carries
 * them out, and yield.c what is asked of the other side.
 *
 * What is said between actors (PROTOCOL 2). Names that begin with a dot are ours:
 *
 *   EVENT .yield     ref 0: others wait for this connection. Who does not know the word goes on as
 *                    ever.
 *   CAST .yielded    from the dialer: nothing follows on this connection. What it sends next goes
 *                    by another, at the end of the queue, but not before it has heard
 *   EVENT .yielded   ref 0: all that came on the connection has been taken. Answers that are owed
 *                    still come on it; the dialer closes it when it has them.
 */
#ifndef TROUPE_SEAT_H
#define TROUPE_SEAT_H

#include "mono.h"

#include <stdbool.h>

#define SEAT_YIELD   ".yield"
#define SEAT_YIELDED ".yielded"

enum {
    SEAT_QUIET_MS = 20,      /* without a message: it is not missed */
    SEAT_TURN_MS = 1000,     /* how long one may be busy while others wait */
    SEAT_AGAIN_MS = 1000,    /* one that was asked and stays is asked again */
    SEAT_ASKED_MAX = 128,    /* at a time */
    SEAT_LET_GO_MAX = 8,     /* at a time: nng's clients come back at once */
    SEAT_HELLO_MS = 5000,    /* as long as any handshake may take */
    SEAT_HEEDLESS_MS = 5000, /* who was asked for so long does not know how to leave */
    SEAT_PUSHER_MS = 10000,  /* quiet for so long: as our own dialers close what they do not use */
    SEAT_KEPT_MAX = 896,     /* of the 1,024: the others change hands */
};

/* Who sits there. */
enum seat_kind {
    SEAT_ACTOR,
    SEAT_STRANGER, /* has not said HELLO */
    SEAT_ASKER,    /* nng's REQ: it asks again elsewhere when it was not heard */
    SEAT_PUSHER,   /* nng's PUSH: what it sends at the very moment of the end is lost */
    SEAT_LISTENER, /* has subscribed, or is nng's SUB: it would miss events */
};

struct seat {
    struct mono taken;       /* since when it is there */
    struct mono served;      /* when something last came from it */
    struct mono asked;       /* when it was last asked to make room; {0}: never */
    struct mono asked_first; /* … since when it has not sent anything */
    bool is_left;            /* it does: what is here of it are answers that it waits for */
};

/* Does it keep its seat, however many wait? */
bool seat_is_kept(enum seat_kind kind);

enum seat_step { SEAT_STAYS, SEAT_ASKED, SEAT_LET_GO };
/* What is to be done about it, as others wait. idle: nothing that came from it is still here.
 * urgent: there was nobody quiet. */
enum seat_step seat_step(const struct seat *seat, enum seat_kind kind, struct mono now, bool idle,
                         bool urgent);
void seat_was_served(struct seat *seat, struct mono now);
void seat_was_asked(struct seat *seat, struct mono now);

#endif
