/*
 * An actor's mailbox: its listening socket, the connections, and the messages that wait. Speaks all
 * four patterns of PROTOCOL 1. Bounded (SEMANTICS 6): when full it stops reading, so that pressure
 * reaches the senders. Handles a bounded number of messages per loop turn, so that the control
 * socket and the actor's own timers get theirs.
 */
#ifndef TROUPE_MAILBOX_H
#define TROUPE_MAILBOX_H

#include "audience.h"
#include "message.h"
#include "sp.h"

#include <ev.h>

enum {
    MAILBOX_MESSAGES = 10000, /* bounds, when the supervisor names none */
    MAILBOX_BYTES = 8 * 1024 * 1024,
    MAILBOX_MESSAGE = 16 * 1024 * 1024, /* one of them */
    MAILBOX_TURN_MESSAGES = 65536, /* in one turn of the loop, if they are that quick */
    MAILBOX_TURN_US = 5000,
    MAILBOX_POLL_US = 1000, /* the control socket is looked at this often between messages */
    MAILBOX_ANSWERED = 16,  /* ids of raw calls that are remembered on a connection */
};

TAILQ_HEAD(message_list, troupe_message);

struct mailbox {
    struct sp_listener *listener; /* NULL: none */
    TAILQ_HEAD(channel_list, channel) channels;
    struct message_list queue;
    struct message_list unanswered; /* raw calls, oldest first */
    size_t depth, bytes;
    size_t ahead; /* messages that lie in connections' buffers behind the one that is handled */
    size_t live; /* messages that are queued, handled or kept */
    struct mono turn_started, polled; /* when this turn first handled something; {0}: not yet */
    unsigned turn_handled;
    size_t max_messages, max_bytes;
    unsigned choked; /* connections that do not take their answers */
    unsigned going;  /* … that are to be closed when all that came is answered */
    unsigned sub_count; /* nng's SUB dialers */
    bool is_full, is_closing, is_retiring;
    bool is_early; /* open before the actor is ready: what comes is looked at, and waits */
    ev_check turn;
    ev_idle spin; /* keeps the loop from sleeping while messages wait */
    ev_timer timeout;
};

/* A raw call is answered within this time (PROTOCOL 1); a variable for the tests. */
extern int64_t mailbox_raw_call_ms;

/* Sets up without serving; begins to take turns, in which what is owed is run; then serves boot's
 * descriptor. open returns 0, or -1 with errno. */
void mailbox_init(struct troupe *self);
void mailbox_begin(struct troupe *self);
int mailbox_open(struct troupe *self);
/* The actor is not ready, and waits in a call: opens the mailbox to those who may call it back in
 * this very call, who are told of the deadlock at once. What else comes waits; nobody is greeted,
 * so that all of it goes to the next incarnation when this one does not become ready. Without
 * memory it stays closed. */
void mailbox_open_early(struct troupe *self);
/* Keeps the loop from sleeping: something waits to be handled. */
void mailbox_wake(struct troupe *self);
/* Lets it sleep: a handler waits, and wakes us when it has done so. */
void mailbox_rest(struct troupe *self);
/* Takes no further request, and says goodbye to new connections without a HELLO. */
void mailbox_refuse(struct troupe *self);
/* Runs the loop until all answers are written, at most `ms`. */
void mailbox_drain(struct troupe *self, int64_t ms);
void mailbox_finish(struct troupe *self);

/* Sets draining: what has come by now, read or not, is handled still, the rest is refused. */
void mailbox_take_no_more(struct troupe *self);
/* Hears no more, and ends with REASON_IDLE: what came by now is handled still, what comes later is refused by
 * nobody: it waits in the listen queue, or goes again (sp_conn_hear_no_more). */
void mailbox_retire(struct troupe *self);
/* With draining set: ends the actor as soon as nothing waits any more. */
void mailbox_check_drained(struct troupe *self);

/* A kept message was answered, or is not needed: frees it, now or when its handler has returned. */
void mailbox_release(struct troupe_message *message);
/* Takes the message out of every list, and frees it. */
void mailbox_forget(struct troupe_message *message);

/* Answers a call. 0; or -1 with ENOTCONN (nobody waits any more), EMSGSIZE (it is told so instead),
 * ENOMEM, or EAGAIN (the other does not read: its connection is closed). */
int mailbox_answer(struct troupe_message *message, const char *format,
                   const union wire_value *values);
int mailbox_answer_words(struct troupe_message *message, const struct words *words);
/* `text` is one line, a word first that machines read. Casts that asked to hear of it get it too.
 */
int mailbox_answer_error(struct troupe_message *message, const char *text);

/* Who listens on the connection that an envelope came on; NULL when that has ended. */
struct audience *mailbox_audience(const struct troupe_message *message);
/* May its sender subscribe? Whoever has subscribed keeps the connection, however many wait
 * (seat.h). */
bool mailbox_has_room_to_keep(const struct troupe_message *message);
/* Bytes of the longest body that goes out, or comes in. */
size_t mailbox_max_message(const struct troupe *self);
/* Sends a line to all nng's SUB dialers; returns to how many. */
int mailbox_publish(struct troupe *self, const void *line, size_t size);

#endif
