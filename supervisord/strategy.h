/*
 * The strategy's decisions, as functions from values to values: "this child must be restarted: stop
 * these, start those", and in which order a batch of stops and starts is carried out (SEMANTICS 3;
 * OTP S33-S46, S58, S60, S76). No I/O, no clock. supervisor.c calls them and does what they say.
 */
#ifndef TROUPE_STRATEGY_H
#define TROUPE_STRATEGY_H

#include "spec.h"

#include <stdbool.h>
#include <stddef.h>

/* A child as the strategy sees it. Seats are in start order. */
struct seat {
    enum {
        SEAT_DOWN,    /* no process, nothing planned by itself */
        SEAT_RISING,  /* starting, waiting for a link target, or in back-off */
        SEAT_UP,      /* ready */
        SEAT_FALLING, /* being stopped or buried */
    } is;
    unsigned position; /* replicas of one entry share a position */
    unsigned child;    /* the caller's own: whose seat it is */
    unsigned stop_rank; /* a higher one stops first, whatever the position */
    bool temporary;
    bool held;         /* stopped by a person: stays down until `start` (ours, X14) */
    bool significant;
    /* the batch under way */
    bool to_stop, to_start, to_forget;
};

/* Child `failed` must be restarted: adds to the batch (to_stop, to_start, to_forget) of the seats.
 * one_for_one: itself. one_for_all: all others are stopped, then all non-temporary, not held ones
 * are started; temporary ones are stopped and forgotten (S58). rest_for_one: the same for those
 * at later positions (replicas of the failed one's own entry are left alone). */
void strategy_restart(enum spec_strategy strategy, struct seat *seats, size_t n, size_t failed);

enum step { STEP_STOP, STEP_START, STEP_WAIT, STEP_DONE };

/* The next step of the batch, and whom it concerns. Stops come first, highest rank and latest position first, one
 * position at a time (all at once when parallel: templates); then starts, earliest position first,
 * the next position only when every one before is up; replicas of one position together.
 * STEP_WAIT: something is falling or rising; STEP_DONE: the batch is empty. Clear to_stop of a seat
 * when it is DOWN, to_start when it is UP (the caller does, before it asks). */
enum step strategy_next(const struct seat *seats, size_t n, bool parallel, size_t *which);

/* After child `ended` ended for good, not by order of a person: shall the supervisor shut down by
 * itself (auto_shutdown; S83-S86, X18)? */
bool strategy_auto_shutdown(enum spec_auto_shutdown mode, const struct seat *seats, size_t n,
                            size_t ended);

/* Does an end with this reason lead to a restart (S48-S57)? */
bool strategy_wants_restart(enum spec_restart restart, bool orderly);

#endif
