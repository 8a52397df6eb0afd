/*
 * Burying: what SIGCHLD has to say of our children, their readiness helpers and whoever was adopted.
 * A leader's end is told to its child, which decides when it is reaped; everybody else is reaped.
 */
#ifndef TROUPE_REAP_H
#define TROUPE_REAP_H

#include "supervisor.h"

/* The callback of supervisor.on_child and .on_forked. */
void reap_on_sigchld(struct ev_loop *loop, ev_signal *watcher, int revents);

#endif
