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

static struct child *wearer_of(struct supervisor *supervisor, mark_t mark)
{
    for (size_t i = 0; mark && i < supervisor->count; i++)
        if (supervisor->children[i]->pid && supervisor->children[i]->members.mark == mark)
            return supervisor->children[i];
    return NULL;
}

/* By the mark alone at first: that is one comparison each. */
struct child *supervisor_owner(struct supervisor *supervisor, const struct stray *stray)
{
    struct child *wearer = wearer_of(supervisor, stray->mark);

    for (size_t i = 0; !wearer && i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];

        if (child->pid && members_owns(&child->members, stray))
            return child;
    }
    return wearer;
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

/* Until there is nothing more, or a zombie is held, which waitid would show for ever. */
static void take_notices(struct supervisor *supervisor)
{
    while (!supervisor->zombies_held) {
        siginfo_t info = {0};

        if (waitid(P_ALL, 0, &info, anything) < 0 || !info.si_pid)
            return;
        take_notice(supervisor, &info);
    }
}

/* While a zombie is held each child is asked by itself. The adopted wait for the roll call. */
static void take_notice_of_each(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];
        siginfo_t info = {0};
        pid_t helper = child->probe.helper;

        if (child->pid && !child_is_falling(child) &&
            waitid(P_PID, (id_t)child->pid, &info, anything) == 0 && info.si_pid)
            take_notice(supervisor, &info);
        if (helper > 0)
            reap_other(supervisor, helper);
    }
}

/* One end is dealt with as soon as it is known; when there are more, all of them together. */
void reap_on_sigchld(struct ev_loop *loop)
{
    struct supervisor *supervisor = ev_userdata(loop);

    if (!supervisor->zombies_held) {
        take_notices(supervisor);
        falling_check(supervisor);
        take_notices(supervisor);
    }
    if (!supervisor->zombies_held)
        return;
    take_notice_of_each(supervisor);
    falling_check(supervisor);
}
