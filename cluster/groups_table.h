/*
 * What the table of groups is made of; private to groups*.c. Records are made when they are first
 * spoken of and go when nothing refers to them any more: table_tidy_*() is called by whoever took
 * the last reference away.
 *
 *   scope ─ group ─┬ membership ┬─ actor ─ source
 *        └ monitors└ monitors   └ count
 */
#ifndef TROUPE_CLUSTER_GROUPS_TABLE_H
#define TROUPE_CLUSTER_GROUPS_TABLE_H

#include "groups.h"

#include <uthash.h>
#include <utlist.h>

struct monitor {
    struct monitor_key {
        uint64_t subscriber, ref;
    } key;
    struct scope *scope;
    struct group *group;            /* NULL: all of the scope */
    struct monitor *prev, *next;    /* of that scope or group */
    struct monitor *before, *after; /* of that subscriber */
    struct subscriber *subscriber;
    UT_hash_handle hh;
};

struct subscriber {
    uint64_t id;
    struct monitor *monitors;
    UT_hash_handle hh;
};

struct scope {
    struct group *groups;
    struct monitor *monitors;
    UT_hash_handle hh;
    char name[];
};

struct group {
    struct scope *scope;
    struct membership *members[2]; /* others', ours: by struct source's is_local */
    size_t distinct[2];
    size_t staged; /* memberships of count 0: a snapshot is under way, or a change is */
    struct monitor *monitors;
    UT_hash_handle hh;
    char name[];
};

struct source {
    uint64_t id;
    bool is_local, is_synced, is_in_snapshot;
    size_t max, memberships, staged;
    struct actor *actors;
    UT_hash_handle hh;
    char *node, *root;
};

struct actor {
    struct groups_actor face;
    struct source *source;
    struct membership *memberships;
    UT_hash_handle hh;
    char address[];
};

struct membership {
    struct membership_key {
        struct group *group;
        struct actor *actor;
    } key;
    size_t count;                      /* 0: only the snapshot under way knows of it */
    size_t wanted;                     /* what that says */
    struct membership *prev, *next;    /* of the group, while count > 0 */
    struct membership *before, *after; /* of the actor */
    UT_hash_handle hh;
};

struct groups {
    struct groups_handlers handlers;
    void *data;
    struct scope *scopes;
    struct source *sources;
    struct membership *memberships;
    struct subscriber *subscribers;
    struct monitor *monitors;
    size_t group_count, actor_count, membership_count;
    size_t local_count, local_max; /* memberships of this node's own actors */
    const struct groups_actor **list; /* room for one event's actors */
    size_t list_size;
};

struct scope *table_scope(const struct groups *groups, const char *name);
struct scope *table_make_scope(struct groups *groups, const char *name);
struct group *table_group(const struct groups *groups, const char *scope, const char *name);
struct group *table_make_group(struct groups *groups, const char *scope, const char *name);
struct source *table_source(const struct groups *groups, uint64_t id);
struct actor *table_actor(const struct source *source, const char *address);
struct actor *table_make_actor(struct groups *groups, struct source *source, const char *address);
struct membership *table_membership(const struct groups *groups, struct group *group,
                                    struct actor *actor);
/* With count 0. */
struct membership *table_make_membership(struct groups *groups, struct group *group,
                                         struct actor *actor);
/* Changes how many times it is there. */
void table_set_count(struct groups *groups, struct membership *membership, size_t count);

/* Free it when nothing needs it. */
void table_tidy_membership(struct groups *groups, struct membership *membership);
void table_tidy_actor(struct groups *groups, struct actor *actor);
void table_tidy_group(struct groups *groups, struct group *group);
void table_tidy_scope(struct groups *groups, struct scope *scope);

/* Tells the monitors, and for local ones everybody else, of the first n in groups->list. */
void table_tell(struct groups *groups, enum groups_kind kind, const struct group *group,
                bool is_local, size_t n);
/* 0, or -1 with EINVAL. */
int table_check_name(const char *name);
/* Calls visit for the members. */
void table_visit_members(const struct group *group, enum groups_which which, groups_visit *visit,
                         void *data);
/* Room for n in groups->list. */
const struct groups_actor **table_list(struct groups *groups, size_t n);

#endif
