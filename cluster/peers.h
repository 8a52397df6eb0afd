/*
 * The other nodes, as sessions: who is dialled, who is let in, which connection is the session,
 * that it lives, and when it ends (CLUSTER 1). Puts auth, rivals, mesh, frames, chunks and outbound
 * together. Neither a socket nor a clock of its own: a transport is handed in, and says what
 * happens; so the simulator drives what the program runs.
 *
 * Memory is bounded: PEERS_UNPROVEN_MAX connections that have not proven themselves, of 1 kB each;
 * of a proven one what chunks.h and outbound.h allow.
 */
#ifndef TROUPE_CLUSTER_PEERS_H
#define TROUPE_CLUSTER_PEERS_H

#include "auth.h"
#include "mesh.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
    PEERS_UNPROVEN_MAX = 64,
    PEERS_BEAT_MS = 1000,        /* an idle session says something as often */
    PEERS_SILENT_MS = 5000,      /* one without a byte for so long has ended */
    PEERS_WRITE_MAX = 256 << 10, /* handed to the transport at once */
    PEERS_WHY_SIZE = 128,
};

struct peers;

/* Connections have numbers, never used twice. A call may not call back into peers_*(). */
struct peers_transport {
    int64_t (*now_us)(void *data); /* monotonic; at least 1 ms */
    void (*random)(void *data, void *out, size_t size);
    /* Then comes peers_connected() or peers_ended(). */
    void (*dial)(void *data, uint64_t conn, const char *url);
    /* Copies; after all that was given is written: peers_written(). */
    void (*send)(void *data, uint64_t conn, const void *bytes, size_t size);
    /* Nothing more is said of it. last_words: what was given is to be heard, if it takes but a
     * moment. */
    void (*close)(void *data, uint64_t conn, bool last_words);
};

struct peers_handlers {
    /* A session began; peers_send() may be called. */
    void (*on_up)(void *data, const struct auth_identity *peer, bool is_tls);
    /* It ended; why is one line. Nothing of that session comes any more. */
    void (*on_down)(void *data, const struct auth_identity *peer, const char *why);
    /* NULL; or why it is not what a peer says: the session ends. */
    const char *(*on_message)(void *data, const struct auth_identity *peer, const uint8_t *bytes,
                              size_t size);
    /* A connection came to nothing. remote: its address or URL; name: what it calls itself, "" when
     * it did not say, proven or not; is_told: it was the other that refused. */
    void (*on_refused)(void *data, const char *remote, const char *name, const char *why,
                       bool is_told);
};

struct peers *peers_create(const struct auth_self *self, enum mesh_learning learning,
                           const struct peers_transport *transport,
                           const struct peers_handlers *handlers, void *data);
/* Ends everything, without calls of the handlers. Takes NULL. */
void peers_destroy(struct peers *peers);

/* ---- from the transport ---- */

/* A stranger dialled us. Its number, and then comes peers_connected(); 0: there are too many, close
 * it. */
uint64_t peers_accepted(struct peers *peers, const char *remote, bool is_tls);
void peers_connected(struct peers *peers, uint64_t conn);
void peers_received(struct peers *peers, uint64_t conn, const void *bytes, size_t size);
void peers_written(struct peers *peers, uint64_t conn);
/* It has ended, by the other side or by an error. One that is not known is no error. */
void peers_ended(struct peers *peers, uint64_t conn, const char *why);
/* What is due by now. */
void peers_tick(struct peers *peers);
/* When the next thing is due; INT64_MAX: nothing. */
int64_t peers_due_ms(const struct peers *peers);
/* Hands to the transport what was sent since: once a turn of the loop. */
void peers_flush(struct peers *peers);

/* ---- from people, and from the rest of the node ---- */

/* 0, or -1 with EINVAL: our own URL, or none. */
int peers_connect(struct peers *peers, const char *url);
/* Ends the session, and dials or admits that node no more until peers_connect(). */
void peers_disconnect(struct peers *peers, const char *name);
/* A peer's peer: dialled if this node does (enum mesh_learning). */
void peers_learn(struct peers *peers, const char *name, const char *url, bool is_tls);

/* To one node; lane: what must stay in order has the same. 0, or -1 with ENOTCONN (no session),
 * EAGAIN (overloaded), EMSGSIZE. */
int peers_send(struct peers *peers, const char *name, uint64_t lane, const struct iovec *parts,
               int n);

/* Is there a session, with less than half of its queue in use? If so, peers_insist() is never
 * overloaded until the loop turns: what is sent so is bounded by something else, as a snapshot is
 * by what is in it. */
bool peers_has_room(const struct peers *peers, const char *name);
int peers_insist(struct peers *peers, const char *name, uint64_t lane, const struct iovec *parts,
                 int n);
/* Bytes that wait to be sent to that node; 0 without a session. */
size_t peers_queued(const struct peers *peers, const char *name);

struct peers_row {
    struct auth_identity identity;
    bool is_tls;
    int64_t since_ms, heard_ms;
    uint64_t bytes_in, bytes_out;
    size_t queued;
    int64_t round_trip_us; /* of the last ping; -1: none was answered yet */
};

/* The sessions there are, for people. */
void peers_each(const struct peers *peers, void (*visit)(void *ctx, const struct peers_row *row),
                void *ctx);

/* Whom there is no session with, but would be, or was. */
struct peers_target {
    const char *name, *url, *why; /* "" where it is not known; why: what came of the last try */
    bool is_unwanted;             /* disconnected by order */
};

void peers_each_target(const struct peers *peers,
                       void (*visit)(void *ctx, const struct peers_target *target), void *ctx);

#endif
