/*
 * Asking a `.supervisor` to let this process take part (PROTOCOL 3, `attach`): which node, which
 * supervisor, and what it grants. What is then made of it is an actor like all others (attach.c).
 * Private to the runtime.
 */
#ifndef TROUPE_GRANT_H
#define TROUPE_GRANT_H

#include "addr.h"
#include "error.h"
#include "peer.h"
#include "rundir.h"

enum { GRANT_MS = 5000 }; /* for the answer */

/* What a supervisor has granted. */
struct grant {
    struct rundir dir;
    struct addr addr;  /* who we are now */
    struct peer *peer; /* paused: nothing is heard until somebody wants to */
    uint64_t ref;      /* of the request: its events are lines for us */
    int mailbox_fd;    /* a listening socket, or -1 */
};

/* Asks for this path (NULL: run/PID), on this loop, for at most GRANT_MS. 0; or -1 with err. */
int grant_ask(struct grant *grant, struct ev_loop *loop, const char *path, bool wants_mailbox,
              struct error *err);

#endif
