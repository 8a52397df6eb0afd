#include "spokesman.h"

#include "rundir.h"
#include "table.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An inner supervisor of a service calls itself as the service does (shard.h): its row is in that
 * one's table, and its name begins as no actor's does. */
static bool is_inner(const struct row *row)
{
    return *addr_name(row->path) == '.';
}

static bool is_supervisor(const struct row *row)
{
    return row->kind == ROW_SUPERVISOR || row->kind == ROW_SERVICE;
}

/* Is that process the supervisor of this path, as the table of `parent` has it? */
static bool is_in_table(const char *run_dir, const char *parent, const char *path, pid_t pid)
{
    char file[PATH_MAX];
    struct rows rows;
    bool found = false;

    snprintf(file, sizeof file, "%s/%s%s%s", run_dir, parent, *parent ? "/" : "", RUNDIR_TABLE);
    if (table_read(file, parent, &rows) < 0)
        return false;
    for (size_t i = 0; i < rows.count && !found; i++) {
        const struct row *row = &rows.at[i];

        found = (pid_t)row->pid == pid && is_supervisor(row) &&
                (strcmp(parent, path) ? !strcmp(row->path, path) : is_inner(row));
    }
    rows_finish(&rows);
    return found;
}

/* Who has called listen() there. */
static bool is_root(const char *run_dir, pid_t pid)
{
    struct ucred creds = {0};
    socklen_t length = sizeof creds;
    int fd = rundir_connect(run_dir, RUNDIR_SUPERVISOR);
    bool found;

    if (fd < 0)
        return false;
    found = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &creds, &length) == 0 && creds.pid == pid;
    close(fd);
    return found;
}

bool spokesman_is(const char *run_dir, const char *node, const struct ucred *creds,
                  const char *name, struct addr *addr)
{
    char parent[ADDR_PATH_MAX + 1];
    const char *why;

    if (creds->uid != geteuid() || creds->pid == getpid() || addr_parse(name, addr, &why) < 0 ||
        strcmp(addr->node, node) != 0)
        return false;
    if (!*addr->path)
        return is_root(run_dir, creds->pid);
    return addr_parent(addr->path, parent, sizeof parent) == 0 &&
           (is_in_table(run_dir, parent, addr->path, creds->pid) ||
            is_in_table(run_dir, addr->path, addr->path, creds->pid));
}
