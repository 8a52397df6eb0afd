#include "falling.h"

#include "child_parts.h"
#include "supervisor.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

enum { LOOK_FIRST_MS = 1, LOOK_LAST_MS = 100 };

bool child_is_falling(const struct child *child)
{
    return child->leader_ended || child->reaped;
}

/* ---- the roll call ------------------------------------------------------------------------------- */

struct roll {
    bool called;
    struct strays adopted; /* but those of children that were looked at */
    bool orphans, killed;  /* there were some; one of them was killed and may still be there */
};

/* Whoever is nobody's is killed: one of a dead supervisor's, or a child's that has shed its mark. */
static void settle_orphan(struct child *witness, const struct stray *orphan, struct roll *roll)
{
    events_stray(witness, orphan->pid);
    roll->orphans = true;
    roll->killed |= stray_kill(orphan);
}

/* 0 or -1 (ENOMEM, no /proc). */
static int call_roll(struct child *witness, struct roll *roll)
{
    struct supervisor *supervisor = witness->supervisor;

    if (strays_scan(supervisor_is_leader, supervisor, &roll->adopted) < 0)
        return -1;
    for (size_t i = 0; i < roll->adopted.count; i++) {
        struct stray *stray = &roll->adopted.at[i];

        stray->owner = supervisor_owner(supervisor, stray);
        if (!stray->owner)
            settle_orphan(witness, stray, roll);
    }
    roll->called = true;
    return 0;
}

/* ---- one of them --------------------------------------------------------------------------------- */

/* A dead supervisor's subtree is not asked. */
static void stop_the_rest(struct child *child, const struct strays *rest)
{
    child->left_members |= child->order == ORDER_NONE;
    if (spec_supervises(child->spec) || child->killed || child->out_of_grace ||
        child->spec->shutdown_ms == SHUTDOWN_BRUTAL_KILL)
        members_signal(&child->members, rest, SIGKILL, !child->reaped, false);
    else
        members_signal(&child->members, rest, child->spec->stop_signal, !child->reaped, true);
}

/* Who is left is told to go. Where that cannot be found out, somebody may be. */
static bool is_empty(struct child *child, struct roll *roll)
{
    struct strays rest = {0};
    bool left = true;

    if (strays_move(&roll->adopted, child, &rest) == 0 &&
        members_add_inmates(&child->members, &rest) == 0) {
        left = members_are_left(&child->members, &rest);
        if (left)
            stop_the_rest(child, &rest);
    }
    strays_finish(&rest);
    return !left && !roll->killed && (!spec_supervises(child->spec) || !roll->orphans);
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

/* False: it is still falling. */
static bool check(struct child *child, struct roll *roll)
{
    if (!roll->called && call_roll(child, roll) < 0)
        return false;
    if (!is_empty(child, roll) || !reap_leader(child))
        return false;
    child_handle(child, CHILD_EV_EMPTY);
    return true;
}

/* ---- all of them --------------------------------------------------------------------------------- */

static void look_no_more(struct supervisor *supervisor)
{
    ev_timer_stop(supervisor->loop, &supervisor->falling.look);
    supervisor->falling.wait_ms = 0;
}

/* Soon at first: whoever was killed is gone in a moment. */
static void look_later(struct supervisor *supervisor)
{
    struct falling *falling = &supervisor->falling;

    if (ev_is_active(&falling->look))
        return;
    falling->wait_ms = falling->wait_ms ? falling->wait_ms * 2 : LOOK_FIRST_MS;
    if (falling->wait_ms > LOOK_LAST_MS)
        falling->wait_ms = LOOK_LAST_MS;
    ev_now_update(supervisor->loop);
    ev_timer_set(&falling->look, (double)falling->wait_ms / 1000., 0.);
    ev_timer_start(supervisor->loop, &falling->look);
}

void falling_begin(struct supervisor *supervisor)
{
    look_no_more(supervisor);
}

void falling_check(struct supervisor *supervisor)
{
    struct roll roll = {0};
    bool left = false;

    for (size_t i = 0; i < supervisor->count; i++)
        if (child_is_falling(supervisor->children[i]))
            left |= !check(supervisor->children[i], &roll);
    strays_finish(&roll.adopted);
    if (left)
        look_later(supervisor);
    else
        look_no_more(supervisor);
}

void falling_check_soon(struct supervisor *supervisor)
{
    ev_feed_event(supervisor->loop, &supervisor->falling.look, EV_CUSTOM);
}

static void on_look(struct ev_loop *loop, ev_timer *look, int revents)
{
    (void)look;
    (void)revents;
    falling_check(ev_userdata(loop));
}

void falling_init(struct supervisor *supervisor)
{
    ev_timer_init(&supervisor->falling.look, on_look, 0., 0.);
    ev_set_priority(&supervisor->falling.look, -1); /* after all that ask for it at a time */
}
