/*
 * The switchboard of sys/node: it joins connections of this node's processes with mailboxes of other
 * nodes, and the reverse, over channels (channel.h). Owns both kinds of connections. Knows nothing
 * of how a session is carried: its owner embeds a switchboard_side in it, hands over what comes, and
 * sends what it is given.
 *
 * Who is local is known by SO_PEERCRED and may do what rights.h says; who comes from another node,
 * what the config grants to it (CLUSTER 1, Trust). What may not be done, or finds no room, is
 * answered by name; a message that was taken over, and whose mailbox ended before it took it, comes back
 * to who sent it, which sends it again (channel.h); when that has gone, casts are counted (losses.h).
 */
#ifndef TROUPE_CLUSTER_SWITCHBOARD_H
#define TROUPE_CLUSTER_SWITCHBOARD_H

#include "addr.h"
#include "losses.h"
#include "partings.h"
#include "rights.h"
#include "sp.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>
#include <uthash.h>

struct switchboard_side;
struct incoming;
struct outgoing;

/* One message for a session. Those of one lane stay in order. */
struct switchboard_message {
    uint64_t lane;
    bool must; /* is never refused */
    struct iovec parts[4];
    int count;
};

struct switchboard_hooks {
    /* Queues a message. 0; or -1 with EAGAIN: the queue is full. Sets side->is_full when it is
     * nearly so, and calls switchboard_drained() when it has room again. */
    int (*send)(struct switchboard_side *side, const struct switchboard_message *message);
    /* A process of this node wants to speak to sys/node itself: its HELLO has come. Takes conn
     * over. */
    void (*visit)(void *data, struct sp_conn *conn, const uint8_t *hello, size_t size);
};

struct switchboard {
    struct ev_loop *loop;
    const char *run_dir, *node; /* borrowed */
    struct rights rights;       /* of processes of this node */
    unsigned grant;             /* of those of other nodes */
    struct switchboard_hooks hooks;
    struct losses *losses; /* borrowed */
    void *data;
    struct sp_listener *listener;
    struct switchboard_side *sides; /* by node */
    struct outgoing *unopened;      /* connections that have not said whom they mean, oldest first */
    ev_timer mute;                  /* when the oldest of them has had its time */
    struct outgoing *unheard;       /* whose mailbox has not said HELLO */
    ev_timer look;                  /* at them, while there are any */
    unsigned channel_max;           /* that one session may open to mailboxes here */
    struct partings partings;       /* of both kinds */
    struct incoming *delayed;       /* not dialled: what the same process sent there before goes first */
};

/* One session's channels. */
struct switchboard_side {
    struct switchboard *board;
    char node[ADDR_PART_MAX + 1]; /* the other */
    struct outgoing *outgoing;    /* dialled here, by id */
    struct incoming *incoming;    /* dialled there, by id */
    uint32_t last_id;
    bool is_full; /* the session would take no more */
    UT_hash_handle hh;
};

/* Serves the mailbox of sys/node (taken over). descriptors: how many there may be, in all; each process
 * here, and each mailbox spoken to from elsewhere, takes one. 0, or -1 with errno. */
int switchboard_start(struct switchboard *board, int mailbox_fd, unsigned descriptors);
/* Ends every connection; what was read is written first, as far as it is taken at once. */
void switchboard_finish(struct switchboard *board);

/* The session with that node has begun: processes here can reach it by `@node`. */
void switchboard_begin(struct switchboard *board, struct switchboard_side *side, const char *node);
/* It has ended: those who were spoken to from here hear `noconnection`. */
void switchboard_end(struct switchboard_side *side);
/* One message of it, of a channel. 0; or -1 with *why: not what a sys/node says, the session must
 * end. */
int switchboard_receive(struct switchboard_side *side, const uint8_t *bytes, size_t size,
                     const char **why);
void switchboard_drained(struct switchboard_side *side);

struct switchboard_counts {
    size_t outgoing, incoming;
};

struct switchboard_counts switchboard_counts(const struct switchboard_side *side);

#endif
