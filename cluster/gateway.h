/*
 * The gateway (CLUSTER 2): plain nng clients of other hosts, its guests, speak to actors of this
 * node over TCP or TLS, all at one port. REQ calls and PUSH casts, `ADDRESS TAB MESSAGE TAB ARG…`;
 * the answer is
 * `+VALUES` or `!REASON`. SUB hears `ADDRESS TAB TOPIC TAB VALUES` of what the publishers publish,
 * and of nodes, as `sys/node TAB up TAB NAME` and `sys/node TAB down TAB NAME TAB REASON`, those
 * that are up first.
 *
 * Not by nng's sockets: they bound neither how many come nor what is half sent, and name nobody
 * whom they drop. These are streams.h, with the bounds below. Who breaks one is closed, and
 * on_refused says who and why; what is too much for a mailbox is answered `!overloaded` (REQ), or
 * waits, unread (PUSH).
 */
#ifndef TROUPE_CLUSTER_GATEWAY_H
#define TROUPE_CLUSTER_GATEWAY_H

#include "error.h"
#include "gate.h"
#include "peers.h"
#include "streams.h"

enum {
    GATEWAY_GUESTS = 1024,
    GATEWAY_GUESTS_OF_HOST = 256, /* gate_host(): one host locks out no other */
    GATEWAY_MESSAGE = 1 << 20,    /* bytes, from a guest */
    GATEWAY_CALLS = 64,           /* of one guest, without an answer; then it is not read */
    GATEWAY_OUT = 1 << 20,        /* bytes for one guest: then it is not read, and misses news */
    GATEWAY_OWN = 64 << 10,     /* bytes half received and unsent that every guest may have, … */
    GATEWAY_SHARED = 64 << 20,  /* … and of all, before one that has more is closed */
    GATEWAY_GREETING_MS = 5000, /* to say by which pattern, with TLS before that */
    GATEWAY_PARTIAL_MS = 30000, /* to finish a message, … */
    GATEWAY_STUCK_MS = 30000,   /* … and to read anything */
    GATEWAY_LINES = 20,         /* refusals that are told, a second; the rest is counted */
};

struct gateway;

struct gateway_handlers {
    /* A guest was refused, or something that it sent. remote: its URL. */
    void (*on_refused)(void *data, const char *remote, const char *why);
    /* And so many more that were not told. */
    void (*on_more)(void *data, unsigned count);
};

struct gateway_options {
    struct ev_loop *loop;
    const char *run_dir, *self; /* and our address; borrowed, as all here */
    struct gate gate;
    const char *const *publishers; /* paths */
    size_t publisher_count;
    const struct peers *peers;
    unsigned descriptors; /* that guests and connections to mailboxes may take, each */
    struct streams_tls tls;
    const struct gateway_handlers *handlers;
    void *data;
};

/* Listens at url, which is replaced as by streams_listen(). NULL with err. */
struct gateway *gateway_create(const struct gateway_options *options, char url[AUTH_URL_MAX + 1],
                               struct error *err);
/* Takes NULL. */
void gateway_destroy(struct gateway *gateway);

/* A session has begun; or it has ended, when there is a reason. */
void gateway_on_node(struct gateway *gateway, const char *node, const char *reason);

#endif
