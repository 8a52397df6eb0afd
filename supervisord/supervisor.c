#include "supervisor.h"

#include "crash.h"
#include "ctl.h"
#include "fault.h"
#include "files.h"
#include "rundir.h"
#include "slots.h"
#include "status.h"
#include "strategy.h"
#include "text.h"
#include "thinfork.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- children ------------------------------------------------------------------------------------ */

struct child *supervisor_find(struct supervisor *supervisor, const char *name)
{
    for (size_t i = 0; i < supervisor->count; i++)
        if (!strcmp(child_name(supervisor->children[i]), name))
            return supervisor->children[i];
    return NULL;
}

static bool has_helper(const struct supervisor *supervisor, pid_t pid)
{
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->children[i]->probe.helper == pid)
            return true;
    return false;
}

bool supervisor_is_leader(pid_t pid, void *ctx)
{
    struct supervisor *supervisor = ctx;
    struct child *child;

    HASH_FIND(by_pid, supervisor->by_pid, &pid, sizeof pid, child);
    return child || has_helper(supervisor, pid);
}

struct child *supervisor_owner(struct supervisor *supervisor, const struct stray *stray)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];

        if (child->pid && members_owns(&child->members, stray))
            return child;
    }
    return NULL;
}

bool supervisor_has_orphans(struct supervisor *supervisor, const struct strays *strays)
{
    for (size_t i = 0; i < strays->count; i++)
        if (!supervisor_owner(supervisor, &strays->at[i]))
            return true;
    return false;
}

uint32_t supervisor_used(struct supervisor *supervisor)
{
    return intensity_used(&supervisor->intensity, mono_now().us / 1000);
}

struct child *supervisor_add(struct supervisor *supervisor, const struct spec *spec,
                             struct spec *own_spec)
{
    struct child **grown, *child;
    struct seat *seats;

    if (reserve_is_in_use()) {
        errno = ENOMEM;
        return NULL;
    }
    if (supervisor->count >= supervisor->spec->max_children) {
        errno = ENOSPC;
        return NULL;
    }
    grown = realloc(supervisor->children, (supervisor->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    supervisor->children = grown;
    seats = realloc(supervisor->seats, (supervisor->count + 1) * sizeof *seats);
    if (!seats)
        return NULL;
    supervisor->seats = seats;
    child = child_create(supervisor, spec, own_spec);
    if (child)
        grown[supervisor->count++] = child;
    return child;
}

static void forget(struct supervisor *supervisor, size_t i)
{
    struct child *child = supervisor->children[i];

    events_child(child, EVENT_CHILD_REMOVED);
    requests_on_forget(&supervisor->requests, child);
    child_destroy(child, true);
    memmove(&supervisor->children[i], &supervisor->children[i + 1],
            (supervisor->count - i - 1) * sizeof *supervisor->children);
    supervisor->count--;
}

void supervisor_forget(struct supervisor *supervisor, struct child *child)
{
    child->doomed = true;
    supervisor_kick(supervisor);
}

static void bury_doomed(struct supervisor *supervisor)
{
    for (size_t i = supervisor->count; i-- > 0;)
        if (supervisor->children[i]->doomed && supervisor->children[i]->state == CHILD_DOWN)
            forget(supervisor, i);
}

/* ---- the batch ----------------------------------------------------------------------------------- */

static struct seat seat_of(const struct child *child)
{
    struct seat seat = {
        .temporary = child->spec->restart == RESTART_TEMPORARY && !child->supervisor->is_root,
        .held = child->slot->held,
        .significant = child->spec->significant,
        .stop_rank = child->stop_rank,
        .to_stop = child->to_stop,
        .to_start = child->to_start,
        .to_forget = child->to_forget,
    };

    switch (child->state) {
    case CHILD_READY:
        seat.is = SEAT_UP;
        break;
    case CHILD_BACKOFF:
    case CHILD_WAITING:
    case CHILD_STARTING:
        seat.is = SEAT_RISING;
        break;
    case CHILD_STOPPING:
    case CHILD_BURYING:
        seat.is = SEAT_FALLING;
        break;
    default:
        seat.is = SEAT_DOWN;
    }
    return seat;
}

/* Replicas of one entry stand beside each other and share a position. */
static bool same_entry(const struct spec *a, const struct spec *b)
{
    return a->replica && b->replica && a->at.line == b->at.line && a->at.column == b->at.column &&
           a->replica > b->replica;
}

/* Valid until asked for again. The room is made when a child is added: a decision needs no memory. */
static struct seat *seats_of(const struct supervisor *supervisor)
{
    struct seat *seats = supervisor->seats;
    unsigned position = 0;

    for (size_t i = 0; i < supervisor->count; i++) {
        seats[i] = seat_of(supervisor->children[i]);
        if (i && !same_entry(supervisor->children[i]->spec, supervisor->children[i - 1]->spec))
            position++;
        seats[i].position = position;
    }
    return seats;
}

static void take_batch(struct supervisor *supervisor, const struct seat *seats)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];

        child->to_stop = seats[i].to_stop;
        child->to_start = seats[i].to_start;
        child->to_forget = seats[i].to_forget;
        if (child->to_forget && child->state == CHILD_DOWN)
            child->doomed = true;
    }
}

static void stop_in_batch(struct child *child)
{
    enum child_order order = child->batch_order == ORDER_NONE ? ORDER_BATCH : child->batch_order;

    child->batch_order = ORDER_NONE;
    child_stop(child, order);
}

const char *supervisor_missing(const struct child *child)
{
    return child->supervisor->missing ? child->supervisor->missing(child) : NULL;
}

/* An application is not started without what it depends on. */
static void start_in_batch(struct child *child)
{
    const char *missing = supervisor_missing(child);

    if (!missing) {
        child_start(child);
        return;
    }
    child->to_start = false;
    child->rest = REST_FAILED;
    child->slot->state = ROW_FAILED;
    snprintf(child->slot->last, sizeof child->slot->last, "error it depends on %s, which is not ready",
             missing);
    events_child_text(child, EVENT_CHILD_FAILED, "reason", child->slot->last);
}

/* The seats of those whom the batch concerns, and of those to start nobody behind the first one's
 * position: looking at all of each child took a supervisor of 1,000 as long as half a fork, twice
 * for each child that it starts. Returns how many. */
static size_t seats_of_batch(const struct supervisor *supervisor)
{
    struct seat *seats = supervisor->seats;
    const struct spec *last = NULL;
    bool all = supervisor->spec->template != NULL;
    unsigned position = 0, first_start = UINT_MAX;
    size_t n = 0;

    for (size_t i = 0; i < supervisor->count; i++) {
        const struct child *child = supervisor->children[i];

        if (!child->to_stop && !child->to_start)
            continue;
        if (!child->to_stop && !all && first_start < position)
            continue;
        if (!last || !same_entry(child->spec, last))
            position = (unsigned)i;
        last = child->spec;
        seats[n] = seat_of(child);
        seats[n].position = position;
        seats[n++].child = (unsigned)i;
        if (child->to_start && first_start == UINT_MAX)
            first_start = position;
    }
    return n;
}

/* One step of the batch; true when there may be another at once. */
static bool step(struct supervisor *supervisor, enum step *what)
{
    const struct seat *seats = supervisor->seats;
    size_t n = seats_of_batch(supervisor), which = 0;

    *what = strategy_next(seats, n, supervisor->spec->template != NULL, &which);
    if (*what == STEP_STOP)
        stop_in_batch(supervisor->children[seats[which].child]);
    else if (*what == STEP_START)
        start_in_batch(supervisor->children[seats[which].child]);
    return *what == STEP_STOP || *what == STEP_START;
}

static void say_to_parent(struct supervisor *supervisor, const char *text)
{
    if (supervisor->control_fd >= 0)
        send(supervisor->control_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void boot_is_done(struct supervisor *supervisor)
{
    supervisor->mode = SUPERVISOR_RUNNING;
    events_self(supervisor, EVENT_SUPERVISOR_UP, NULL, NULL);
    say_to_parent(supervisor, "READY\n");
    if (supervisor->on_boot)
        supervisor->on_boot(supervisor);
}

static void end_is_done(struct supervisor *supervisor)
{
    static const char *const needs[] = {
        [NEED_NONE] = "", [NEED_RESTART] = " | restart", [NEED_RESTART_AFTER] = "",
        [NEED_FINISH] = " | finish", [NEED_ABORT] = " | abort",
    };
    char text[REASON_MAX + 32];

    snprintf(text, sizeof text, "EXIT %s%s\n", supervisor->final_reason,
             needs[supervisor->final_need]);
    say_to_parent(supervisor, text);
    if (supervisor->on_end)
        supervisor->on_end(supervisor);
    ev_break(supervisor->loop, EVBREAK_ALL);
}

static void start_due(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];

        if (!child->due)
            continue;
        child->due = false;
        if (supervisor->mode != SUPERVISOR_ENDING)
            child_start(child);
    }
}

static void on_advance(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    struct supervisor *supervisor = container_of(watcher, struct supervisor, advance);
    enum step what;

    (void)loop;
    (void)revents;
    events_drop_stalled(&supervisor->events);
    bury_doomed(supervisor);
    start_due(supervisor);
    while (step(supervisor, &what))
        ;
    if (what != STEP_DONE)
        return;
    if (supervisor->mode == SUPERVISOR_BOOTING)
        boot_is_done(supervisor);
    else if (supervisor->mode == SUPERVISOR_ENDING)
        end_is_done(supervisor);
}

void supervisor_kick(struct supervisor *supervisor)
{
    ev_feed_event(supervisor->loop, &supervisor->advance, EV_CUSTOM);
}

void supervisor_want(struct supervisor *supervisor, struct child *child)
{
    child->to_start = true;
    supervisor_kick(supervisor);
}

void supervisor_end(struct supervisor *supervisor, enum need need, const char *format, ...)
{
    va_list args;

    if (supervisor->mode == SUPERVISOR_ENDING)
        return;
    va_start(args, format);
    vsnprintf(supervisor->final_reason, sizeof supervisor->final_reason, format, args);
    va_end(args);
    supervisor->final_need = need;
    supervisor->mode = SUPERVISOR_ENDING;
    if (supervisor->rank_stops)
        supervisor->rank_stops(NULL);
    for (size_t i = 0; i < supervisor->count; i++) {
        supervisor->children[i]->to_start = supervisor->children[i]->due = false;
        supervisor->children[i]->to_stop = supervisor->children[i]->state != CHILD_DOWN;
    }
    supervisor_kick(supervisor);
}

/* ---- what an end leads to -------------------------------------------------------------------------- */

static const char shutdown_text[] = "shutdown ", auto_text[] = "shutdown auto_shutdown ";

static bool begins_with(const char *text, const char *head)
{
    return !strncmp(text, head, strlen(head));
}

/* A supervisor that ended by itself with more to say than `shutdown` has given up, or could not
 * start; only its auto_shutdown is what it was meant to do. */
static bool was_defeated(const struct child *child, const char *reason)
{
    return child->spec->kind == SPEC_SUPERVISOR && begins_with(reason, shutdown_text) &&
           !begins_with(reason, auto_text);
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
    struct seat *seats = seats_of(supervisor);

    if (supervisor->spec->strategy == ONE_FOR_ONE) {
        supervisor->children[failed]->due = true;
    } else {
        strategy_restart(supervisor->spec->strategy, seats, supervisor->count, failed);
        take_batch(supervisor, seats);
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

static void check_auto_shutdown(struct supervisor *supervisor, struct child *child)
{
    struct seat *seats = seats_of(supervisor);

    if (strategy_auto_shutdown(supervisor->spec->auto_shutdown, seats, supervisor->count,
                                        index_of(supervisor, child)))
        supervisor_end(supervisor, NEED_NONE, "%s%s has ended", auto_text,
                       child->path);
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
    if (ordered)
        settle_ordered(child);
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
    supervisor_kick(supervisor);
}

/* ---- ends of processes ----------------------------------------------------------------------------- */

static void note_pause(struct child *child, const siginfo_t *info)
{
    bool paused = info->si_code == CLD_STOPPED;

    if (child->paused == paused)
        return;
    child->paused = paused;
    child->slot->state = (uint8_t)child_row_state(child);
    events_child(child, paused ? EVENT_CHILD_PAUSED : EVENT_CHILD_RESUMED);
}

static struct child *child_of(struct supervisor *supervisor, pid_t pid)
{
    struct child *child;

    HASH_FIND(by_pid, supervisor->by_pid, &pid, sizeof pid, child);
    return child;
}

/* A process that is no child's leader: a readiness helper, or somebody adopted. */
static void reap_other(struct supervisor *supervisor, pid_t pid)
{
    int status;

    if (waitpid(pid, &status, WNOHANG | WUNTRACED | WCONTINUED) != pid ||
        !(WIFEXITED(status) || WIFSIGNALED(status)))
        return;
    for (size_t i = 0; i < supervisor->count; i++)
        if (probe_on_exit(&supervisor->children[i]->probe, pid, status))
            return;
}

/* Deals with one process that waitid has something to say of. */
static void take_notice(struct supervisor *supervisor, const siginfo_t *info)
{
    struct child *child = child_of(supervisor, info->si_pid);
    siginfo_t consumed;

    if (!child) {
        reap_other(supervisor, info->si_pid);
    } else if (info->si_code == CLD_STOPPED || info->si_code == CLD_CONTINUED ||
               info->si_code == CLD_TRAPPED) {
        waitid(P_PID, (id_t)info->si_pid, &consumed, WSTOPPED | WCONTINUED | WNOHANG);
        note_pause(child, info);
    } else {
        child_handle(child, CHILD_EV_ENDED);
    }
}

/* While a zombie is held, waitid would show it for ever: each child is then asked by itself. */
static void reap_each(struct supervisor *supervisor)
{
    const int what = WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT;
    struct strays strays;

    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];
        siginfo_t info = {0};
        pid_t helper = child->probe.helper;

        if (child->pid && !child->leader_ended && !child->reaped &&
            waitid(P_PID, (id_t)child->pid, &info, what) == 0 && info.si_pid)
            take_notice(supervisor, &info);
        if (helper > 0)
            reap_other(supervisor, helper);
    }
    if (strays_scan(supervisor_is_leader, supervisor, &strays) == 0) /* reaps the dead ones */
        strays_finish(&strays);
}

static void check_falling(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++)
        child_check_empty(supervisor->children[i]);
}

static void on_sigchld(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    struct supervisor *supervisor = container_of(watcher, struct supervisor, on_child);

    (void)loop;
    (void)revents;
    while (!supervisor->zombies_held) {
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT) < 0 ||
            !info.si_pid)
            break;
        take_notice(supervisor, &info);
    }
    if (supervisor->zombies_held)
        reap_each(supervisor);
    check_falling(supervisor);
}

/* ---- our own end ----------------------------------------------------------------------------------- */

static void on_sigterm(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    struct supervisor *supervisor = ev_userdata(loop);

    (void)watcher;
    (void)revents;
    supervisor_end(supervisor, NEED_NONE, "shutdown");
}

static void on_sighup(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents; /* a closed terminal is no reason to end */
}

static void take_order(struct supervisor *supervisor, struct ctl_line *line)
{
    switch (line->verb) {
    case CTL_STOP:
        supervisor_end(supervisor, NEED_NONE, "shutdown");
        break;
    case CTL_EXIT:
        supervisor_end(supervisor, NEED_NONE, "cascade %s", line->rest);
        break;
    case CTL_PING:
        say_to_parent(supervisor, "HEARTBEAT\n");
        break;
    default:
        break;
    }
}

static void on_control(struct ev_loop *loop, ev_io *io, int revents)
{
    struct supervisor *supervisor = container_of(io, struct supervisor, control);
    char datagram[4096];
    struct ctl_line line;
    size_t at = 0;
    ssize_t n = recv(supervisor->control_fd, datagram, sizeof datagram - 1, MSG_DONTWAIT);

    (void)revents;
    if (n < 0)
        return;
    if (n == 0) { /* our parent is gone; the kernel is about to kill us */
        ev_io_stop(loop, io);
        supervisor_end(supervisor, NEED_NONE, "noconnection");
        return;
    }
    datagram[n] = '\0';
    while (ctl_next(datagram, (size_t)n, &at, &line))
        take_order(supervisor, &line);
}

/* ---- life ------------------------------------------------------------------------------------------ */

static void start_signal(struct supervisor *supervisor, ev_signal *watcher,
                         void (*callback)(struct ev_loop *, ev_signal *, int), int number)
{
    ev_signal_init(watcher, callback, number);
    ev_signal_start(supervisor->loop, watcher);
}

static void start_watchers(struct supervisor *supervisor)
{
    ev_set_userdata(supervisor->loop, supervisor);
    start_signal(supervisor, &supervisor->on_child, on_sigchld, SIGCHLD);
    start_signal(supervisor, &supervisor->on_term, on_sigterm, SIGTERM);
    start_signal(supervisor, &supervisor->on_int, on_sigterm, SIGINT);
    start_signal(supervisor, &supervisor->on_hup, on_sighup, SIGHUP);
    ev_init(&supervisor->advance, on_advance);
    ev_set_priority(&supervisor->advance, -1);
    ev_init(&supervisor->control, on_control);
    if (supervisor->control_fd < 0)
        return;
    ev_io_set(&supervisor->control, supervisor->control_fd, EV_READ);
    ev_set_priority(&supervisor->control, EV_MAXPRI);
    ev_io_start(supervisor->loop, &supervisor->control);
}

void supervisor_after_fork(struct supervisor *supervisor)
{
    ev_signal_stop(supervisor->loop, &supervisor->on_child);
    ev_signal_stop(supervisor->loop, &supervisor->on_term);
    ev_signal_stop(supervisor->loop, &supervisor->on_int);
    ev_signal_stop(supervisor->loop, &supervisor->on_hup);
}

static int open_tables(struct supervisor *supervisor)
{
    unsigned max = supervisor->spec->max_children;

    supervisor->table = table_open(supervisor->node->run_dir, supervisor->path, max);
    supervisor->stats_used = calloc(max, sizeof *supervisor->stats_used);
    supervisor->stats_fd = stats_create(max);
    supervisor->cribs = child_cribs(max);
    if (!supervisor->table || !supervisor->stats_used || supervisor->stats_fd < 0 ||
        !supervisor->cribs)
        return -1;
    supervisor->stats = stats_map_all(supervisor->stats_fd, max);
    return supervisor->stats ? 0 : -1;
}

static bool is_child(const char *name, void *supervisor)
{
    return supervisor_find(supervisor, name) || !strcmp(name, RUNDIR_SUPERVISOR) ||
           !strcmp(name, RUNDIR_TABLE) || !strcmp(name, RUNDIR_LOCK);
}

/* Mailboxes of children that were added to an incarnation that is gone: nobody will answer there. */
static void remove_strangers(struct supervisor *supervisor)
{
    char path[PATH_MAX + ADDR_PATH_MAX + 2];

    snprintf(path, sizeof path, "%s/%s", supervisor->node->run_dir, supervisor->path);
    keep_in_directory(path, is_child, supervisor);
}

static int create_children(struct supervisor *supervisor)
{
    table_begin(supervisor->table);
    for (size_t i = 0; i < supervisor->spec->child_count; i++) {
        struct child *child = supervisor_add(supervisor, &supervisor->spec->children[i], NULL);

        if (!child)
            return -1;
        child->to_start = !child->slot->held;
    }
    if (!supervisor->is_root)
        remove_strangers(supervisor);
    return 0;
}

int supervisor_init(struct supervisor *supervisor, const struct node *node, const char *path,
                    uint64_t incarnation, const struct spec_supervisor *spec, int mailbox_fd,
                    int control_fd)
{
    *supervisor = (struct supervisor){.node = node,
                                      .incarnation = incarnation,
                                      .spec = spec,
                                      .is_root = !*path,
                                      .control_fd = control_fd,
                                      .stats_fd = -1};
    snprintf(supervisor->path, sizeof supervisor->path, "%s", path);
    snprintf(supervisor->self, sizeof supervisor->self, "%s@%s#%llu", *path ? path : ".",
             node->name, (unsigned long long)incarnation);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return -1;
    srandom((unsigned)(mono_now().us ^ getpid()));
    crash_prime();
    if (reserve_init() < 0)
        return -1;
    supervisor->loop = loop_create();
    if (!supervisor->loop)
        return -1;
    intensity_init(&supervisor->intensity, spec->intensity, spec->period_ms);
    start_watchers(supervisor);
    events_init(&supervisor->events, supervisor);
    links_init(&supervisor->links, supervisor);
    if (open_tables(supervisor) < 0 || requests_init(&supervisor->requests, supervisor, mailbox_fd) < 0)
        return -1;
    logpipes_init(&supervisor->logpipes, supervisor);
    if (!supervisor->is_root)
        cgroup_clear(&node->cgroup, supervisor->path);
    return create_children(supervisor);
}

int supervisor_run(struct supervisor *supervisor)
{
    if (!supervisor->is_root)
        fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK);
    thinfork_init();
    supervisor_kick(supervisor);
    ev_run(supervisor->loop, 0);
    links_finish(&supervisor->links);
    requests_finish(&supervisor->requests);
    logpipes_finish(&supervisor->logpipes);
    events_finish(&supervisor->events);
    return 0;
}
