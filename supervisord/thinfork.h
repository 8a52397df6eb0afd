/*
 * A fork whose cost does not grow with the supervisor's descriptors (PROTOCOL 6): the child shares
 * the descriptor table until it has put its own into the slots, then takes just those along. The
 * parent waits for that moment, since the slots are its own as well, and sets them right again.
 * Where this cannot be had, it is a plain fork.
 */
#ifndef TROUPE_THINFORK_H
#define TROUPE_THINFORK_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* What the end of such a child raises instead of SIGCHLD, until it execs. A plain wait does not see it
 * then (__WALL does), and so sees the adopted alone (strays_scan()). By default it is ignored. */
enum { THINFORK_SIGNAL = SIGURG };

/* Once in each supervisor, before its first fork. 0, or -1 with errno: forks will be plain. */
int thinfork_init(void);

/* As fork(). *cgroup: the directory of the cgroup in which the child shall be born, or -1; it is -1
 * afterwards, in both, unless the child has still to go there by itself. *stillborn: it was born there
 * and ended before its first step, as in a cgroup that was killed (cgroup_clone()); it is still to be
 * reaped. Until thinfork_leave() the child may touch descriptors only through slots_put(), and must
 * close whatever it opens. */
pid_t thinfork(int *cgroup, bool *stillborn);
/* In the child: closes everything above the slots; from here on its descriptors are its own. */
void thinfork_leave(void);

#endif
