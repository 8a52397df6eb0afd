#include "child.h"

#include "ctl.h"
#include "files.h"
#include "rundir.h"
#include "spawn.h"
#include "status.h"
#include "supervisor.h"
#include "text.h"
#include "why.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POLL_MS = 100, SCARCE_FIRST_MS = 100, SCARCE_MAX_MS = 5000, RESTARTS_KEPT = 1000 };

const char *child_name(const struct child *child)
{
    return addr_name(child->path);
}

bool child_has_process(const struct child *child)
{
    return child->state >= CHILD_STARTING;
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

static void set_state(struct child *child, enum child_state state)
{
    child->state = state;
    child->slot->state = (uint8_t)child_row_state(child);
    child->slot->pid = (uint32_t)child->pid;
    child->slot->since_us = wall_now_us();
}

static void stop_timer(struct child *child)
{
    ev_timer_stop(child->supervisor->loop, &child->timer);
}

static void start_timer(struct child *child, ev_timer *timer, int64_t ms)
{
    struct ev_loop *loop = child->supervisor->loop;

    ev_timer_stop(loop, timer);
    ev_now_update(loop);
    ev_timer_set(timer, (double)ms / 1000., 0.);
    ev_timer_start(loop, timer);
}

/* ---- the control socket ---------------------------------------------------------------------- */

static void watch_control(struct child *child, int events)
{
    ev_io_stop(child->supervisor->loop, &child->control);
    ev_io_set(&child->control, child->control_fd, events);
    ev_io_start(child->supervisor->loop, &child->control);
}

static void send_queued(struct child *child)
{
    while (buf_length(&child->outgoing) > 0) {
        const char *text = (const char *)buf_front(&child->outgoing);
        size_t length = strlen(text);

        if (send(child->control_fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
            return;
        buf_consume(&child->outgoing, length + 1);
    }
    watch_control(child, EV_READ);
}

bool child_say(struct child *child, const char *text)
{
    if (child->control_fd < 0)
        return false;
    if (!buf_length(&child->outgoing) &&
        send(child->control_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
        return true;
    if (errno != EAGAIN && !buf_length(&child->outgoing))
        return false;
    if (buf_append(&child->outgoing, text, strlen(text) + 1) < 0)
        return false;
    watch_control(child, EV_READ | EV_WRITE);
    return true;
}

static void feed_watchdog(struct child *child)
{
    bool is_module = child->spec->kind == SPEC_MODULE;

    child->pinged = false;
    if (child->spec->watchdog_ms > 0 && child->state == CHILD_READY)
        start_timer(child, &child->watchdog, child->spec->watchdog_ms / (is_module ? 2 : 1));
}

static void note_status(struct child *child, const char *text)
{
    text_escape(text, strlen(text), child->slot->status, sizeof child->slot->status);
    events_child_text(child, EVENT_CHILD_STATUS, "text", child->slot->status);
}

/* EXIT REASON | NEED: what the child says of the end that it is about to make. */
static void note_exit(struct child *child, char *rest)
{
    char *reason, *need;

    ctl_exit_parts(rest, &reason, &need);
    reason_copy(reason, "normal", child->said_reason);
    if (*need && need_parse(need, &child->need, &child->need_delay_ms) < 0)
        events_child_text(child, EVENT_CHILD_STATUS, "unknown_need", need);
}

static void take_line(struct child *child, const struct ctl_line *line)
{
    switch (line->verb) {
    case CTL_READY:
        if (*line->rest)
            note_status(child, line->rest);
        child_handle(child, CHILD_EV_READY);
        break;
    case CTL_IGNORE:
        /* Only in place of READY; a program that is ready at once has had no chance before. */
        child->ignored = !child->was_ready || child->spec->ready == READY_DEFAULT;
        break;
    case CTL_STATUS:
        note_status(child, line->rest);
        break;
    case CTL_HEARTBEAT:
        feed_watchdog(child);
        break;
    case CTL_EXIT:
        note_exit(child, line->rest);
        break;
    case CTL_LAST_STATE:
        if (table_set_last_state(child->supervisor->table, child->slot, line->bytes,
                                 line->bytes_size) < 0)
            events_child_text(child, EVENT_CHILD_STATUS, "last_state", strerror(errno));
        break;
    case CTL_CRASH:
        why_record_crash(child, line->rest);
        break;
    default:
        events_child_text(child, EVENT_CHILD_STATUS, "not_understood", ctl_verb_text(line->verb));
        break;
    }
}

/* Reads what the child has said, at most `bound` datagrams; false when its end is closed. */
static bool take_control(struct child *child, int bound)
{
    static char datagram[CTL_DATAGRAM_MAX + 1];

    for (int i = 0; i < bound && child->control_fd >= 0; i++) {
        ssize_t n = recv(child->control_fd, datagram, CTL_DATAGRAM_MAX, MSG_DONTWAIT);
        struct ctl_line line;
        size_t at = 0;

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        if (n < 0)
            return true;
        datagram[n] = '\0';
        while (ctl_next(datagram, (size_t)n, &at, &line))
            take_line(child, &line);
    }
    return true;
}

static void on_control(struct ev_loop *loop, ev_io *io, int revents)
{
    struct child *child = container_of(io, struct child, control);

    if (revents & EV_WRITE)
        send_queued(child);
    if (child->control_fd >= 0 && !take_control(child, 16))
        ev_io_stop(loop, &child->control); /* its end will come as SIGCHLD, or it means to go on without */
}

static void close_control(struct child *child)
{
    ev_io_stop(child->supervisor->loop, &child->control);
    if (child->control_fd >= 0)
        close(child->control_fd);
    child->control_fd = -1;
    buf_consume(&child->outgoing, buf_length(&child->outgoing));
}

void child_on_notify(struct child *child, const char *line)
{
    if (!strncmp(line, "STATUS=", 7))
        note_status(child, line + 7);
    else if (!strcmp(line, "WATCHDOG=1"))
        feed_watchdog(child);
    else if (!strcmp(line, "WATCHDOG=trigger"))
        child_fault(child, "timeout:watchdog");
    else if (!strcmp(line, "STOPPING=1"))
        note_status(child, "stopping");
    else if (!strcmp(line, "RELOADING=1"))
        note_status(child, "reloading");
}

/* ---- stopping and burying -------------------------------------------------------------------- */

static void scan(struct child *child, struct strays *strays)
{
    if (members_scan(&child->members, supervisor_is_leader, child->supervisor, strays) < 0)
        *strays = (struct strays){0};
}

static void kill_members(struct child *child)
{
    struct strays strays;

    scan(child, &strays);
    child->killed |= !child->leader_ended;
    members_signal(&child->members, &strays, SIGKILL, !child->reaped, false);
    strays_finish(&strays);
}

/* Links end an actor with the cause, so that it may tell it on; everything else is just a stop. */
static bool say_stop(struct child *child)
{
    static const char cascade[] = "cascade ";
    char text[REASON_MAX + 8];

    if (child->order != ORDER_FAULT || strncmp(child->fault_reason, cascade, strlen(cascade)))
        return child_say(child, "STOP\n");
    snprintf(text, sizeof text, "EXIT %s\n", child->fault_reason + strlen(cascade));
    return child_say(child, text);
}

/* Modules and supervisors are asked by their control socket, so that they can end in order; programs
 * by the stop signal, which goes to the whole group. */
static void ask_to_stop(struct child *child)
{
    const struct spec *spec = child->spec;
    struct strays strays;

    if (spec->shutdown_ms == SHUTDOWN_BRUTAL_KILL) {
        kill_members(child);
        return;
    }
    if (spec->kind != SPEC_PROGRAM && !child->leader_ended) {
        if (!say_stop(child))
            kill(child->pid, SIGTERM); /* it has closed its end, or the kernel has no room */
        kill(child->pid, SIGCONT);
    } else {
        scan(child, &strays);
        members_signal(&child->members, &strays, spec->stop_signal, true, true);
        strays_finish(&strays);
    }
    if (spec->shutdown_ms != SHUTDOWN_INFINITY)
        start_timer(child, &child->timer, spec->shutdown_ms);
}

static const char *order_text(enum child_order order)
{
    static const char *const texts[] = {
        [ORDER_NONE] = "itself",   [ORDER_FAULT] = "fault",     [ORDER_BATCH] = "supervisor",
        [ORDER_PERSON] = "person", [ORDER_RESTART] = "person",  [ORDER_REMOVE] = "person",
    };

    return texts[order];
}

static void begin_stopping(struct child *child)
{
    probe_settle(&child->probe);
    stop_timer(child);
    ev_timer_stop(child->supervisor->loop, &child->watchdog);
    set_state(child, CHILD_STOPPING);
    events_child_text(child, EVENT_CHILD_STOP, "by", order_text(child->order));
    ask_to_stop(child);
}

static void hold_zombie(struct child *child, bool held)
{
    if (child->leader_ended != held)
        child->supervisor->zombies_held += held ? 1 : (size_t)-1;
    child->leader_ended = held;
}

/* Whatever was adopted and is nobody's is killed: one of a dead supervisor's, or a child's that has
 * shed its mark. False: there was none that could be. */
static bool kill_orphans(struct child *child, const struct strays *strays)
{
    bool killed = false;

    for (size_t i = 0; i < strays->count; i++)
        if (!supervisor_owner(child->supervisor, &strays->at[i])) {
            events_stray(child, strays->at[i].pid);
            killed |= stray_kill(&strays->at[i]);
        }
    return killed;
}

/* The leader is gone: what else is left of the child is told to go. A dead supervisor's subtree is
 * not asked. */
static void stop_the_rest(struct child *child, const struct strays *strays)
{
    if (!members_are_left(&child->members, strays))
        return;
    child->left_members |= child->order == ORDER_NONE;
    if (child->spec->kind == SPEC_SUPERVISOR || child->killed ||
        child->spec->shutdown_ms == SHUTDOWN_BRUTAL_KILL)
        members_signal(&child->members, strays, SIGKILL, !child->reaped, false);
    else
        members_signal(&child->members, strays, child->spec->stop_signal, !child->reaped, true);
}

/* Reaps the leader at last. False when its group is, against expectation, not empty. */
static bool reap_leader(struct child *child)
{
    if (!child->reaped) {
        while (waitpid(child->pid, &child->wait_status, 0) < 0 && errno == EINTR)
            ;
        child->reaped = true;
        hold_zombie(child, false);
    }
    return kill(-child->pid, 0) < 0 && errno == ESRCH;
}

/* Soon at first: whoever was killed is gone in a moment, but not each such end is told to us. */
static void poll_later(struct child *child)
{
    child->poll_ms = child->poll_ms ? child->poll_ms * 2 : 1;
    if (child->poll_ms > POLL_MS)
        child->poll_ms = POLL_MS;
    start_timer(child, &child->poll, child->poll_ms);
}

void child_check_empty(struct child *child)
{
    struct strays strays;
    bool empty, killed;

    if (!child->leader_ended && !child->reaped)
        return;
    scan(child, &strays);
    killed = kill_orphans(child, &strays);
    stop_the_rest(child, &strays);
    empty = !killed && !members_are_left(&child->members, &strays) &&
            (child->spec->kind != SPEC_SUPERVISOR || !supervisor_has_orphans(child->supervisor, &strays));
    strays_finish(&strays);
    if (empty && reap_leader(child))
        child_handle(child, CHILD_EV_EMPTY);
    else if (!ev_is_active(&child->poll))
        poll_later(child);
}

static void on_poll(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    child_check_empty(container_of(timer, struct child, poll));
}

/* ---- the end ----------------------------------------------------------------------------------- */

static bool was_asked(const struct child *child)
{
    return child->order != ORDER_NONE && child->order != ORDER_FAULT;
}

static void apply_exit_code(struct child *child)
{
    const struct spec *spec = child->spec;

    if (child->need != NEED_NONE || !WIFEXITED(child->wait_status))
        return;
    for (size_t i = 0; i < spec->exit_code_count; i++)
        if (spec->exit_codes[i].code == WEXITSTATUS(child->wait_status)) {
            child->need = (enum need)spec->exit_codes[i].need;
            child->need_delay_ms = (long)spec->exit_codes[i].delay_ms;
        }
}

/* The reason of the end (SEMANTICS 4): our own cause first, then what the kernel says of a violent
 * end, then what the child said itself, then its status. */
static void reason_of_end(struct child *child, char reason[REASON_MAX])
{
    if (child->order == ORDER_FAULT && *child->fault_reason) {
        reason_copy(child->fault_reason, "shutdown", reason);
        return;
    }
    reason_of_status(child->wait_status, was_asked(child), child->spec->stop_signal, child->killed,
                     reason);
    if (*child->said_reason && WIFEXITED(child->wait_status))
        reason_copy(child->said_reason, "normal", reason);
}

static void record_end(struct child *child, const char *reason)
{
    struct table_end end = {.incarnation = child->slot->incarnation,
                            .wall_us = wall_now_us(),
                            .ran_ms = mono_diff_ms(mono_now(), child->started)};

    reason_copy(reason, "", end.reason);
    table_record_end(child->slot, &end);
}

static void finish_incarnation(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;

    take_control(child, 1000); /* its last words may have been overtaken by its end */
    close_control(child);
    probe_finish(&child->probe);
    stop_timer(child);
    ev_timer_stop(supervisor->loop, &child->poll);
    ev_timer_stop(supervisor->loop, &child->watchdog);
    HASH_DELETE(by_pid, supervisor->by_pid, child);
    members_finish(&child->members, WIFSIGNALED(child->wait_status) &&
                                        WTERMSIG(child->wait_status) == SIGKILL);
    child->pid = 0;
    child->paused = child->reaped = false;
    child->slot->started_us = 0;
    child->slot->status[0] = '\0';
    stats_reset(child);
}

static void bury(struct child *child)
{
    char reason[REASON_MAX];

    finish_incarnation(child);
    child->left_members &= WIFEXITED(child->wait_status) && WEXITSTATUS(child->wait_status) == 0;
    apply_exit_code(child);
    reason_of_end(child, reason);
    record_end(child, reason);
    set_state(child, CHILD_DOWN);
    supervisor_on_end(child, reason);
}

/* ---- the mailbox ------------------------------------------------------------------------------ */

/* Modules and programs with a mailbox are reached by PATH, supervisors by PATH/.supervisor. The
 * socket is bound here and kept across restarts: who connects meanwhile waits in its queue. */
static int bind_mailbox(struct child *child)
{
    const struct spec *spec = child->spec;
    const char *run_dir = child->supervisor->node->run_dir;
    char path[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 2];

    if (child->mailbox_fd >= 0)
        return 0;
    if (spec->kind == SPEC_SUPERVISOR) {
        if (make_directory(run_dir, child->path) < 0)
            return -1;
        snprintf(path, sizeof path, "%s/%s", child->path, RUNDIR_SUPERVISOR);
        child->mailbox_fd = rundir_listen(run_dir, path);
    } else if (spec->has_mailbox) {
        child->mailbox_fd = rundir_listen(run_dir, child->path);
    } else {
        return 0;
    }
    return child->mailbox_fd < 0 ? -1 : 0;
}

/* Who stays down cannot be reached: what waits in the queue, and who dials, hears of it at once. With
 * a supervisor all that was below it stays down. */
void child_unbind(struct child *child)
{
    char path[PATH_MAX + ADDR_PATH_MAX + 2];

    if (child->mailbox_fd < 0)
        return;
    snprintf(path, sizeof path, "%s/%s", child->supervisor->node->run_dir, child->path);
    if (child->spec->kind == SPEC_SUPERVISOR)
        remove_sockets(path);
    else
        unlink(path);
    close(child->mailbox_fd);
    child->mailbox_fd = -1;
}

/* ---- starting ---------------------------------------------------------------------------------- */

static void forget_last_life(struct child *child)
{
    child->order = ORDER_NONE;
    child->fault_reason[0] = child->said_reason[0] = '\0';
    child->ignored = child->killed = child->reaped = child->was_ready = child->paused = false;
    child->need = NEED_NONE;
    child->need_delay_ms = 0;
    child->wait_status = 0;
}

static void fail_start(struct child *child, const char *reason)
{
    record_end(child, reason);
    set_state(child, CHILD_DOWN);
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
    set_state(child, CHILD_BACKOFF);
    events_child_text(child, EVENT_CHILD_BACKOFF, "no_resources", err->text);
    start_timer(child, &child->timer, child->scarce_ms);
}

static void spawn(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;
    struct error err = {0};
    char reason[REASON_MAX];

    forget_last_life(child);
    child->started = mono_now();
    child->slot->incarnation++;
    if (bind_mailbox(child) < 0)
        error_set_errno(&err, errno, "mailbox of %s", child->path);
    if (err.code || spawn_child(child, &err) < 0) {
        if (spawn_is_scarcity(err.code)) {
            child->slot->incarnation--;
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
    watch_control(child, EV_READ);
    set_state(child, CHILD_STARTING);
    probe_watch(&child->probe);
    if (child->spec->kind != SPEC_SUPERVISOR)
        start_timer(child, &child->timer, child->spec->start_timeout_ms);
    events_child(child, EVENT_CHILD_START);
}

static void start_when_linked(struct child *child)
{
    if (links_are_up(&child->supervisor->links, child)) {
        spawn(child);
        return;
    }
    set_state(child, CHILD_WAITING);
    events_child_text(child, EVENT_CHILD_WAITING, "for", child->spec->link[0]);
}

static void begin(struct child *child)
{
    int64_t left_ms = mono_is_set(child->not_before) ? mono_diff_ms(child->not_before, mono_now()) : 0;

    if (left_ms <= 0) {
        start_when_linked(child);
        return;
    }
    set_state(child, CHILD_BACKOFF);
    events_child_ms(child, EVENT_CHILD_BACKOFF, "restart_in", left_ms);
    start_timer(child, &child->timer, left_ms);
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
    stop_timer(child);
    on_due(child);
}

static void cancel_start(struct child *child)
{
    stop_timer(child);
    child->scarce_ms = 0;
    set_state(child, CHILD_DOWN);
    supervisor_on_down(child);
}

static void become_ready(struct child *child)
{
    stop_timer(child);
    probe_settle(&child->probe);
    child->was_ready = true;
    child->asked_by_person = false;
    child->start_took_ms = mono_diff_ms(mono_now(), child->started);
    set_state(child, CHILD_READY);
    feed_watchdog(child);
    events_child_ms(child, EVENT_CHILD_READY, "took", child->start_took_ms);
    supervisor_on_ready(child);
}

static void start_timed_out(struct child *child)
{
    child_fault(child, "timeout:start");
}

static void end_noticed(struct child *child)
{
    hold_zombie(child, true);
    child->poll_ms = 0;
    child->left_members = false;
    take_control(child, 1000);
    if (child->state == CHILD_READY || child->state == CHILD_STARTING) {
        probe_settle(&child->probe);
        set_state(child, CHILD_BURYING);
        stop_timer(child);
        if (child->spec->shutdown_ms >= 0)
            start_timer(child, &child->timer, child->spec->shutdown_ms);
    }
    child_check_empty(child);
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
    kill_members(child);
    child_check_empty(child);
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
        [CHILD_EV_STOP] = begin_stopping,
        [CHILD_EV_READY] = become_ready,
        [CHILD_EV_ENDED] = end_noticed_in_start,
        [CHILD_EV_TIMEOUT] = start_timed_out,
    },
    [CHILD_READY] = {
        [CHILD_EV_START] = ignore,
        [CHILD_EV_STOP] = begin_stopping,
        [CHILD_EV_READY] = ignore,
        [CHILD_EV_ENDED] = end_noticed,
    },
    [CHILD_STOPPING] = {
        [CHILD_EV_READY] = ignore,
        [CHILD_EV_STOP] = ignore,
        [CHILD_EV_ENDED] = end_noticed,
        [CHILD_EV_EMPTY] = bury,
        [CHILD_EV_TIMEOUT] = grace_is_over,
    },
    [CHILD_BURYING] = {
        [CHILD_EV_STOP] = stop_while_burying,
        [CHILD_EV_EMPTY] = bury,
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

/* A program sends its heartbeats unasked; a module is asked at half time, and its loop answers. */
static void on_watchdog(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct child *child = container_of(timer, struct child, watchdog);

    (void)loop;
    (void)revents;
    if (child->spec->kind != SPEC_MODULE || child->pinged) {
        child_fault(child, "timeout:watchdog");
        return;
    }
    child->pinged = true;
    child_say(child, "PING\n");
    start_timer(child, &child->watchdog, child->spec->watchdog_ms / 2);
}

static void init_watchers(struct child *child)
{
    ev_init(&child->control, on_control);
    ev_timer_init(&child->timer, on_timer, 0., 0.);
    ev_timer_init(&child->poll, on_poll, 0., 0.);
    ev_timer_init(&child->watchdog, on_watchdog, 0., 0.);
    probe_init(&child->probe, child);
}

struct child *child_cribs(size_t n)
{
    void *at = mmap(NULL, n * sizeof(struct child), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (at == MAP_FAILED)
        return NULL;
    madvise(at, n * sizeof(struct child), MADV_DONTFORK); /* at worst the forks are slower */
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

struct child *child_create(struct supervisor *supervisor, const struct spec *spec,
                           struct spec *own_spec)
{
    struct child *child = take_crib(supervisor);
    int saved;

    if (!child)
        return NULL;
    child->supervisor = supervisor;
    child->spec = spec;
    child->control_fd = child->mailbox_fd = child->log_fd[0] = child->log_fd[1] = -1;
    child->stats_index = UINT32_MAX;
    init_watchers(child);
    intensity_init(&child->restarts, RESTARTS_KEPT, supervisor->spec->period_ms);
    if (addr_join(supervisor->path, spec->name, child->path, sizeof child->path) < 0)
        goto fail;
    child->slot = table_slot(supervisor->table, spec->name);
    if (!child->slot || (!child->slot->held && bind_mailbox(child) < 0) || stats_claim(child) < 0 ||
        logpipes_create(child) < 0)
        goto fail;
    child->slot->present = true;
    child->slot->kind = (uint8_t)spec_row_kind(spec->kind);
    child->rest = child->slot->held ? REST_STOPPED : REST_NEW;
    child->own_spec = own_spec;
    set_state(child, CHILD_DOWN);
    return child;
fail:
    saved = errno;
    child_destroy(child, true);
    errno = saved;
    return NULL;
}

static void remove_mailbox(const struct child *child)
{
    char path[PATH_MAX + ADDR_PATH_MAX + 2];

    snprintf(path, sizeof path, "%s/%s", child->supervisor->node->run_dir, child->path);
    if (child->spec->kind == SPEC_SUPERVISOR)
        remove_directory(path);
    else if (child->mailbox_fd >= 0)
        unlink(path);
}

void child_destroy(struct child *child, bool gone)
{
    if (!child)
        return;
    logpipes_destroy(child, gone);
    stats_release(child);
    cgroup_remove(&child->supervisor->node->cgroup, child->path);
    if (gone && *child->path)
        remove_mailbox(child);
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
    intensity_finish(&child->restarts);
    intensity_finish(&child->allowance);
    buf_finish(&child->outgoing);
    if (child->own_spec) {
        spec_finish(child->own_spec);
        free(child->own_spec);
    }
    *child = (struct child){0};
}
