/*
 * The runtime of an actor, private to lib/: one struct troupe a process. actor.c owns the life cycle and
 * calls handlers; mailbox.c what comes in, contact.c and call.c what goes out; seat.c and yield.c how many
 * share a mailbox's connections; publish.c and subscription.c events, out and in; agenda.c what else the
 * author's functions are owed, and how they wait; ties.c links and monitors; timing.c time; work.c what runs
 * beside it; state.c and saving.c what outlives it.
 */
#ifndef TROUPE_RUNTIME_H
#define TROUPE_RUNTIME_H

#include "addr.h"
#include "agenda.h"
#include "boot.h"
#include "call.h"
#include "contact.h"
#include "descriptors.h"
#include "idle.h"
#include "joining.h"
#include "loop.h"
#include "mailbox.h"
#include "parent.h"
#include "publish.h"
#include "reason.h"
#include "state.h"
#include "stats.h"
#include "subscription.h"
#include "ties.h"
#include "timing.h"
#include "troupe.h"
#include "undelivered.h"
#include "views.h"
#include "work.h"

enum { TROUPE_NEED_MAX = 64, TROUPE_LAST_STATE_MAX = 65536 };

struct troupe {
    const struct troupe_boot *boot;
    struct troupe_actor actor; /* a copy: the module's own may be older, and shorter */
    struct ev_loop *loop;
    void *state;
    char address[ADDR_TEXT_MAX + 1];

    uint64_t hash; /* of its address */

    struct parent parent;
    struct mailbox mailbox;
    struct contacts contacts;
    struct hotlines hotlines;
    struct calls calls;
    struct subscriptions subscriptions;
    struct publishing publishing;
    struct ties ties;
    struct joining joining;
    struct views views;
    struct agenda agenda;
    struct timing timing;
    struct idle idle;
    struct descriptors descriptors;
    struct works works;
    struct undelivered undelivered;
    struct state *keeping; /* what is in the store; NULL: nothing */
    struct troupe_message spare; /* for one view at a time */
    bool has_spare;
    struct troupe_message *current; /* the one whose handler runs, or NULL */
    unsigned busy;    /* functions of the author that run */
    unsigned waiting; /* … and wait in a blocking one */
    unsigned held;    /* … must not run, for there are steps to be finished first */
    ev_signal term;

    struct stats_page *stats; /* the supervisor's page, or own_stats */
    struct stats_page own_stats;

    bool serving;    /* ready: messages are taken */
    bool saving;     /* messages wait until what the last has changed is kept */
    bool paused;     /* messages wait: troupe_pause() */
    bool ending;     /* a reason is set: no further message is handled */
    bool draining;   /* nothing new is taken; then it ends with drain_reason */
    char drain_reason[REASON_MAX];
    bool terminated; /* by a signal that is raised again at the end */
    bool is_attached; /* no supervisor has started it: attach.c */
    bool is_watching; /* one function of the author's, and it is `enough`: troupe_watch_work() */
    bool enough;
    char reason[REASON_MAX];
    char need[TROUPE_NEED_MAX];
    char ready_text[REASON_MAX];
    char bad_argument[REASON_MAX]; /* from troupe_arg_int() in init */
    void *last_state;
    size_t last_state_size;
};

/* The parts of an actor's life, for troupe_actor_run() and attach.c. self is zeroed, but for state and
 * loop; boot outlives it. */
void actor_init(struct troupe *self, const struct troupe_actor *actor, const struct troupe_boot *boot);
/* Hears the supervisor, runs the author's init and serves when that says so. Returns what it said (enum
 * troupe_start). */
int actor_start(struct troupe *self);
/* Says goodbye to everyone: a reason is set. */
void actor_finish(struct troupe *self);
/* Frees what it holds, its loop too; not self and state. */
void actor_release(struct troupe *self);

/* Begins the end for this reason, unless it has begun. */
void actor_end(struct troupe *self, const char *reason);

/* Hands one message to its handler, or refuses it. Frees it unless it is kept. */
void actor_handle(struct troupe *self, struct troupe_message *message);

/* One writer: a load and a store, not a locked addition. */
#define STATS_ADD(self, counter, n)                                                                \
    STATS_SET(self, counter,                                                                       \
              atomic_load_explicit(&(self)->stats->counter, memory_order_relaxed) + (uint64_t)(n))
#define STATS_SET(self, counter, value)                                                            \
    atomic_store_explicit(&(self)->stats->counter, (uint64_t)(value), memory_order_relaxed)

#endif
