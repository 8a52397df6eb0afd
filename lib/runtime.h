/*
 * The runtime of a module, private to actor.c, mailbox.c and message.c: one struct troupe a
 * process. actor.c owns the life cycle and calls handlers, mailbox.c the connections and what
 * waits, message.c one message and its values.
 */
#ifndef TROUPE_RUNTIME_H
#define TROUPE_RUNTIME_H

#include "addr.h"
#include "boot.h"
#include "loop.h"
#include "mailbox.h"
#include "parent.h"
#include "reason.h"
#include "stats.h"
#include "troupe.h"

enum { TROUPE_NEED_MAX = 64, TROUPE_LAST_STATE_MAX = 65536 };

struct troupe {
    const struct troupe_boot *boot;
    struct troupe_actor actor; /* a copy: the module's own may be older, and shorter */
    struct ev_loop *loop;
    void *state;
    char address[ADDR_TEXT_MAX + 1];

    struct parent parent;
    struct mailbox mailbox;
    ev_signal term;

    struct stats_page *stats; /* the supervisor's page, or own_stats */
    struct stats_page own_stats;

    bool ending;     /* a reason is set: no further message is handled */
    bool terminated; /* by a signal that is raised again at the end */
    char reason[REASON_MAX];
    char need[TROUPE_NEED_MAX];
    char ready_text[REASON_MAX];
    char bad_argument[REASON_MAX]; /* from troupe_arg_int() in init */
    void *last_state;
    size_t last_state_size;
};

/* Hands one message to its handler, or refuses it. Frees it unless it is kept. */
void actor_handle(struct troupe *self, struct troupe_message *message);

#define STATS_ADD(self, counter, n)                                                                \
    atomic_fetch_add_explicit(&(self)->stats->counter, (uint64_t)(n), memory_order_relaxed)
#define STATS_SET(self, counter, value)                                                            \
    atomic_store_explicit(&(self)->stats->counter, (uint64_t)(value), memory_order_relaxed)

#endif
