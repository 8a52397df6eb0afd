#include "child_parts.h"

#include "supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

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
