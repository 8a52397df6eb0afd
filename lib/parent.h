/*
 * What an actor and its supervisor say to each other (PROTOCOL 4): lines up, lines down. They
 * travel one of two ways: in datagrams of the control socket that the supervisor made for its child
 * (parent_socket.c), or, for an attached process, in envelopes of a connection to a `.supervisor`
 * (parent_peer.c). Nothing here blocks but parent_drain(), at the end. Lines for which there is no
 * room wait in memory, in order; without a supervisor everything is said to nobody.
 */
#ifndef TROUPE_PARENT_H
#define TROUPE_PARENT_H

#include "buf.h"
#include "ctl.h"

#include <ev.h>
#include <stdbool.h>

struct parent;
struct peer;

/* How lines travel. */
struct parent_way {
    /* Begins to read; before all other descriptors of the loop. */
    void (*start)(struct parent *parent);
    /* Reads what has come, at once. */
    void (*poll)(struct parent *parent);
    /* Sends these whole lines, together. 0; or -1 with EAGAIN: it calls parent_flush() when there
     * is room; or -1 with another errno: nobody listens. */
    int (*send)(struct parent *parent, const char *lines, size_t size);
    /* Waits until more can be sent, or until what was sent has left this process, at most `ms`.
     * False when there is nothing to wait for. */
    bool (*wait)(struct parent *parent, int ms);
    void (*finish)(struct parent *parent);
};

struct parent {
    struct ev_loop *loop;
    const struct parent_way *way; /* NULL: there is no supervisor, or no way to it any more */
    struct buf outbox;            /* whole lines */
    void (*on_line)(struct parent *parent, struct ctl_line *line);
    void (*on_gone)(struct parent *parent); /* the supervisor is dead */
    /* parent_socket.c */
    int fd; /* borrowed */
    ev_io reader, writer;
    /* parent_peer.c */
    struct peer *peer;
    uint64_t ref;
};

/* Nobody's yet: one of the next two may follow. */
void parent_init(struct parent *parent, struct ev_loop *loop,
                 void (*on_line)(struct parent *, struct ctl_line *),
                 void (*on_gone)(struct parent *));
/* By the control socket; -1: there is none. */
void parent_by_socket(struct parent *parent, int fd);
/* By the connection on which the request `attach` of this ref was granted, which is the parent's
 * from now on. It is paused: parent_start() resumes it. */
void parent_by_peer(struct parent *parent, struct peer *peer, uint64_t ref);
void parent_finish(struct parent *parent);

/* Is there a supervisor to talk to? */
bool parent_is_there(const struct parent *parent);
/* Begins to read. */
void parent_start(struct parent *parent);
/* Reads what has come, at once: for use between two messages. */
void parent_poll(struct parent *parent);

/* Says one line: verb, and text after a space when it is not empty. Newlines in text become spaces.
 */
void parent_say(struct parent *parent, enum ctl_verb verb, const char *text);

/* Waits at most `ms` until everything that was said has left this process. */
void parent_drain(struct parent *parent, int ms);
/* The last state goes in a datagram of its own; after parent_drain(). What is attached has no next
 * life that could get it: there it does nothing. */
void parent_last_state(struct parent *parent, const void *bytes, size_t size);

/* For the ways. Lines that have come (bytes[size] is writable); room for what waits. */
void parent_take(struct parent *parent, char *bytes, size_t size);
int parent_flush(struct parent *parent);

#endif
