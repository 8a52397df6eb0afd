/*
 * Who listens to this actor on one connection: its subscriptions, what each has heard, and what
 * each has missed. A subscriber that does not keep up misses events, never its connection: when it
 * has caught up it is told how many. Memory is bounded by the connection's outbox. Private to the
 * runtime.
 *
 * What is said between actors (PROTOCOL 2). Names and topics that begin with a dot are ours:
 *
 *   CALL .subscribe     payload: image "su", TOPIC and FLAGS (enum audience_flags). The REPLY,
 *                       which is empty, says that the subscription stands. It ends with the
 *                       connection.
 *   EVENT topic         ref: that of the call; payload: as of a CAST; `deadline`: the event's
 *                       number in this subscription. Numbers go up by one, from 1, with each event
 *                       that it is owed, sent or missed. What was shared last, if that was asked
 *                       for, comes first, the oldest before the newest.
 *   EVENT .gap          payload: image "U", how many events are missing here; `deadline`: the
 *                       number of the last of them.
 *   CAST .unsubscribe   ref: that of the call; no payload.
 *
 * Requests and events keep their order with all else on the connection.
 */
#ifndef TROUPE_AUDIENCE_H
#define TROUPE_AUDIENCE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct payload;
struct peer;
struct subscriber;
struct troupe;

#define AUDIENCE_SUBSCRIBE   ".subscribe"
#define AUDIENCE_UNSUBSCRIBE ".unsubscribe"
#define AUDIENCE_GAP         ".gap"

enum audience_flags {
    AUDIENCE_LAST = 1,  /* first what was shared last; TROUPE_LAST */
    AUDIENCE_EXACT = 2, /* TOPIC itself, not all that begin with it */
};

enum {
    AUDIENCE_TOPIC_MAX = 255,
    AUDIENCE_MAX = 1000, /* subscriptions of one connection */
    /* Events take the first half of an outbox of 8 MiB: answers always find room behind them. After
     * one was missed the next waits until the outbox is down to the second figure. */
    AUDIENCE_OUTBOX = 4 * 1024 * 1024,
    AUDIENCE_RESUME = 1024 * 1024,
    AUDIENCE_FLUSH = 64 * 1024, /* more than that is written at once, not at the turn's end */
};

struct audience {
    LIST_ENTRY(audience) link; /* in publishing.audiences, while somebody listens */
    struct troupe *self;
    struct peer *peer;
    TAILQ_HEAD(, subscriber) subscribers;
    unsigned count;
};

void audience_init(struct audience *audience, struct troupe *self, struct peer *peer);
void audience_finish(struct audience *audience);

/* A new subscription, which has missed nothing. NULL with errno: EAGAIN (there are too many),
 * ENOMEM. */
struct subscriber *audience_join(struct audience *audience, uint64_t ref, const char *topic,
                                 unsigned flags);
/* Nothing when there is none. */
void audience_leave(struct audience *audience, uint64_t ref);

/* Does it want to hear of this topic? */
int subscriber_wants(const struct subscriber *subscriber, const char *topic);
/* Owes it one event. 1: it is queued; 0: it is missed. */
int subscriber_hear(struct subscriber *subscriber, const char *topic,
                    const struct payload *payload);
/* All of this connection that want it; returns to how many it goes. */
int audience_hear(struct audience *audience, const char *topic, const struct payload *payload);

/* The connection has room again: says what was missed. */
void audience_on_drain(struct audience *audience);

#endif
