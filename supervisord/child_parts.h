/*
 * What the files that make up a child share: child.c has its states and its life, talk.c what it and
 * its supervisor say to each other, stop.c how it and its members are ended, falling.c how those who
 * are left after the leader are awaited, end.c what is made of the end, mailbox_file.c the socket that
 * others find it by. Nobody else includes this.
 */
#ifndef TROUPE_CHILD_PARTS_H
#define TROUPE_CHILD_PARTS_H

#include "child.h"

/* child.c: the state, also in the table; the one timer that each state may have. */
void child_set_state(struct child *child, enum child_state state);
void child_start_timer(struct child *child, ev_timer *timer, int64_t ms);
void child_stop_timer(struct child *child);

/* talk.c: the control socket and the watchdog (PROTOCOL 4). */
extern const struct party_kind talk_party_kind;
void talk_begin(struct child *child);
void talk_on_control(struct ev_loop *loop, ev_io *io, int revents);
/* Reads what the child has said, at most `bound` datagrams; false when its end is closed. */
bool talk_take(struct child *child, int bound);
void talk_close(struct child *child);
void talk_feed_watchdog(struct child *child);
void talk_on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents);

/* stop.c: members and their end (SEMANTICS 2). */
void stop_begin(struct child *child);
void stop_kill(struct child *child);
void stop_hold_zombie(struct child *child, bool held);

/* end.c: the reason, the record, and the report to the supervisor (SEMANTICS 4). */
void end_bury(struct child *child);
void end_record(struct child *child, const char *reason);
/* An incarnation that the table knows as alive when its supervisor starts ended with the supervisor
 * before this one: it is given its end. */
void end_record_lost(struct child *child);

/* mailbox_file.c: PATH, or PATH/.supervisor. */
int mailbox_bind(struct child *child);
void mailbox_remove(const struct child *child);

#endif
