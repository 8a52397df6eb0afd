/*
 * Process groups, as far as our own children are members (CLUSTER 3, SEMANTICS 8). A child joins
 * and leaves by lines of its control socket, or `groups:` in the config does it for one that knows
 * nothing of Troupe; what it has joined is kept here, ends with it, and is told to sys/node over
 * one connection: all of it first, then each change in order. A sys/node that was restarted is told
 * all again.
 */
#ifndef TROUPE_MEMBERSHIPS_H
#define TROUPE_MEMBERSHIPS_H

#include "ctl.h"
#include "fellows.h"
#include "group_name.h"
#include "mono.h"
#include "wire.h"

#include <ev.h>
#include <stdbool.h>

struct party;
struct peer;
struct supervisor;
struct group_wish;

/* One group that a party has joined, `count` times: a group is a multiset. */
struct membership {
    struct membership *next;
    unsigned count;
    struct group_name name;
};

struct memberships {
    struct supervisor *supervisor;
    struct peer *peer;         /* to sys/node; NULL: there is no way to it now */
    uint64_t snapshot;         /* the request with which all was told on it */
    unsigned denied;           /* snapshots in a row */
    struct group_wish *wishes; /* JOINs and LEAVEs that sys/node has not confirmed, oldest first */
    size_t parties;            /* that are members of something */
    size_t bytes;              /* that a snapshot of all takes, at most */
    size_t total;              /* memberships, each as often as it was joined */
    struct question node;      /* to the root, to start sys/node */
    ev_timer retry;
    int64_t wait_ms; /* before the next try */
};

void memberships_init(struct memberships *memberships, struct supervisor *supervisor);
void memberships_finish(struct memberships *memberships);

/* JOIN SCOPE GROUP [COUNT], LEAVE SCOPE GROUP [COUNT]: answered JOINED or LEFT when sys/node has
 * it, or NOT_JOINED SCOPE GROUP REASON. False: the line makes no sense. */
bool memberships_take_line(struct party *party, const struct ctl_line *line);
/* Joins the groups of its spec, in the config's form; nobody is answered. */
void memberships_join_all(struct party *party, char *const *groups);
/* The party's incarnation is over, and with it its memberships. */
void memberships_end(struct party *party, uint64_t incarnation);

/* "groups", with how often when more than once, for people. */
void memberships_facts(const struct party *party, struct facts *facts);

#endif
