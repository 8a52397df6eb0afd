/*
 * What the author's functions are owed besides messages: answers, ends, timers, events, results, in the
 * order in which they came. They run between messages, before the next one, never while a handler runs
 * or waits (SEMANTICS 6: control before messages). Private to the runtime.
 */
#ifndef TROUPE_AGENDA_H
#define TROUPE_AGENDA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct troupe;

/* Member of whatever is owed; may be posted once at a time. run() may free it. */
struct agenda_item {
    TAILQ_ENTRY(agenda_item) link;
    void (*run)(struct troupe *self, struct agenda_item *item);
    void (*drop)(struct agenda_item *item); /* the actor has ended: frees it */
    bool is_posted;
};

TAILQ_HEAD(agenda, agenda_item);

/* Owes it; the loop will not sleep before it has run. Does nothing when it is owed already. */
void agenda_post(struct troupe *self, struct agenda_item *item);
/* No longer; does nothing when it is not owed. */
void agenda_withdraw(struct troupe *self, struct agenda_item *item);
/* Runs what is owed now, at most `bound` items, while the actor lives and does not wait. */
void agenda_run(struct troupe *self, int bound);

/* Drops what is still owed. */
void agenda_finish(struct troupe *self);

/* May a function of the author run at once? Not while another does, or waits, or something is owed, or
 * held. */
bool agenda_is_free(const struct troupe *self);
/* Around steps that must come to their end before the author hears of any: what he would be told at once
 * is owed meanwhile. May be nested. */
void agenda_hold(struct troupe *self);
void agenda_let_go(struct troupe *self);
/* Around every call of the author's functions. */
void agenda_enter(struct troupe *self);
void agenda_leave(struct troupe *self);

/* Runs the loop until *done, or until the actor is to end: what a blocking function does. Nothing of
 * the author's runs meanwhile, but its watchers on troupe_loop(). */
void agenda_wait(struct troupe *self, const bool *done);
/* The same, for at most ms. Returns *done: else the time is up, or self->ending. */
bool agenda_wait_for(struct troupe *self, const bool *done, int64_t ms);

#endif
