/*
 * Members of a child: its process group, whoever is in its cgroup, and whatever escaped by setsid,
 * double fork or exec and was re-parented to this supervisor, a subreaper (SEMANTICS 2). Whose escapee
 * one is, is told by its cgroup, where there are any, and by a mark that survives setsid, exec, setuid
 * and `env -i`: a hard RLIMIT_RTTIME that no real-time program would ever reach. An unprivileged
 * process can only lower a hard limit, so marks fall with depth.
 */
#ifndef TROUPE_MEMBERS_H
#define TROUPE_MEMBERS_H

#include "cgroup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child;

typedef uint64_t mark_t;

/* The members of one incarnation. */
struct members {
    pid_t leader; /* also its process group; 0: none */
    mark_t mark;
    const struct cgroup_base *cgroup; /* the node's */
    const char *path;                 /* the child's, and so its cgroup's */
    bool group_told;                  /* the group has had the stop signal */
    bool cgroup_killed;               /* by us */
    pid_t *told;                      /* so have these, outside of it */
    size_t told_count;
};

/* A process beside the leaders: re-parented to us, or just found in a child's cgroup. */
struct stray {
    pid_t pid, group;
    mark_t mark;  /* 0: it has none, or it cannot be read */
    char *cgroup; /* cgroup_of(); NULL: not known */
    const struct child *owner; /* set by who has found out whose it is */
};

struct strays {
    struct stray *at;
    size_t count;
    bool populated; /* the child's cgroup is */
};

/* A fresh mark for a child of this process. */
mark_t members_new_mark(void);
/* Sets it on the calling process (in the child, before exec and setuid). 0 or -1. */
int members_wear_mark(mark_t mark);
mark_t members_mark_of(pid_t pid);

/* Lets go of what is held for them. */
void members_finish(struct members *members);

/* Once in each process that scans. 0 or -1 (no /proc, EMFILE). */
int strays_open(void);
/* All living children of this process that is_leader() does not know; dead ones are reaped on the
 * way. 0 or -1 (ENOMEM, not open). Free with strays_finish(). */
int strays_scan(bool (*is_leader)(pid_t pid, void *ctx), void *ctx, struct strays *strays);
/* Moves those of one owner. 0, or -1 with ENOMEM: then some stay where they were. */
int strays_move(struct strays *strays, const struct child *owner, struct strays *to);
/* Adds whoever else is in the child's cgroup, but its leader. 0, or -1 with ENOMEM. */
int members_add_inmates(const struct members *members, struct strays *strays);
/* Both scan and inmates. */
int members_scan(const struct members *members, bool (*is_leader)(pid_t pid, void *ctx), void *ctx,
                 struct strays *strays);
void strays_finish(struct strays *strays);

/* Is somebody of the child among the scanned, or below it in its cgroup? */
bool members_are_left(const struct members *members, const struct strays *strays);
/* Is it the child's: by mark, process group or cgroup? */
bool members_owns(const struct members *members, const struct stray *stray);
/* The same of any process. */
bool members_include(const struct members *members, pid_t pid);

/* Signals the group (only while the leader's number is held) and every other member, each once; CONT
 * follows; KILL goes to the cgroup as well. fresh_only: who was told before is left alone. */
void members_signal(struct members *members, const struct strays *strays, int signal,
                    bool group, bool fresh_only);
/* True: it could be sent. */
bool stray_kill(const struct stray *stray);

#endif
