#include "child_parts.h"

#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { POLL_MS = 100 }; /* at the most between two looks for members that are left */

static void scan(struct child *child, struct strays *strays)
{
    if (members_scan(&child->members, supervisor_is_leader, child->supervisor, strays) < 0)
        *strays = (struct strays){0};
}

void stop_kill(struct child *child)
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

    if (child->order != ORDER_FAULT || strncmp(child->fault_reason, cascade, strlen(cascade)) ||
        child->party.traps) /* to which EXIT is news, not an order */
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
        stop_kill(child);
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
        child_start_timer(child, &child->timer, spec->shutdown_ms);
}

static const char *order_text(enum child_order order)
{
    static const char *const texts[] = {
        [ORDER_NONE] = "itself",   [ORDER_FAULT] = "fault",     [ORDER_BATCH] = "supervisor",
        [ORDER_PERSON] = "person", [ORDER_RESTART] = "person",  [ORDER_REMOVE] = "person",
    };

    return texts[order];
}

void stop_begin(struct child *child)
{
    probe_settle(&child->probe);
    child_stop_timer(child);
    ev_timer_stop(child->supervisor->loop, &child->watchdog);
    child_set_state(child, CHILD_STOPPING);
    events_child_text(child, EVENT_CHILD_STOP, "by", order_text(child->order));
    ask_to_stop(child);
}

void stop_hold_zombie(struct child *child, bool held)
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
        while (waitpid(child->pid, &child->wait_status, __WALL) < 0 && errno == EINTR)
            ;
        child->reaped = true;
        stop_hold_zombie(child, false);
    }
    return kill(-child->pid, 0) < 0 && errno == ESRCH;
}

/* Soon at first: whoever was killed is gone in a moment, but not each such end is told to us. */
static void poll_later(struct child *child)
{
    child->poll_ms = child->poll_ms ? child->poll_ms * 2 : 1;
    if (child->poll_ms > POLL_MS)
        child->poll_ms = POLL_MS;
    child_start_timer(child, &child->poll, child->poll_ms);
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

void stop_on_poll(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    child_check_empty(container_of(timer, struct child, poll));
}
