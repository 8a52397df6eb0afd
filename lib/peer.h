/*
 * A peer: one SP PAIR0 connection that speaks Troupe's envelope (PROTOCOL 1 and 2). Owns the
 * connection; sends and expects HELLO; hands on decoded envelopes. Supervisors, the command line
 * and sys/log talk to each other through peers. A malformed envelope closes that peer.
 */
#ifndef TROUPE_PEER_H
#define TROUPE_PEER_H

#include "envelope.h"
#include "sp.h"
#include "wire.h"

struct peer;

/* The mailbox by which other nodes are reached. */
#define PEER_NODE "sys/node"

struct peer_handlers {
    /* The other's HELLO has come. May be NULL. */
    void (*on_open)(struct peer *peer);
    /* An envelope other than HELLO; views are valid during the call only. fd: see sp.h. */
    void (*on_envelope)(struct peer *peer, const struct envelope *env, int fd);
    /* Ended, but not by peer_close(); peer is freed when this returns. */
    void (*on_close)(struct peer *peer, const char *why);
    /* As in sp.h. May be NULL. */
    void (*on_drain)(struct peer *peer);
};

/* Takes over a connection that a listener's on_open accepted (call it there, then return true).
 * The connection's data becomes the peer; its sp handlers must be the ones of
 * peer_sp_handlers(). self is this side's address ("shop@east#3"), copied. NULL with errno. */
struct peer *peer_accept(struct sp_conn *conn, const char *self,
                         const struct peer_handlers *handlers, void *data);
/* The same without a HELLO, which peer_say_hello() says later: until then, whoever dials a mailbox
 * keeps what it sends, and sends it again when the connection ends. Nothing else may be sent
 * before. */
struct peer *peer_accept_silently(struct sp_conn *conn, const struct peer_handlers *handlers,
                                  void *data);
/* 0, or -1 with errno of sp_send(), or ENAMETOOLONG. */
int peer_say_hello(struct peer *peer, const char *self);
/* The same for one whose first message, its HELLO, has come to a listener of another kind: to be called from
 * its on_message, which does nothing with conn afterwards. on_open is not called. NULL with errno (EBADMSG: that
 * is no HELLO): conn is as before. */
struct peer *peer_adopt(struct sp_conn *conn, const char *self, const uint8_t *hello, size_t size,
                        const struct peer_handlers *handlers, void *data);

/* Says HELLO on a connection that is no peer. 0, or -1 with errno of sp_send(). */
int peer_greet(struct sp_conn *conn, const char *self);
/* What a listener of peers passes to sp_listen(), with its own on_open. */
struct sp_handlers peer_sp_handlers(bool (*on_open)(struct sp_conn *conn));

/* Dials run_dir/path; requests may be sent at once. A path in another node, `shop/.supervisor@west`, is
 * reached through sys/node, whose HELLO is that of who was meant; when there is no way, on_close says why:
 * `noproc`, `denied`, `noconnection`, `overloaded`. NULL with errno. */
struct peer *peer_dial(struct ev_loop *loop, const char *run_dir, const char *path,
                       const char *self, struct mono deadline,
                       const struct peer_handlers *handlers, void *data);

/* Is this, from on_close, why no other try would make a connection either: by itself, or as sys/node says it, with
 * more words behind? */
bool peer_is_final(const char *why);

/* The same for messages to a mailbox (limits.again in sp.h): what was not handled there goes again by
 * itself. leftover: what was left of the connection before (may be NULL), sent first. */
struct peer *peer_dial_mailbox(struct ev_loop *loop, const char *run_dir, const char *path,
                               const char *self, const struct buf *leftover,
                               const struct peer_handlers *handlers, void *data);
/* In on_close: the whole frames that the kernel had not taken, for the next connection (the caller frees
 * it). */
struct buf peer_leftover(struct peer *peer);
/* As sp_conn_place(), sp_conn_written(); also in on_close. */
uint64_t peer_place(const struct peer *peer);
uint64_t peer_written(const struct peer *peer);
/* As sp_conn_is_unread(). */
bool peer_is_unread(const struct peer *peer);
/* As the functions of sp.h. */
void peer_pause(struct peer *peer, bool paused);
void peer_set_idle_close(struct peer *peer, int64_t ms);

/* Closes and frees, without on_close. flush as in sp_conn_close(). Takes NULL. */
void peer_close(struct peer *peer, bool flush);

/* 0, or -1 with errno of sp_send(). The payload is copied. */
int peer_send(struct peer *peer, const struct envelope *env, int fd);

/* Puts it behind others in a buffer, as a frame for peer_dial_mailbox(). As sp_frame_append(). */
int peer_frame_append(struct buf *frames, const struct envelope *env);

/* CONTROL with a fresh ref: verb and words (NULL: none). Returns the ref, or 0 with errno. */
uint64_t peer_request(struct peer *peer, const char *verb, const struct words *words, int fd);
/* The same with ref 0: nobody asks whether it was done, and no answer comes but to what is wrong. 0, or -1. */
int peer_tell(struct peer *peer, const char *verb, const struct words *words, int fd);
/* A request with typed values (wire.h). */
uint64_t peer_request_values(struct peer *peer, const char *verb, const char *format,
                             const union wire_value *values);
/* CONTROL_REPLY to env_ref. type tells the asker the shape: "words", "facts", "rows". */
int peer_reply_words(struct peer *peer, uint64_t ref, const struct words *words, int fd);
int peer_reply_facts(struct peer *peer, uint64_t ref, const struct facts *facts);
int peer_reply_rows(struct peer *peer, uint64_t ref, const struct rows *rows);
/* ERROR with ref: payload is one line of text, a word first that machines read ("noproc no such
 * child"). */
int peer_reply_error(struct peer *peer, uint64_t ref, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* EVENT: ref is that of the subscription; type is the event's name. */
int peer_event_words(struct peer *peer, uint64_t ref, const char *type, const struct words *words);
int peer_event_facts(struct peer *peer, uint64_t ref, const char *type, const struct facts *facts);
int peer_event_rows(struct peer *peer, uint64_t ref, const char *type, const struct rows *rows);

void *peer_data(const struct peer *peer);
void peer_set_data(struct peer *peer, void *data);
/* From now on all that happens is told to somebody else. Not within a callback of the one before. */
void peer_hand_over(struct peer *peer, const struct peer_handlers *handlers, void *data);
const struct ucred *peer_creds(const struct peer *peer);
/* The other's address from its HELLO; "" before. */
const char *peer_remote(const struct peer *peer);
size_t peer_queued(const struct peer *peer);
/* As sp_conn_break(): on_close follows, soon. */
void peer_break(struct peer *peer);
/* As sp_conn_flush(), sp_conn_poll(), sp_conn_ask_drain(). */
void peer_flush(struct peer *peer);
void peer_poll(struct peer *peer);
void peer_ask_drain(struct peer *peer, size_t below);

#endif
