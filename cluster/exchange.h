/*
 * What nodes tell each other of their groups and of their peers, over the sessions of peers.h
 * (CLUSTER 1, 3). A session begins with a snapshot of this node's members; then come changes, in
 * order. Changes that find a peer's queue full are not kept: that peer gets a snapshot again when
 * there is room, which comes to the same. Pure but for memory.
 */
#ifndef TROUPE_CLUSTER_EXCHANGE_H
#define TROUPE_CLUSTER_EXCHANGE_H

#include "groups.h"
#include "peers.h"

enum {
    EXCHANGE_OWN_MAX = 1000000, /* memberships of a node's actors; one more is `overloaded` */
    /* What is taken of one peer: its snapshot may come in the place of another, and joins are told before
     * leaves. */
    EXCHANGE_MEMBERSHIPS_MAX = 2 * EXCHANGE_OWN_MAX,
    EXCHANGE_SOURCES = 1 << 20,         /* numbers of peers as sources of groups begin here */
};

struct exchange;

/* Both are borrowed. */
struct exchange *exchange_create(struct peers *peers, struct groups *groups);
void exchange_destroy(struct exchange *exchange);

/* Memberships of that peer's actors that are known here. */
size_t exchange_members(const struct exchange *exchange, const char *node);

/* Handlers of peers.h. */
void exchange_up(struct exchange *exchange, const struct auth_identity *peer, bool is_tls);
void exchange_down(struct exchange *exchange, const struct auth_identity *peer);
const char *exchange_message(struct exchange *exchange, const struct auth_identity *peer,
                             const uint8_t *bytes, size_t size);
/* Handler of groups.h: a change of this node's own members. */
void exchange_local(struct exchange *exchange, const struct groups_event *event);
/* Snapshots that are owed, for queues that have room now: before peers_flush(). */
void exchange_catch_up(struct exchange *exchange);

#endif
