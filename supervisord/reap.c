#include "reap.h"

#include "status.h"

#include <sys/wait.h>

/* ---- whose process is it ------------------------------------------------------------------------- */

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

/* What there is to say of a process, which stays to be said. */
static const int anything = WEXITED | WSTOPPED | WCONTINUED | WNOHANG | WNOWAIT | __WALL;

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
        waitid(P_PID, (id_t)info->si_pid, &consumed, WSTOPPED | WCONTINUED | WNOHANG | __WALL);
        note_pause(child, info);
    } else {
        child_handle(child, CHILD_EV_ENDED);
    }
}

/* While a zombie is held, waitid would show it for ever: each child is then asked by itself. */
static void reap_each(struct supervisor *supervisor)
{
    struct strays strays;

    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];
        siginfo_t info = {0};
        pid_t helper = child->probe.helper;

        if (child->pid && !child->leader_ended && !child->reaped &&
            waitid(P_PID, (id_t)child->pid, &info, anything) == 0 && info.si_pid)
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

void reap_on_sigchld(struct ev_loop *loop, ev_signal *watcher, int revents)
{
    struct supervisor *supervisor = ev_userdata(loop);

    (void)watcher;
    (void)revents;
    while (!supervisor->zombies_held) {
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, anything) < 0 || !info.si_pid)
            break;
        take_notice(supervisor, &info);
    }
    if (supervisor->zombies_held)
        reap_each(supervisor);
    check_falling(supervisor);
}
