/*
 * The run directory: which node is meant, where its sockets are, and connecting to them
 * (ARCHITECTURE, Run directory; CONFIG, "Which node"). Sockets are bound and reached through the
 * directory's descriptor, so that only the last part of a path is bounded by sun_path.
 */
#ifndef TROUPE_RUNDIR_H
#define TROUPE_RUNDIR_H

#include "error.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define RUNDIR_SUPERVISOR ".supervisor" /* a supervisor's mailbox, in its directory */
#define RUNDIR_SERVICE    ".service"    /* an empty file beside it: whoever is not there can be asked for */
#define RUNDIR_TABLE      ".table"      /* what outlives a supervisor (supervisord/table.h) */
#define RUNDIR_LOCK       ".lock"       /* held by flock by the root and every supervisor */
#define RUNDIR_CGROUP     ".cgroup"     /* a link to the node's directory in the cgroup file system */

struct rundir {
    char node[65];
    char path[PATH_MAX]; /* absolute */
    char state[PATH_MAX]; /* $TROUPE_STATE: what survives a reboot; logs are under log/ */
};

/* Where the node `name` lives (NULL: $TROUPE_NODE, else `fallback`, else "local"). $TROUPE_RUN, when
 * set, *is* the directory. Touches no disk. */
int rundir_resolve(const char *name, const char *fallback, struct rundir *dir, struct error *err);

/* For clients: as above, but when nothing says which node and several are running, fails with
 * code EEXIST and a text that names them; when none runs, code ENOENT. */
int rundir_find(const char *name, struct rundir *dir, struct error *err);

/* Is a node alive there (somebody holds the flock on .lock)? */
bool rundir_is_alive(const struct rundir *dir);

/* The process that holds .lock and is nothing of ours (it does not call itself troupe), as far as
 * the kernel says so: who opened the file of a killed node and locked it keeps the next one out. Its
 * pid, with what it calls itself in name; 0 when there is none. */
pid_t rundir_stranger(const char *run_dir, char name[32]);

/* Creates the directory with its parents, 0711, refusing anything but a real directory of ours. */
int rundir_create(const struct rundir *dir, struct error *err);

/* A listening stream socket (CLOEXEC, non-blocking, 0666) at run_dir/path, replacing a stale file;
 * for a supervisor path is "shop/.supervisor". Returns the descriptor, or -1 with errno. */
int rundir_listen(const char *run_dir, const char *path);
/* Where sys/node knows of services of other nodes, it leaves this mark. */
#define RUNDIR_PLACES "sys/.places"
/* May what stands at this path be an actor of a service that is offered by other nodes only? */
bool rundir_may_be_elsewhere(const char *run_dir, const char *path);
/* Is what stands at this path (shop/carts/42) an actor of a service, whether it is there or not? */
bool rundir_is_of_service(const char *run_dir, const char *path);
/* Starts a non-blocking connect to run_dir/path. Returns the descriptor; or -1 with errno: ENOENT
 * (nobody was ever there), ECONNREFUSED (its owner is gone), EAGAIN (listen queue full: again in 10 ms). */
int rundir_connect(const char *run_dir, const char *path);

#endif
