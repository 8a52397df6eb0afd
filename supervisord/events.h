/*
 * Events: what happens to the children of a supervisor, told to whoever subscribed (a snapshot
 * first, then every change) and to the log, in one line each (STYLE, log line; lib/control.h lists
 * them). Emitting never fails and never blocks: a subscriber whose outbox is full is let go.
 */
#ifndef TROUPE_EVENTS_H
#define TROUPE_EVENTS_H

#include "buf.h"
#include "control.h"
#include "peer.h"

#include <ev.h>
#include <stdint.h>
#include <sys/types.h>

struct supervisor;
struct child;
struct attached;

struct event_subscriber {
    struct peer *peer;
    uint64_t ref;
    bool stalled; /* its outbox was full: an event is lost to it */
};

struct events {
    struct supervisor *supervisor;
    struct event_subscriber *subscribers;
    size_t count;
    uint64_t lines_lost; /* log lines that found the log pipe full */
    struct buf lines;    /* of this turn of the loop, for the log pipe */
    ev_prepare turn_end;
};

void events_init(struct events *events, struct supervisor *supervisor);
void events_finish(struct events *events);
/* Answers with the snapshot and goes on with changes. */
void events_subscribe(struct events *events, struct peer *peer, uint64_t ref);
/* Goes on with changes; the snapshot comes from elsewhere. 0 or -1 (ENOMEM). */
int events_add(struct events *events, struct peer *peer, uint64_t ref);
/* One that another supervisor has emitted, to all who subscribed here. */
void events_pass(struct events *events, const struct envelope *env);
/* Closes the connections of those who have not read, so that they know that something is missing. */
void events_drop_stalled(struct events *events);
void events_drop_peer(struct events *events, const struct peer *peer);

void events_child(struct child *child, const char *event);
void events_child_text(struct child *child, const char *event, const char *key, const char *text);
void events_child_ms(struct child *child, const char *event, const char *key, int64_t ms);
/* The end of an incarnation: reason, how long it ran, whether we had asked for it. */
void events_child_exit(struct child *child, const char *reason, int64_t ran_ms, bool ordered);
/* Of an attached process; key and text may be NULL. */
void events_attached(struct attached *attached, const char *event, const char *key, const char *text);
void events_attached_exit(struct attached *attached, const char *reason, int64_t ran_ms, bool ordered);
/* A process that had escaped and is nobody's was ended. */
void events_stray(struct child *child, pid_t pid);
/* Of the supervisor itself. */
void events_self(struct supervisor *supervisor, const char *event, const char *key, const char *text);

#endif
