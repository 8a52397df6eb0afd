#include "child_parts.h"

#include "fence.h"
#include "status.h"
#include "supervisor.h"

#include <signal.h>
#include <sys/wait.h>

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

/* By the kernel, at the end of its lease: another's SIGKILL would have come before (CLUSTER 4, L2). */
static bool was_fenced(const struct child *child)
{
    return WIFSIGNALED(child->wait_status) && WTERMSIG(child->wait_status) == SIGKILL &&
           !child->killed && fence_has_struck(child->fence);
}

/* The reason of the end (SEMANTICS 4): our own cause first, then what the kernel says of a violent
 * end, then what the child said itself, then its status. */
static void reason_of_end(struct child *child, char reason[REASON_MAX])
{
    if (child->order == ORDER_FAULT && *child->fault_reason) {
        reason_copy(child->fault_reason, "shutdown", reason);
        return;
    }
    if (was_fenced(child)) {
        reason_copy(REASON_FENCED, "", reason);
        return;
    }
    reason_of_status(child->wait_status, was_asked(child), child->spec->stop_signal, child->killed,
                     reason);
    if (*child->said_reason && WIFEXITED(child->wait_status))
        reason_copy(child->said_reason, "normal", reason);
}

void end_record(struct child *child, const char *reason)
{
    struct table_end end = {.incarnation = child->slot->incarnation,
                            .wall_us = wall_now_us(),
                            .ran_ms = mono_diff_ms(mono_now(), child->started)};

    reason_copy(reason, "", end.reason);
    table_record_end(child->slot, &end);
}

void end_record_lost(struct child *child)
{
    struct table_slot *slot = child->slot;
    struct table_end end = {.incarnation = slot->incarnation,
                            .wall_us = wall_now_us(),
                            .ran_ms = (wall_now_us() - slot->started_us) / 1000,
                            .reason = "killed"};

    if (slot->pid)
        table_record_end(slot, &end);
}

static void finish_incarnation(struct child *child)
{
    struct supervisor *supervisor = child->supervisor;

    talk_take(child, 1000); /* its last words may have been overtaken by its end */
    talk_close(child);
    probe_finish(&child->probe);
    child_stop_timer(child);
    ev_timer_stop(supervisor->loop, &child->watchdog);
    HASH_DELETE(by_pid, supervisor->by_pid, child);
    members_finish(&child->members);
    child->pid = 0;
    child->paused = child->reaped = false;
    child->slot->started_us = 0;
    child->slot->status[0] = '\0';
    pages_reset(child);
}

void end_bury(struct child *child)
{
    char reason[REASON_MAX];

    finish_incarnation(child);
    child->left_members &= WIFEXITED(child->wait_status) && WEXITSTATUS(child->wait_status) == 0;
    apply_exit_code(child);
    reason_of_end(child, reason);
    end_record(child, reason);
    child_set_state(child, CHILD_DOWN);
    supervisor_on_end(child, reason);
}
