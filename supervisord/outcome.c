/*
 * What the end of an incarnation leads to: a restart, a rest, a defeat (SEMANTICS 3 and 4). The
 * reports of children arrive here; decisions are strategy.c's, intensity.c's and backoff.c's.
 */
#include "batch.h"
#include "reason.h"
#include "supervisor.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char shutdown_text[] = "shutdown ";

/* Are its children actors of a service? A front's are shards. */
static bool makes_instances(const struct supervisor *supervisor)
{
    return supervisor->activations.is_service && !supervisor->shards.count;
}

static bool was_defeated(const struct child *child, const char *reason)
{
    return spec_supervises(child->spec) && reason_is_defeat(reason);
}

static void give_up(struct supervisor *supervisor, struct child *child, const char *reason)
{
    char text[REASON_MAX], cause[144], period[32];

    if (was_defeated(child, reason)) /* one that gave up below us: the first cause stays in sight */
        snprintf(cause, sizeof cause, "(%.140s)", reason + strlen(shutdown_text));
    else
        snprintf(cause, sizeof cause, "%.140s", reason);
    snprintf(text, sizeof text, "%.60s %s: more than %u restarts in %s", child->path, cause,
             supervisor->spec->intensity,
             text_of_duration(supervisor->spec->period_ms, period, sizeof period));
    events_self(supervisor, EVENT_GIVE_UP, "reason", text);
    child->rest = REST_FAILED;
    supervisor_end(supervisor, NEED_NONE, "shutdown %s", text);
}

static int64_t delay_of(struct child *child)
{
    if (child->need == NEED_RESTART_AFTER)
        return child->need_delay_ms;
    if (!child->spec->backoff.initial_ms)
        return 0;
    return backoff_next(&child->backoff, &child->spec->backoff,
                        child->was_ready ? mono_diff_ms(mono_now(), child->started) : 0,
                        (double)random() / ((double)RAND_MAX + 1));
}

static void restart(struct supervisor *supervisor, size_t failed)
{
    struct seat *seats;

    if (supervisor->spec->strategy == ONE_FOR_ONE) {
        supervisor->children[failed]->due = true;
    } else {
        seats = batch_seats(supervisor);
        strategy_restart(supervisor->spec->strategy, seats, supervisor->count, failed);
        batch_take(supervisor, seats);
    }
}

static size_t index_of(const struct supervisor *supervisor, const struct child *child)
{
    size_t i = 0;

    while (supervisor->children[i] != child)
        i++;
    return i;
}

/* The node's own part may come back where an application may not; but not when it gave up itself. */
static bool is_allowed(struct child *child, const char *reason, int64_t now_ms)
{
    if (!child->has_allowance)
        return intensity_add(&child->supervisor->intensity, now_ms);
    return !was_defeated(child, reason) && intensity_add(&child->allowance, now_ms);
}

/* counted: it weighs on the intensity. */
static void restart_child(struct child *child, const char *reason, bool counted)
{
    struct supervisor *supervisor = child->supervisor;
    int64_t now_ms = mono_now().us / 1000, delay_ms;

    if (supervisor->mode == SUPERVISOR_ENDING)
        return;
    if (counted && !is_allowed(child, reason, now_ms)) {
        give_up(supervisor, child, reason);
        return;
    }
    child->slot->restarts_total++;
    intensity_add(&child->restarts, now_ms);
    delay_ms = delay_of(child);
    child->not_before = delay_ms > 0 ? mono_add_ms(mono_now(), delay_ms) : (struct mono){0};
    child->rest = REST_NEW;
    events_child_text(child, EVENT_CHILD_RESTART, "why", reason);
    restart(supervisor, index_of(supervisor, child));
}

/* Its lease has ended: that is no failure, and counts as none. It waits for the next one. */
static void restart_fenced(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;

    if (supervisor->mode == SUPERVISOR_ENDING)
        return;
    child->slot->restarts_total++;
    child->rest = REST_NEW;
    events_child_text(child, EVENT_CHILD_RESTART, "why", REASON_FENCED);
    restart(supervisor, index_of(supervisor, child));
}

static void check_auto_shutdown(struct supervisor *supervisor, struct child *child)
{
    if (supervisor->spec->auto_shutdown == AUTO_NEVER)
        return;
    if (strategy_auto_shutdown(supervisor->spec->auto_shutdown, batch_seats(supervisor),
                               supervisor->count, index_of(supervisor, child)))
        supervisor_auto_shutdown(supervisor, child->path);
}

/* It stays down. A temporary child's spec goes with it; an application is kept to be looked at. */
static void rest(struct child *child, enum child_rest how)
{
    struct supervisor *supervisor = child->supervisor;

    child->rest = how;
    child->slot->state = (uint8_t)child_row_state(child);
    child_unbind(child);
    events_child(child, how == REST_FAILED    ? EVENT_CHILD_FAILED
                        : how == REST_STOPPED ? EVENT_CHILD_STOPPED
                                              : EVENT_CHILD_EXITED);
    if (child->spec->restart == RESTART_TEMPORARY && !supervisor->is_root)
        child->doomed = true;
}

static void settle_ignored(struct child *child)
{
    rest(child, REST_EXITED);
    child->to_start = false;
    if (child->supervisor->spec->template)
        child->doomed = true;
    requests_on_ready(&child->supervisor->requests, child);
}

/* It went down because it was told to. */
static void settle_ordered(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    enum child_order order = child->order;

    child->order = ORDER_NONE;
    child->to_stop = false;
    if (child->to_forget)
        child->doomed = true;
    switch (order) {
    case ORDER_RESTART:
        if (supervisor->mode != SUPERVISOR_ENDING) {
            child->slot->restarts_total++;
            child->asked_by_person = true;
            child->not_before = (struct mono){0};
            if (makes_instances(supervisor))
                activations_restart(child);
            else
                child->due = true;
            break;
        }
        rest(child, REST_EXITED);
        break;
    case ORDER_PERSON:
        child->slot->held = true;
        child->to_start = child->due = false;
        rest(child, REST_STOPPED);
        if (supervisor->spec->template)
            child->doomed = true;
        break;
    case ORDER_REMOVE:
        child->to_start = child->due = false;
        child->doomed = true;
        break;
    default:
        child->rest = REST_NEW;
        if (supervisor->mode == SUPERVISOR_ENDING)
            child->rest = REST_EXITED;
        break;
    }
    requests_on_down(&supervisor->requests, child);
}

static bool is_cascade(const struct child *child)
{
    return child->order == ORDER_FAULT && !strncmp(child->fault_reason, "cascade ", 8);
}

static bool is_fenced(const char *reason)
{
    return strcmp(reason, REASON_FENCED) == 0;
}

/* An application that fails to start is its own affair, unless it is permanent (OTP). */
static void fail_boot(struct child *child, const char *reason)
{
    struct supervisor *supervisor = child->supervisor;

    child->to_start = false;
    rest(child, REST_FAILED);
    requests_on_start_failure(&supervisor->requests, child, reason);
    if (supervisor->is_root && child->spec->restart != RESTART_PERMANENT)
        return;
    events_self(supervisor, EVENT_GIVE_UP, "reason", reason);
    supervisor_end(supervisor, NEED_NONE, "shutdown failed_to_start %.100s %.130s", child->path,
                   reason);
}

static void settle_failed_start(struct child *child, const char *reason)
{
    struct supervisor *supervisor = child->supervisor;

    if (supervisor->mode == SUPERVISOR_ENDING) {
        rest(child, REST_FAILED);
    } else if (child->asked_by_person) {
        bool is_new = child->dynamic && !child->settled;

        child->asked_by_person = child->to_start = false;
        rest(child, REST_FAILED);
        child->doomed |= is_new; /* S10: a spec that never worked is not kept */
        requests_on_start_failure(&supervisor->requests, child, reason);
    } else if (!child->settled && (supervisor->mode == SUPERVISOR_BOOTING || supervisor->is_root)) {
        fail_boot(child, reason);
    } else {
        restart_child(child, reason, !is_cascade(child));
    }
}

static void settle_own_end(struct child *child, const char *reason)
{
    struct supervisor *supervisor = child->supervisor;
    bool orderly = reason_is_orderly(reason);

    switch (child->need) {
    case NEED_ABORT:
        rest(child, REST_FAILED);
        if (!supervisor->is_root)
            supervisor_end(supervisor, NEED_ABORT, "shutdown abort %s", child->path);
        return;
    case NEED_FINISH:
        rest(child, REST_EXITED);
        check_auto_shutdown(supervisor, child);
        return;
    case NEED_RESTART:
        restart_child(child, reason, true);
        return;
    case NEED_RESTART_AFTER:
        restart_child(child, reason, false);
        return;
    case NEED_NONE:
        break;
    }
    if (strategy_wants_restart(child->spec->restart, orderly)) {
        restart_child(child, reason, !is_cascade(child));
        return;
    }
    rest(child, orderly && !was_defeated(child, reason) ? REST_EXITED : REST_FAILED);
    check_auto_shutdown(supervisor, child);
}

void supervisor_on_end(struct child *child, const char *reason)
{
    struct supervisor *supervisor = child->supervisor;
    bool ordered = (child->order != ORDER_NONE && child->order != ORDER_FAULT) || child->to_stop;

    events_child_exit(child, reason, mono_diff_ms(mono_now(), child->started), ordered);
    links_on_end(&supervisor->links, child, reason, ordered);
    party_on_end(&child->party, child->slot->incarnation, reason, ordered);
    activations_on_gone(child, reason);
    if (ordered)
        settle_ordered(child);
    else if (makes_instances(supervisor))
        activations_on_end(child, reason);
    else if (is_fenced(reason))
        restart_fenced(child);
    else if (child->ignored)
        settle_ignored(child);
    else if (!child->was_ready)
        settle_failed_start(child, reason);
    else
        settle_own_end(child, reason);
    supervisor_kick(supervisor);
}

void supervisor_on_down(struct child *child)
{
    settle_ordered(child);
    supervisor_kick(child->supervisor);
}

void supervisor_on_ready(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;

    child->to_start = false;
    child->settled = true;
    links_on_ready(&supervisor->links, child);
    requests_on_ready(&supervisor->requests, child);
    activations_on_ready(child);
    supervisor_kick(supervisor);
}
