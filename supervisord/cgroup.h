/*
 * Cgroups (SEMANTICS 2, Members): where the cgroup v2 file system lets us, the node has a directory in
 * it below its own cgroup, and each actor one below its supervisor's. A process cannot leave it by
 * setsid, double fork, exec, setuid or by what it does to its limits, so that its actor can be told,
 * asked after and killed as a whole. Everything here may fail, and then marks alone decide
 * (members.h): nobody hears of it but by an empty answer. TROUPE_CGROUP=off says so beforehand.
 */
#ifndef TROUPE_CGROUP_H
#define TROUPE_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The node's directory. */
struct cgroup_base {
    char path[PATH_MAX];    /* /sys/fs/cgroup/…/troupe-east-8c41…; "": the node has none */
    char in_proc[PATH_MAX]; /* the same as /proc/PID/cgroup shows it */
};

/* ---- the node's ------------------------------------------------------------------------------ */

/* Where the directory would be; touches nothing. */
void cgroup_locate(struct cgroup_base *base, const char *node, uint64_t generation);
/* Makes it, and tries whether a process can be born there. path is "" afterwards when that cannot be.
 * Removes those of nodes with the same name that nobody has lived in for a minute: all of their
 * processes were killed at once. */
void cgroup_begin(struct cgroup_base *base);
/* Kills whoever is still in it and removes it with all below. */
void cgroup_end(const struct cgroup_base *base);
/* Does the path look like a node's directory, in the mount that shows our own? */
bool cgroup_is_base(const char *path);

/* ---- an actor's: base may be NULL, or have no path -------------------------------------------- */

/* A descriptor of the actor's directory, which is made if it is not there; -1. */
int cgroup_open(const struct cgroup_base *base, const char *actor);
/* The calling process moves there: slow, for kernels that cannot let it be born there. */
void cgroup_enter(int fd);
/* Does a process live in it or below? */
bool cgroup_is_populated(const struct cgroup_base *base, const char *actor);
/* Kills all in it and below. */
void cgroup_kill(const struct cgroup_base *base, const char *actor);
/* Calls visit for each process in it, not below. */
void cgroup_each(const struct cgroup_base *base, const char *actor,
                 void (*visit)(pid_t pid, void *ctx), void *ctx);
/* The actor's next incarnation gets a new one, since this one was killed: cgroup_clone() tells why. */
void cgroup_renew(const struct cgroup_base *base, const char *actor);
/* Removes it, if nobody lives there. */
void cgroup_remove(const struct cgroup_base *base, const char *actor);
/* Removes of what is below a supervisor's those of names that keep() does not want to keep. */
void cgroup_keep(const struct cgroup_base *base, const char *supervisor,
                 bool (*keep)(const char *name, void *ctx), void *ctx);

/* As fork(), but without a copy of what libc does at a fork, and the child is born in the cgroup; flags
 * are further ones of clone(2), end_signal is what its end raises here. -1 with errno. Kernels since 6.14 kill at birth, before its first
 * instruction, who is born into a cgroup that was not killed as often as its parent's. */
pid_t cgroup_clone(int fd, uint64_t flags, int end_signal);

/* ---- a process's ------------------------------------------------------------------------------- */

/* Its cgroup as /proc shows it, for cgroup_contains(); NULL: not known. To be freed. */
char *cgroup_of(pid_t pid);
/* Is a process whose cgroup_of() was `where` (may be NULL) in the actor's or below? */
bool cgroup_contains(const struct cgroup_base *base, const char *actor, const char *where);

#endif
