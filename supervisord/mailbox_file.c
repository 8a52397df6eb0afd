#include "child_parts.h"

#include "files.h"
#include "rundir.h"
#include "supervisor.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* Modules and programs with a mailbox are reached by PATH, supervisors by PATH/.supervisor. The
 * socket is bound here and kept across restarts: who connects meanwhile waits in its queue. */
int mailbox_bind(struct child *child)
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

void mailbox_remove(const struct child *child)
{
    char path[PATH_MAX + ADDR_PATH_MAX + 2];

    snprintf(path, sizeof path, "%s/%s", child->supervisor->node->run_dir, child->path);
    if (child->spec->kind == SPEC_SUPERVISOR)
        remove_directory(path);
    else if (child->mailbox_fd >= 0)
        unlink(path);
}
