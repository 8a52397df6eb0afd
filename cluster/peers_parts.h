/*
 * A connection and a node as peers.c and session.c see them; private to these.
 */
#ifndef TROUPE_CLUSTER_PEERS_PARTS_H
#define TROUPE_CLUSTER_PEERS_PARTS_H

#include "chunks.h"
#include "frames.h"
#include "mesh.h"
#include "outbound.h"
#include "peers.h"
#include "rivals.h"

#include <uthash.h>
#include <utlist.h>

struct conn {
    uint64_t id;
    struct peers *peers;
    struct mesh_target *target; /* that is being tried by it; NULL once it is a session */
    char remote[AUTH_URL_MAX + 1];
    bool is_tls, is_connected, is_proven, is_session, is_gone;
    bool is_stranger; /* dialled us and has proven nothing yet */
    struct auth auth;
    struct frames frames;
    int64_t late_ms; /* until then the handshake must be over; 0: it is */

    /* of a session */
    struct chunks chunks;
    struct outbound outbound;
    bool is_writing;           /* the transport has something that is not written */
    bool owes_ping, owes_pong; /* once it is */
    int64_t since_ms, heard_ms, sent_ms;
    int64_t pinged_us, round_trip_us; /* 0: no ping is out; -1: none was answered yet */
    uint64_t bytes_in, bytes_out;
    char bye[PEERS_WHY_SIZE]; /* why the other is about to end it */

    struct conn *prev, *next;
    UT_hash_handle hh;
};

/* Another node, by its name: there is one while it has a connection that proved to be it. */
struct node {
    char name[ADDR_PART_MAX + 1];
    struct rivals rivals;
    struct conn *session; /* NULL: none */
    UT_hash_handle hh;
};

struct peers {
    const struct auth_self *self;
    struct peers_transport transport;
    struct peers_handlers handlers;
    void *data;
    struct mesh mesh;
    struct conn *conns; /* by number */
    struct conn *gone;  /* to be freed when nobody is at work on them */
    struct node *nodes;
    uint64_t last_conn;
    unsigned depth, unproven;
};

/* peers.c */
int64_t peers_now(const struct peers *peers);
int64_t peers_now_us(const struct peers *peers);
/* One frame, now: the handshake's, and a session's small ones. */
void conn_send_frame(struct conn *conn, const void *bytes, size_t size);
/* Ends it, for this reason. */
void conn_fail(struct conn *conn, enum auth_reason reason, const char *why);
void peers_pong(struct conn *conn);

/* session.c */
void session_begin(struct conn *conn);
void session_finish(struct conn *conn);
void session_frame(struct conn *conn, const uint8_t *body, size_t size);
void session_ping(struct conn *conn);
void session_bye(struct conn *conn, enum auth_reason reason);
void session_tick(struct conn *conn, int64_t now_ms);
int64_t session_due_ms(const struct conn *conn);
void session_flush(struct conn *conn);
void session_written(struct conn *conn);

#endif
