#include "child_parts.h"

#include "fence.h"
#include "spawn.h"
#include "status.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_register_root_region(at, size) (void)0
#endif

enum { SCARCE_FIRST_MS = 100, SCARCE_MAX_MS = 5000, RESTARTS_KEPT = 1000 };

const char *child_name(const struct child *child)
{
    return addr_name(child->path);
}

bool child_has_process(const struct child *child)
{
    return child->state >= CHILD_STARTING;
}

bool child_is_of_service(const struct child *child)
{
    return child->supervisor->activations.is_service && !spec_supervises(child->spec);
}

const struct cgroup_base *child_cgroups(const struct child *child)
{
    return child_is_of_service(child) ? NULL : &child->supervisor->node->cgroup;
}

bool child_will_start(const struct child *child)
{
    if (child->doomed || child->supervisor->mode == SUPERVISOR_ENDING)
        return false;
    if (child->state == CHILD_DOWN)
        return child->due || child->to_start;
    return child->state == CHILD_BACKOFF || child->state == CHILD_WAITING;
}

int child_row_state(const struct child *child)
{
    static const enum row_state by_state[CHILD_STATES] = {
        [CHILD_BACKOFF] = ROW_BACKOFF,   [CHILD_WAITING] = ROW_WAITING,
        [CHILD_STARTING] = ROW_STARTING, [CHILD_READY] = ROW_READY,
        [CHILD_STOPPING] = ROW_STOPPING, [CHILD_BURYING] = ROW_STOPPING,
    };
    static const enum row_state by_rest[] = {
        [REST_NEW] = ROW_WAITING,
        [REST_STOPPED] = ROW_STOPPED,
        [REST_EXITED] = ROW_EXITED,
        [REST_FAILED] = ROW_FAILED,
    };

    if (child->state == CHILD_DOWN)
        return (int)by_rest[child->rest];
    if (child->state == CHILD_READY && child->paused)
        return ROW_PAUSED;
    return (int)by_state[child->state];
}

const char *child_state_text(const struct child *child)
{
    return row_state_text((enum row_state)child_row_state(child));
}

void child_set_state(struct child *child, enum child_state state)
{
    child->state = state;
    child->slot->state = (uint8_t)child_row_state(child);
    child->slot->pid = (uint32_t)child->pid;
    child->slot->since_us = wall_now_us();
}

void child_stop_timer(struct child *child)
{
    ev_timer_stop(child->supervisor->loop, &child->timer);
}

void child_start_timer(struct child *child, ev_timer *timer, int64_t ms)
{
    struct ev_loop *loop = child->supervisor->loop;

    ev_timer_stop(loop, timer);
    ev_now_update(loop);
    ev_timer_set(timer, (double)ms / 1000., 0.);
    ev_timer_start(loop, timer);
}

/* ---- starting ---------------------------------------------------------------------------------- */

static void forget_last_life(struct child *child)
{
    child->order = ORDER_NONE;
    child->fault_reason[0] = child->said_reason[0] = '\0';
    child->ignored = child->killed = child->out_of_grace = false;
    child->reaped = child->was_ready = child->paused = false;
    child->need = NEED_NONE;
    child->need_delay_ms = 0;
    child->wait_status = 0;
}

static void fail_start(struct child *child, const char *reason)
{
    end_record(child, reason);
    child_set_state(child, CHILD_DOWN);
    supervisor_on_end(child, reason);
}

/* The machine has no process, memory or descriptor to spare: that is nobody's failure, until the
 * start has taken too long. */
static void wait_for_resources(struct child *child, const struct error *err)
{
    char reason[REASON_MAX];

    if (!child->scarce_ms)
        child->scarce_since = mono_now();
    if (mono_diff_ms(mono_now(), child->scarce_since) >= child->spec->start_timeout_ms) {
        child->scarce_ms = 0;
        snprintf(reason, sizeof reason, "timeout:start no resources: %.220s", err->text);
        fail_start(child, reason);
        return;
    }
    child->scarce_ms = child->scarce_ms ? child->scarce_ms * 2 : SCARCE_FIRST_MS;
    if (child->scarce_ms > SCARCE_MAX_MS)
        child->scarce_ms = SCARCE_MAX_MS;
    child_set_state(child, CHILD_BACKOFF);
    events_child_text(child, EVENT_CHILD_BACKOFF, "no_resources", err->text);
    child_start_timer(child, &child->timer, child->scarce_ms);
}

static void spawn(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    uint64_t last = child->slot->incarnation;
    struct error err = {0};
    char reason[REASON_MAX];

    forget_last_life(child);
    fence_mark_clear(child->fence);
    child->started = mono_now();
    child->slot->incarnation = activations_number(child);
    if (!child->slot->incarnation)
        error_set_errno(&err, errno, "epochs of %s", child->supervisor->node->state_dir);
    else if (mailbox_bind(child) < 0)
        error_set_errno(&err, errno, "mailbox of %s", child->path);
    if (err.code || spawn_child(child, &err) < 0) {
        if (spawn_is_scarcity(err.code)) {
            child->slot->incarnation = last;
            wait_for_resources(child, &err);
            return;
        }
        snprintf(reason, sizeof reason, "error %.240s", err.text);
        fail_start(child, reason);
        return;
    }
    child->scarce_ms = 0;
    child->slot->started_us = wall_now_us();
    HASH_ADD(by_pid, supervisor->by_pid, pid, sizeof child->pid, child);
    talk_begin(child);
    child_set_state(child, CHILD_STARTING);
    probe_watch(&child->probe);
    if (!spec_supervises(child->spec))
        child_start_timer(child, &child->timer, child->spec->start_timeout_ms);
    events_child(child, EVENT_CHILD_START);
}

static void start_when_linked(struct child *child)
{
    if (links_are_up(&child->supervisor->links, child)) {
        spawn(child);
        return;
    }
    child_set_state(child, CHILD_WAITING);
    events_child_text(child, EVENT_CHILD_WAITING, "for", child->spec->link[0]);
}

static void begin(struct child *child)
{
    int64_t left_ms = mono_is_set(child->not_before) ? mono_diff_ms(child->not_before, mono_now()) : 0;

    if (left_ms <= 0) {
        start_when_linked(child);
        return;
    }
    child_set_state(child, CHILD_BACKOFF);
    events_child_ms(child, EVENT_CHILD_BACKOFF, "restart_in", left_ms);
    child_start_timer(child, &child->timer, left_ms);
}

/* ---- the machine: what each event means in each state ------------------------------------------ */

static void ignore(struct child *child)
{
    (void)child;
}

static void on_due(struct child *child)
{
    child->not_before = (struct mono){0};
    start_when_linked(child);
}

static void start_at_once(struct child *child)
{
    child_stop_timer(child);
    on_due(child);
}

static void cancel_start(struct child *child)
{
    child_stop_timer(child);
    child->scarce_ms = 0;
    child_set_state(child, CHILD_DOWN);
    supervisor_on_down(child);
}

static void become_ready(struct child *child)
{
    child_stop_timer(child);
    probe_settle(&child->probe);
    child->was_ready = true;
    child->asked_by_person = false;
    child->start_took_ms = mono_diff_ms(mono_now(), child->started);
    child_set_state(child, CHILD_READY);
    talk_feed_watchdog(child);
    events_child_ms(child, EVENT_CHILD_READY, "took", child->start_took_ms);
    memberships_join_all(&child->party, child->spec->groups);
    supervisor_on_ready(child);
}

static void start_timed_out(struct child *child)
{
    child_fault(child, "timeout:start");
}

static void end_noticed(struct child *child)
{
    stop_hold_zombie(child, true);
    child->left_members = false;
    talk_take(child, 1000);
    if (child->state == CHILD_READY || child->state == CHILD_STARTING) {
        probe_settle(&child->probe);
        child_set_state(child, CHILD_BURYING);
        child_stop_timer(child);
        if (child->spec->shutdown_ms >= 0)
            child_start_timer(child, &child->timer, child->spec->shutdown_ms);
    }
    falling_begin(child->supervisor);
}

/* A child that has ended before it was ready. The exec may have failed, and says how; or a program
 * that is ready at once was so between two turns of our loop. */
static void end_noticed_in_start(struct child *child)
{
    char text[REASON_MAX - 8];

    switch (probe_exec_outcome(&child->probe)) {
    case EXEC_FAILED:
        spawn_failure_text(child, &child->probe.failure, text, sizeof text);
        snprintf(child->fault_reason, sizeof child->fault_reason, "error %.240s", text);
        child->order = ORDER_FAULT;
        break;
    case EXEC_DONE:
        if (child->spec->kind == SPEC_PROGRAM && child->spec->ready == READY_DEFAULT)
            become_ready(child);
        break;
    case EXEC_UNKNOWN:
        break;
    }
    end_noticed(child);
}

static void grace_is_over(struct child *child)
{
    if (!child_is_falling(child)) {
        stop_kill(child);
        return;
    }
    child->out_of_grace = true;
    falling_check_soon(child->supervisor);
}

/* A stop meets a child that is ending by itself: the order stands, the end is the same. */
static void stop_while_burying(struct child *child)
{
    (void)child;
}

static void stop_down(struct child *child)
{
    supervisor_on_down(child);
}

typedef void (*action)(struct child *child);

static const action machine[CHILD_STATES][CHILD_EVENTS] = {
    [CHILD_DOWN] = {
        [CHILD_EV_START] = begin,
        [CHILD_EV_STOP] = stop_down,
    },
    [CHILD_BACKOFF] = {
        [CHILD_EV_START] = start_at_once,
        [CHILD_EV_STOP] = cancel_start,
        [CHILD_EV_TIMEOUT] = on_due,
    },
    [CHILD_WAITING] = {
        [CHILD_EV_START] = ignore,
        [CHILD_EV_STOP] = cancel_start,
        [CHILD_EV_LINKED] = spawn,
    },
    [CHILD_STARTING] = {
        [CHILD_EV_START] = ignore,
        [CHILD_EV_STOP] = stop_begin,
        [CHILD_EV_READY] = become_ready,
        [CHILD_EV_ENDED] = end_noticed_in_start,
        [CHILD_EV_TIMEOUT] = start_timed_out,
    },
    [CHILD_READY] = {
        [CHILD_EV_START] = ignore,
        [CHILD_EV_STOP] = stop_begin,
        [CHILD_EV_READY] = ignore,
        [CHILD_EV_ENDED] = end_noticed,
    },
    [CHILD_STOPPING] = {
        [CHILD_EV_READY] = ignore,
        [CHILD_EV_STOP] = ignore,
        [CHILD_EV_ENDED] = end_noticed,
        [CHILD_EV_EMPTY] = end_bury,
        [CHILD_EV_TIMEOUT] = grace_is_over,
    },
    [CHILD_BURYING] = {
        [CHILD_EV_STOP] = stop_while_burying,
        [CHILD_EV_EMPTY] = end_bury,
        [CHILD_EV_TIMEOUT] = grace_is_over,
    },
};

void child_handle(struct child *child, enum child_event event)
{
    action act = machine[child->state][event];

    if (act)
        act(child);
}

void child_start(struct child *child)
{
    child_handle(child, CHILD_EV_START);
}

void child_stop(struct child *child, enum child_order order)
{
    /* An order outranks a fault; a person's wish outranks the strategy's. */
    if (order > child->order)
        child->order = order;
    child_handle(child, CHILD_EV_STOP);
}

void child_fault(struct child *child, const char *reason)
{
    if (child->state != CHILD_STARTING && child->state != CHILD_READY)
        return;
    snprintf(child->fault_reason, sizeof child->fault_reason, "%s", reason);
    child_stop(child, ORDER_FAULT);
}

/* ---- life ---------------------------------------------------------------------------------------- */

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    child_handle(container_of(timer, struct child, timer), CHILD_EV_TIMEOUT);
}

static void init_watchers(struct child *child)
{
    ev_init(&child->control, talk_on_control);
    ev_set_priority(&child->control, -1); /* ends that fellows tell come before questions for them */
    ev_timer_init(&child->timer, on_timer, 0., 0.);
    ev_timer_init(&child->watchdog, talk_on_watchdog, 0., 0.);
    probe_init(&child->probe, child);
}

struct child *child_cribs(size_t n)
{
    void *at = mmap(NULL, n * sizeof(struct child), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    madvise(at, n * sizeof(struct child), MADV_DONTFORK); /* at worst the forks are slower */
    __lsan_register_root_region(at, n * sizeof(struct child)); /* what children point to is no leak */
    return at;
}

/* An empty crib has no supervisor. */
static struct child *take_crib(struct supervisor *supervisor)
{
    size_t n = supervisor->spec->max_children;

    for (size_t i = 0; i < n; i++) {
        struct child *crib = &supervisor->cribs[(supervisor->crib_hint + i) % n];

        if (crib->supervisor)
            continue;
        supervisor->crib_hint = (supervisor->crib_hint + i + 1) % n;
        return crib;
    }
    errno = ENOSPC;
    return NULL;
}

/* A process of that name may have been attached: its number is not used again. */
static void skip_attached(struct child *child)
{
    const struct table_gone *gone = table_gone(child->supervisor->table, child->slot->name);

    if (gone && child->slot->incarnation < gone->end.incarnation)
        child->slot->incarnation = gone->end.incarnation;
}

static bool has_fence(const struct child *child)
{
    return child->supervisor->node->is_clustered && spec_supervises(child->spec) &&
           child->spec->supervisor->service;
}

struct child *child_create(struct supervisor *supervisor, const struct spec *spec,
                           struct spec *own_spec)
{
    struct child *child = take_crib(supervisor);
    int saved;

    if (!child)
        return NULL;
    child->supervisor = supervisor;
    child->given = *spec;
    child->spec = supervisor->spec->service && supervisor->spec->template ? &child->given : spec;
    child->control_fd = child->mailbox_fd = child->log_fd[0] = child->log_fd[1] = -1;
    child->page = (struct page_place){.index = -1, .own_fd = -1};
    init_watchers(child);
    intensity_init(&child->restarts, RESTARTS_KEPT, supervisor->spec->period_ms);
    if (addr_join(supervisor->path, spec->name, child->path, sizeof child->path) < 0)
        goto fail;
    child->given.name = (char *)child_name(child);
    child->slot = table_slot(supervisor->table, spec->name);
    if (!child->slot || (!child->slot->held && mailbox_bind(child) < 0) || pages_claim(child) < 0 ||
        logpipes_create(child) < 0)
        goto fail;
    if (has_fence(child) && !(child->fence = fence_mark_create()))
        goto fail;
    party_init(&child->party, &supervisor->backplane, &talk_party_kind, child->path);
    skip_attached(child);
    end_record_lost(child);
    child->slot->present = true;
    child->slot->kind = (uint8_t)spec_row_kind(spec->kind);
    child->rest = child->slot->held ? REST_STOPPED : REST_NEW;
    child->own_spec = own_spec;
    child_set_state(child, CHILD_DOWN);
    return child;
fail:
    saved = errno;
    child_destroy(child, true);
    errno = saved;
    return NULL;
}

void child_destroy(struct child *child, bool gone)
{
    if (!child)
        return;
    party_finish(&child->party);
    logpipes_destroy(child, gone);
    pages_release(child);
    cgroup_remove(child_cgroups(child), child->path);
    if (gone && *child->path)
        mailbox_remove(child);
    if (child->mailbox_fd >= 0)
        close(child->mailbox_fd);
    if (gone && child->slot) {
        const struct table_end *last = table_end(child->slot, 0);

        if (last)
            table_record_gone(child->supervisor->table, child->slot->name, last);
        child->slot->present = child->slot->held = false;
        if (child->supervisor->spec->template)
            table_release(child->supervisor->table, child->slot);
    }
    fence_mark_destroy(child->fence);
    intensity_finish(&child->restarts);
    intensity_finish(&child->allowance);
    if (child->own_spec) {
        spec_finish(child->own_spec);
        free(child->own_spec);
    }
    *child = (struct child){0};
}
