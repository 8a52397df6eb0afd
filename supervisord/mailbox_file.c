#include "child_parts.h"

#include "files.h"
#include "rundir.h"
#include "supervisor.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static void mark_path(const char *run_dir, const char *path, char out[PATH_MAX * 2])
{
    snprintf(out, PATH_MAX * 2, "%s/%s/%s", run_dir, path, RUNDIR_SERVICE);
}

/* Who finds no mailbox in a folder with this mark may ask for one. */
static int make_mark(const char *run_dir, const char *path)
{
    char mark[PATH_MAX * 2];
    int fd;

    mark_path(run_dir, path, mark);
    fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -1;
    close(fd);
    return 0;
}

static void remove_mark(const char *run_dir, const char *path)
{
    char mark[PATH_MAX * 2];

    mark_path(run_dir, path, mark);
    unlink(mark);
}

/* Modules and programs with a mailbox are reached by PATH, supervisors by PATH/.supervisor. The
 * socket is bound here and kept across restarts: who connects meanwhile waits in its queue. */
int mailbox_bind(struct child *child)
{
    const struct spec *spec = child->spec;
    const char *run_dir = child->supervisor->node->run_dir;
    char path[ADDR_PATH_MAX + sizeof RUNDIR_SUPERVISOR + 2];

    if (child->mailbox_fd >= 0)
        return 0;
    if (spec_supervises(spec)) {
        if (make_directory(run_dir, child->path) < 0)
            return -1;
        snprintf(path, sizeof path, "%s/%s", child->path, RUNDIR_SUPERVISOR);
        if (spec->kind == SPEC_SERVICE && make_mark(run_dir, child->path) < 0)
            return -1;
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
    if (child->spec->kind == SPEC_SERVICE)
        remove_mark(child->supervisor->node->run_dir, child->path);
    if (spec_supervises(child->spec))
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
    if (spec_supervises(child->spec))
        remove_directory(path);
    else if (child->mailbox_fd >= 0)
        unlink(path);
}
