/*
 * Burying: what SIGCHLD has to say of our children, their readiness helpers and whoever was adopted.
 * A leader's end is told to its child, which decides when it is reaped; everybody else is reaped.
 */
#ifndef TROUPE_REAP_H
#define TROUPE_REAP_H

#include "supervisor.h"

/* SIGCHLD has come, or what comes instead of it (thinfork.h). */
void reap_on_sigchld(struct ev_loop *loop);

#endif
