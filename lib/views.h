/*
 * Views of process groups: what an actor knows of who is in them, kept up to date by sys/node over
 * one connection: the members of now, then each change in order (CLUSTER 3). When sys/node was
 * restarted, what is different afterwards is told as changes. Private to the runtime.
 */
#ifndef TROUPE_VIEWS_H
#define TROUPE_VIEWS_H

#include "addr.h"
#include "agenda.h"
#include "group_name.h"
#include "troupe.h"
#include "wire.h"

#include <ev.h>
#include <uthash.h>

struct peer;
struct view_query;
struct view_change;

/* Who is in a group, so often. */
struct view_member {
    UT_hash_handle hh; /* by both texts; in the order in which they joined */
    size_t count;
    const char *address; /* inside, behind the group */
    char group[];
};

/* Of a group, or of all groups of a scope. */
struct view {
    UT_hash_handle hh; /* by number */
    struct troupe *self;
    uint64_t number;
    uint64_t ref;           /* of its request on this connection; 0: none */
    struct group_name name; /* group "": the whole scope */
    bool is_told;           /* its members, at least once; or that they are not for us */
    bool is_denied;         /* that */
    struct view_member *members;
    troupe_on_group *on_change; /* NULL: nobody is told, it is looked at */
    void *data;
};

struct views {
    struct peer *peer;
    struct view *all;
    struct view_query *query; /* the one that is being waited for */
    TAILQ_HEAD(view_changes, view_change) changes;
    struct agenda_item owed; /* changes that the author is yet to hear of */
    ev_timer retry;
    int64_t wait_ms;
    uint64_t last_number;
};

void views_init(struct troupe *self);
void views_finish(struct troupe *self);

/* The view of exactly that group that nobody is told of, made at first use, and waited for, at most
 * for 5 s. NULL with errno: ENOTCONN (no sys/node, or it does not answer), ENOMEM, EINTR (the actor
 * is to end), EACCES (its user may not look at groups). */
struct view *views_look(struct troupe *self, const struct group_name *name);

/* One question to sys/node, waited for. 0 and words, to be finished; or -1 with errno as above. */
int views_ask(struct troupe *self, const char *verb, const struct words *words,
              struct words *answer);

#endif
