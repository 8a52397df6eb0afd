/*
 * What this node's processes reach through the mailbox of sys/node: actors and supervisors of other nodes
 * (switchboard.h), groups and nodes themselves (visitors.h). Puts these on top of the sessions of peers.h.
 */
#ifndef TROUPE_CLUSTER_REACH_H
#define TROUPE_CLUSTER_REACH_H

#include "host_load.h"
#include "exchange.h"
#include "groups.h"
#include "peers.h"
#include "rights.h"

#include <ev.h>

struct reach;

struct reach_options {
    struct ev_loop *loop;
    const char *run_dir, *node, *self; /* borrowed, as all here */
    struct rights rights;              /* of processes of this node */
    unsigned grant;                    /* of those of others */
    struct peers *peers;
    struct groups *groups;
    const struct exchange *exchange;
    bool can_connect; /* there is a cookie */
    bool is_trusted_network;
    int mailbox_fd;   /* taken over */
    unsigned descriptors; /* that there may be for connections */
    const char *url;      /* of this node, "": nobody reaches it */
    uint64_t generation;
    int64_t lease_ms; /* 0: no services */
    void (*on_lost)(uint64_t messages); /* so many more, since the last time (losses.h) */
    struct host_limits limits;
};

/* NULL with errno. */
struct reach *reach_create(const struct reach_options *options);
/* After what was read is written. Takes NULL. */
void reach_destroy(struct reach *reach);

/* No more services here; reach_has_left() when that is known to all, or there are none. */
void reach_leave(struct reach *reach);
bool reach_has_left(const struct reach *reach);

/* Handlers of peers.h and groups.h. */
void reach_up(struct reach *reach, const struct auth_identity *peer);
void reach_down(struct reach *reach, const struct auth_identity *peer, const char *why);
/* Is this message for us? Then *why is NULL, or why the session must end. */
bool reach_message(struct reach *reach, const struct auth_identity *peer, const uint8_t *bytes,
                   size_t size, const char **why);
void reach_group_event(struct reach *reach, uint64_t subscriber, uint64_t ref,
                       const struct groups_event *event);
/* Sessions whose queues have room again: before peers_flush(). */
void reach_catch_up(struct reach *reach);

#endif
