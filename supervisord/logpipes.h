/*
 * Log pipes (SEMANTICS 9): one a child (two with `stderr: separate`), held open for reading and
 * writing by its supervisor, so that neither side's restart loses a byte; the read ends are handed
 * to sys/log, again after each of its restarts.
 */
#ifndef TROUPE_LOGPIPES_H
#define TROUPE_LOGPIPES_H

#include "peer.h"

#include <ev.h>
#include <stdbool.h>

struct supervisor;
struct child;
struct farewell;

struct logpipes {
    struct supervisor *supervisor;
    struct peer *peer; /* to sys/log; NULL while it cannot be reached */
    bool open;         /* its HELLO has come */
    int own_fd;        /* the root's pipe of its own; -1 */
    struct farewell *farewells; /* pipes of children that were gone before sys/log could be told */
    ev_timer retry;
    int64_t retry_ms;
};

void logpipes_init(struct logpipes *logpipes, struct supervisor *supervisor);
void logpipes_finish(struct logpipes *logpipes);

/* Standard error of this process, which nobody supervises, becomes a log pipe too, as `sys/root`; a
 * full pipe loses lines instead of stopping us. 0, or -1 with errno. */
int logpipes_capture_stderr(struct logpipes *logpipes);

/* The child's pipe or pipes. 0, or -1 with errno. */
int logpipes_create(struct child *child);
/* gone: sys/log is told that nothing more will come. */
void logpipes_destroy(struct child *child, bool gone);
/* A fresh blocking descriptor for the child's stream (0 out, 1 err); -1 with errno. */
int logpipes_open_writer(const struct child *child, int stream);

/* `ready: log`: asks sys/log to tell of the first line that matches, from now on. The request is on
 * its way when this returns: what a child writes that is forked later comes after it. */
void logpipes_watch(struct logpipes *logpipes, struct child *child);
void logpipes_unwatch(struct logpipes *logpipes, struct child *child);

#endif
