/*
 * Members of a child: its process group, and whatever escaped by setsid, double fork or exec and was
 * re-parented to this supervisor, a subreaper (SEMANTICS 2). Whose escapee one is, is told by a mark
 * that survives setsid, exec, setuid and `env -i`: a hard RLIMIT_RTTIME that no real-time program
 * would ever reach. An unprivileged process can only lower a hard limit, so marks fall with depth.
 */
#ifndef TROUPE_MEMBERS_H
#define TROUPE_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint64_t mark_t;

/* The members of one incarnation. */
struct members {
    pid_t leader; /* also its process group; 0: none */
    mark_t mark;
    pid_t *told; /* escapees that have had the stop signal */
    size_t told_count;
};

/* A process that was re-parented to us. */
struct stray {
    pid_t pid, group;
    mark_t mark; /* 0: cannot be read */
};

struct strays {
    struct stray *at;
    size_t count;
};

/* A fresh mark for a child of this process. */
mark_t members_new_mark(void);
/* Sets it on the calling process (in the child, before exec and setuid). 0 or -1. */
int members_wear_mark(mark_t mark);
mark_t members_mark_of(pid_t pid);

void members_finish(struct members *members);

/* All living children of this process that is_leader() does not know; dead ones are reaped on the
 * way. 0 or -1 (ENOMEM, no /proc). Free with strays_finish(). */
int strays_scan(bool (*is_leader)(pid_t pid, void *ctx), void *ctx, struct strays *strays);
void strays_finish(struct strays *strays);

/* How many of the strays are this child's: by mark, or by its process group. */
size_t members_among(const struct members *members, const struct strays *strays);
bool members_owns(const struct members *members, const struct stray *stray);

/* Signals the group (only while the leader's number is held) and every escapee; CONT follows.
 * fresh_only: escapees that were told before are left alone. */
void members_signal(struct members *members, const struct strays *strays, int signal,
                    bool group, bool fresh_only);
void stray_kill(const struct stray *stray);

#endif
