/*
 * The process groups that this node knows of (SEMANTICS 8, CLUSTER 3; pg of OTP 29). Pure but for
 * memory: what happens goes in, events come out by two callbacks, which must not change the table.
 * No clock, no I/O.
 *
 * A group is a multiset of actors, in a scope; scopes and groups exist while somebody is in them or
 * monitors them. Everybody who owns members is a *source*: a supervisor of this node, or another
 * node's sys/node. Both speak alike: first a snapshot of what they have, then changes in order;
 * changes before the snapshot are dropped; another snapshot makes the difference events; and with
 * the end of the source all that it had is gone. A source can only ever speak for its own actors.
 * Nothing that costs more than the change itself grows with the size of a group.
 *
 * Functions return 0, or -1 with errno:
 *   ESRCH   no such source (not known any more)       EAGAIN  its snapshot has not come: dropped
 *   EINVAL  not a name of a scope or a group          EPERM   not an actor of this source
 * (`nolocal`) ENOENT  not joined                                ENOSPC  it has as many memberships
 * as it may have, or this node has
 */
#ifndef TROUPE_CLUSTER_GROUPS_H
#define TROUPE_CLUSTER_GROUPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GROUPS_NAME_MAX = 255
}; /* bytes of a scope's or a group's name: any but blanks and controls */

struct groups;

struct groups_actor {
    const char *address; /* "shop/db#7", as its node writes it */
    const char *node;    /* "": this one */
};

enum groups_kind { GROUPS_JOIN, GROUPS_LEAVE };

struct groups_event {
    enum groups_kind kind;
    const char *scope, *group;
    const struct groups_actor *const *actors; /* one joined twice at once is here twice */
    size_t count;
};

struct groups_handlers {
    /* For the monitor of that subscriber and ref. */
    void (*on_event)(void *data, uint64_t subscriber, uint64_t ref,
                     const struct groups_event *event);
    /* A change of this node's own members, once: what other nodes are told. */
    void (*on_local)(void *data, const struct groups_event *event);
};

struct groups *groups_create(const struct groups_handlers *handlers, void *data);
void groups_destroy(struct groups *groups);

/* ---- sources ---- */

/* Opens a source under a number of the caller's that is not in use. node: "" when its actors are
 * this node's; root: the path they must be below ("": any); max: memberships it may have. */
void groups_open(struct groups *groups, uint64_t source, const char *node, const char *root,
                 size_t max);
/* All sources of this node together may have so many memberships: no more than other nodes take of it. */
void groups_bound_local(struct groups *groups, size_t max);
/* It has ended: its members leave. One that is not known is no error. */
void groups_close(struct groups *groups, uint64_t source);

/* A snapshot: everything that the source has, added one by one, counts at the end. */
int groups_snapshot_begin(struct groups *groups, uint64_t source);
int groups_snapshot_add(struct groups *groups, uint64_t source, const char *scope,
                        const char *group, const char *address, size_t count);
int groups_snapshot_end(struct groups *groups, uint64_t source);

/* All of the list, or (ENOSPC, EPERM, EINVAL) nothing. One event. */
int groups_join(struct groups *groups, uint64_t source, const char *scope, const char *group,
                const char *const *addresses, size_t n);
/* As many of each as there are; ENOENT only when none of them is a member. One event. */
int groups_leave(struct groups *groups, uint64_t source, const char *scope, const char *group,
                 const char *const *addresses, size_t n);
/* An actor has ended: it leaves everything, with one event for each time that it had joined. */
int groups_ended(struct groups *groups, uint64_t source, const char *address);

/* ---- who is where ---- */

enum groups_which { GROUPS_ALL, GROUPS_LOCAL };

/* count: how many times it is a member. */
typedef void groups_visit(void *data, const char *scope, const char *group,
                          const struct groups_actor *actor, size_t count);

/* Members of a group, this node's first, each kind in the order of their joins. */
void groups_members(const struct groups *groups, enum groups_which which, const char *scope,
                    const char *group, groups_visit *visit, void *data);
/* Groups of a scope (NULL: of all scopes) that have members (or local ones): called with the actor NULL and the count of
 * distinct members. */
void groups_names(const struct groups *groups, enum groups_which which, const char *scope,
                  groups_visit *visit, void *data);
/* Everything in every scope: with GROUPS_LOCAL, what a snapshot for another node has to say. */
void groups_each(const struct groups *groups, enum groups_which which, groups_visit *visit,
                 void *data);

/* ---- monitors ---- */

/* From now on events of this group, or with group NULL of all groups of the scope, go to
 * (subscriber, ref), a pair not in use; visit is called for those who are members now, so that
 * nothing comes between. */
int groups_monitor(struct groups *groups, uint64_t subscriber, uint64_t ref, const char *scope,
                   const char *group, groups_visit *visit, void *data);
/* ENOENT: no such. */
int groups_demonitor(struct groups *groups, uint64_t subscriber, uint64_t ref);
/* All monitors of a subscriber that has ended. */
void groups_unsubscribe(struct groups *groups, uint64_t subscriber);

/* ---- how much there is ---- */

struct groups_counts {
    size_t sources, scopes, groups, actors, memberships, monitors;
};

struct groups_counts groups_counts(const struct groups *groups);
/* Memberships of a source; 0 when it is not known. */
size_t groups_source_count(const struct groups *groups, uint64_t source);

#endif
