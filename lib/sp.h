/*
 * The SP endpoint: nng's wire protocol on a Unix stream socket, both sides (PROTOCOL 1). Owns its
 * sockets, their buffers and watchers; knows nothing of Troupe's envelope (peer.h does). Runs on
 * one libev loop, in one thread. A malformed or oversized frame costs that connection and nothing
 * else. Fairness: one callback reads at most 256 messages or 256 KiB before it yields to the loop.
 */
#ifndef TROUPE_SP_H
#define TROUPE_SP_H

#include "buf.h"
#include "loop.h"
#include "mono.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum sp_protocol {
    SP_PAIR0 = 0x10,
    SP_PUB = 0x20,
    SP_SUB = 0x21,
    SP_REQ = 0x30,
    SP_REP = 0x31,
    SP_PUSH = 0x50,
    SP_PULL = 0x51,
};

enum {
    SP_FRAME_HEADER = 9,        /* 01, then the length of the body */
    SP_REQUEST_HEADER_MAX = 64, /* bytes of the words before a REQ body: nng's own bound is 15 hops */
};
/* See sp_conn_settle(); variables for the tests. */
extern int64_t sp_unheard_ms, sp_starting_ms;
enum { SP_HANDSHAKE_MS = 5000, SP_PARTIAL_MS = 30000, SP_IDLE_MS = 10000 };

struct sp_limits {
    size_t max_message;  /* bytes of a body; 0 means 16 MiB */
    size_t max_outbox;   /* queued bytes a connection; 0 means 8 MiB */
    unsigned max_conns;  /* connections of a listener; 0 means 1,024 */
    bool again;          /* dialers: what the other has not begun to handle goes again (below) */
};

struct sp_conn;
struct sp_listener;

struct sp_handlers {
    /* Listener: a dialer's header has come (its protocol and credentials are known). Return false
     * to refuse it: it is closed in the way that does not upset an nng dialer (PROTOCOL 1), and
     * without on_close. Dialer: connected and the other's header has come; the result is ignored.
     * May be NULL. */
    bool (*on_open)(struct sp_conn *conn);
    /* A whole message. body is valid during the call only. fd is a descriptor that came with it
     * (SCM_RIGHTS), owned by the callee, or -1. */
    void (*on_message)(struct sp_conn *conn, const uint8_t *body, size_t size, int fd);
    /* The connection ended for any reason but sp_conn_close(); conn is freed when this returns.
     * why is a short phrase ("end of stream", "frame of 1073741824 bytes: more than 16777216"). */
    void (*on_close)(struct sp_conn *conn, const char *why);
    /* The outbox has fallen under half of its bound after sp_send() had said EAGAIN, or as far as
     * sp_conn_ask_drain() wanted. May be NULL. */
    void (*on_drain)(struct sp_conn *conn);
    /* After sp_conn_hear_no_more(): all that had come by then has been handed over. May be NULL. */
    void (*on_heard)(struct sp_conn *conn);
    /* Listener: as many are connected as may be, and others wait in the queue; said every 20 ms while
     * that is so. May be NULL. */
    void (*on_crowded)(struct sp_listener *listener, void *data);
};

/* Serves a listening descriptor (taken over). Returns NULL with errno. */
struct sp_listener *sp_listen(struct ev_loop *loop, int fd, const struct sp_limits *limits,
                              const struct sp_handlers *handlers, void *data);
/* Accepts nobody any more: who dials waits in the queue. */
void sp_listener_rest(struct sp_listener *listener);
/* Greets only dialers of this protocol; others wait, without an answer, until all are greeted (0,
 * the default). */
void sp_listener_greet(struct sp_listener *listener, int only);
/* Stops accepting and closes every connection (no on_close calls). Takes NULL. keep_fd leaves the
 * listening descriptor open and returns it (an actor's mailbox outlives it), else returns -1. */
int sp_listener_destroy(struct sp_listener *listener, bool keep_fd);
/* Calls visit for each open connection; visit may close the one it is given. */
void sp_listener_each(struct sp_listener *listener, void (*visit)(struct sp_conn *, void *), void *ctx);

/* Dials run_dir/path (rundir_connect). EAGAIN is tried again every 10 ms, ECONNREFUSED for 1 s,
 * both within the deadline; failure comes as on_close("noproc", "timeout" or strerror), never
 * before this returns. The deadline ({0}: none) also bounds the wait for the other's header: an
 * actor that is down may be a while in coming. Once open it counts no more. Frames may be sent at
 * once; they wait. Returns NULL with errno (ENOMEM, EMFILE). */
struct sp_conn *sp_dial(struct ev_loop *loop, const char *run_dir, const char *path,
                        enum sp_protocol protocol, struct mono deadline,
                        const struct sp_limits *limits, const struct sp_handlers *handlers, void *data);

/* Messages to a mailbox (limits.again; PROTOCOL 1). Everything that is sent is kept until the owner
 * says sp_conn_settle(): the other side has begun to handle what comes. A connection that ends
 * before that is dialled again, and all goes again, in order; after 5 s of such ends it is given up
 * ("end of stream"), or, when the other has sent its header each time and is just not ready, after
 * 60 s. Once settled, a frame is kept until the kernel has taken all of it. In on_close, what was
 * kept can be taken away, to be sent on another connection. */
void sp_conn_settle(struct sp_conn *conn);
/* Whole frames, in order; the caller frees it. */
struct buf sp_conn_leftover(struct sp_conn *conn);
/* Queues frames that came from there. 0, or -1 with ENOMEM or ENOTCONN. */
int sp_conn_send_frames(struct sp_conn *conn, const void *frames, size_t size);
/* Puts a frame made of n parts behind others in a buffer, for that. It is bounded as an outbox is. 0; or
 * -1 with EAGAIN, EMSGSIZE or ENOMEM. */
int sp_frame_append(struct buf *frames, const struct iovec *parts, int n);
/* Places in the stream of what is sent: where the last queued frame ends, and how far the kernel has
 * taken it. */
uint64_t sp_conn_place(const struct sp_conn *conn);
uint64_t sp_conn_written(const struct sp_conn *conn);

/* Queues one message made of n parts (copied). fd, when not -1, travels with it and is closed here
 * after it was sent (taken over on success only). Everything queued in one loop turn goes in one
 * writev. An outbox that is less than half full takes any message of at most max_message. Returns 0;
 * or -1 with EAGAIN (outbox full), EMSGSIZE (over max_message), ENOMEM, or ENOTCONN (closing, or the
 * other side has: but with limits.again it is kept for the next connection). */
int sp_send(struct sp_conn *conn, const struct iovec *parts, int n, int fd);

/* Writes what is queued at once, as far as the socket takes it, not at the end of the loop's turn. */
void sp_conn_flush(struct sp_conn *conn);
/* Asks for on_drain, once, when fewer than `below` (at least 1) bytes are left in the outbox: soon, never
 * before this returns. */
void sp_conn_ask_drain(struct sp_conn *conn, size_t below);
/* Reads and delivers at once what has come, not in the loop's turn; nothing while it is paused. */
void sp_conn_poll(struct sp_conn *conn);
/* Bytes that wait to be written. */
size_t sp_conn_queued(const struct sp_conn *conn);
/* Whole messages that have come and were not handed over yet. */
size_t sp_conn_waiting(const struct sp_conn *conn);
/* Places in the stream of what comes: how far it has come by now, read or not; where the frame ends that
 * was delivered last. And is a whole frame still to be delivered that had come by that place? */
uint64_t sp_conn_come(const struct sp_conn *conn);
uint64_t sp_conn_taken(const struct sp_conn *conn);
bool sp_conn_has_before(const struct sp_conn *conn, uint64_t place);
/* Has the kernel taken something that the other side has not read out of its socket? Who then makes another
 * connection may be heard there first. */
bool sp_conn_is_unread(const struct sp_conn *conn);
/* Has the other side closed it, read to its end or not? Of one that is paused nothing else tells. */
bool sp_conn_is_left(const struct sp_conn *conn);
/* Stops or resumes reading: this is how pressure reaches a sender. */
void sp_conn_pause(struct sp_conn *conn, bool paused);
/* Dialers: after this long without a message in either direction, with nothing queued or unread by the other, the
 * connection ends with on_close("idle"). 0, which is the default: never. Whoever waits for a reply
 * or has a subscription sets 0 meanwhile. */
void sp_conn_set_idle_close(struct sp_conn *conn, int64_t ms);
/* Nothing more comes: what the kernel has taken of it by now is read yet, and what the other writes from
 * now on fails there, and goes again elsewhere (limits.again). What is sent to it still goes. */
void sp_conn_hear_no_more(struct sp_conn *conn);
/* Lets the connection end as if the other side had closed it: soon, and with on_close. */
void sp_conn_break(struct sp_conn *conn);
/* Closes without on_close. flush: first writes what is queued, for sp_flush_ms at most, 5 s; a variable for
 * the tests. Safe in callbacks. */
extern int64_t sp_flush_ms;
void sp_conn_close(struct sp_conn *conn, bool flush);

enum sp_protocol sp_conn_protocol(const struct sp_conn *conn); /* the dialer's protocol */
const struct ucred *sp_conn_creds(const struct sp_conn *conn); /* SO_PEERCRED at accept */
void *sp_conn_data(const struct sp_conn *conn);                /* listener's data until set */
void sp_conn_set_data(struct sp_conn *conn, void *data);
/* From now on, also within a callback, what happens is told to these. */
void sp_conn_set_handlers(struct sp_conn *conn, const struct sp_handlers *handlers);
struct ev_loop *sp_conn_loop(const struct sp_conn *conn);

/* The codec, pure: the 8-byte header, and whether one is valid. */
void sp_header_write(enum sp_protocol protocol, uint8_t out[8]);
/* The protocol number, or -1 when these are not SP header bytes. */
int sp_header_read(const uint8_t in[8]);
/* The size of the whole frame at the beginning of these bytes, header included. -1: not a whole one. */
int sp_frame_size(const uint8_t *at, size_t have, size_t *size);
/* How many bytes of a REQ body are header words: they end with the first that has the top bit, the
 * request id, and go back first in the reply. 0 when there is no such word within
 * SP_REQUEST_HEADER_MAX. */
size_t sp_request_header(const uint8_t *body, size_t size);

#endif
