/*
 * The child's side of its control socket (PROTOCOL 4): lines up to the supervisor, lines down from
 * it. Nothing here blocks but parent_drain(), at the end. Lines that do not fit into the socket wait
 * in memory, in order; without a socket everything is said to nobody.
 */
#ifndef TROUPE_PARENT_H
#define TROUPE_PARENT_H

#include "buf.h"
#include "ctl.h"

#include <ev.h>
#include <stdbool.h>

struct parent {
    struct ev_loop *loop;
    int fd; /* borrowed; -1: none */
    ev_io reader, writer;
    struct buf outbox; /* whole lines */
    void (*on_line)(struct parent *parent, struct ctl_line *line);
    void (*on_gone)(struct parent *parent); /* end of stream: the supervisor is dead */
};

void parent_init(struct parent *parent, struct ev_loop *loop, int fd,
                 void (*on_line)(struct parent *, struct ctl_line *),
                 void (*on_gone)(struct parent *));
void parent_finish(struct parent *parent);

/* Is there a supervisor to talk to? */
bool parent_is_there(const struct parent *parent);
/* Begins to read; before all other descriptors of the loop. */
void parent_start(struct parent *parent);
/* Reads what has come, at once: for use between two messages. */
void parent_poll(struct parent *parent);

/* Says one line: verb, and text after a space when it is not empty. Newlines in text become spaces. */
void parent_say(struct parent *parent, enum ctl_verb verb, const char *text);

/* Waits at most `ms` until everything was taken by the socket. */
void parent_drain(struct parent *parent, int ms);
/* The last state goes in a datagram of its own; after parent_drain(). */
void parent_last_state(struct parent *parent, const void *bytes, size_t size);

#endif
