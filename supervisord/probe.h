/*
 * Readiness (SEMANTICS 1, `ready`): watches one start of a child until it is ready, by the means of
 * its spec: the exec's success, a newline on a descriptor (s6), a datagram to NOTIFY_SOCKET (systemd),
 * a TCP port that answers, a command that exits 0, or a line of log. Owns its descriptors, helper
 * process and watchers; reports CHILD_EV_READY once. What a child sends to NOTIFY_SOCKET later
 * (STATUS=, WATCHDOG=1) goes on to child_on_notify().
 */
#ifndef TROUPE_PROBE_H
#define TROUPE_PROBE_H

#include "spawn.h"

#include <ev.h>
#include <stdbool.h>
#include <sys/types.h>

struct child;

enum exec_outcome { EXEC_UNKNOWN, EXEC_DONE, EXEC_FAILED };

struct probe {
    struct child *child;
    struct ev_loop *loop;
    bool watching; /* a start is under way */
    enum exec_outcome exec;
    struct spawn_failure failure; /* when EXEC_FAILED */
    int pipe_fd;   /* the exec's outcome, then s6's newline; -1 */
    int notify_fd; /* NOTIFY_SOCKET; -1 */
    int tcp_fd;
    pid_t helper;  /* READY_EXEC's command; 0 */
    ev_io pipe, notify, tcp;
    ev_timer retry;
    char notify_name[32]; /* "@00001": what the child finds in NOTIFY_SOCKET; "" */
};

void probe_init(struct probe *probe, struct child *child);
/* Makes the descriptors of a start, and has the log watched if that is what it waits for. *child_end is the pipe's end for the child, to be closed by the
 * caller. 0, or -1 with errno. */
int probe_prepare(struct probe *probe, int *child_end);
/* The child was forked: watch it. */
void probe_watch(struct probe *probe);
/* Looks at once whether the exec has succeeded: asked when the child has ended already. */
enum exec_outcome probe_exec_outcome(struct probe *probe);
/* The start is over, one way or the other: all but NOTIFY_SOCKET is let go. */
void probe_settle(struct probe *probe);
/* The incarnation is over. */
void probe_finish(struct probe *probe);
/* Was pid our helper? Then its end is dealt with. */
bool probe_on_exit(struct probe *probe, pid_t pid, int wait_status);
/* sys/log has found the line that `ready: log` waits for. */
void probe_on_log_match(struct probe *probe);

#endif
