#include "sys_tree.h"

#include "config.h"
#include "rundir.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* Where the node's own workers are: beside the running program, uninstalled or installed. */
static int find_worker(const struct node *node, const char *name, char *out, size_t size)
{
    static const char *const places[] = {"../workers", "../lib/troupe/workers"};
    const char *slash = strrchr(node->program, '/');
    int length = slash ? (int)(slash - node->program) : 0;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(out, size, "%.*s/%s/%s", length, node->program, places[i], name);
        if (access(out, X_OK) == 0)
            return 0;
    }
    return -1;
}

static const struct spec_supervisor nothing_yet = {.max_children = 1000};

int sys_tree(const struct node *node, const struct spec_log *log, struct spec *sys,
             struct buf *messages)
{
    const struct config_context context = {.environment = environ};
    char worker[PATH_MAX];
    struct buf yaml = {0};
    int result;

    if (find_worker(node, "log", worker, sizeof worker) < 0) {
        buf_printf(messages, "sys/log: %s: no such worker beside %s\n", worker, node->program);
        return -1;
    }
    buf_printf(&yaml,
               "name: sys\n"
               "restart: permanent\n"
               "supervisor:\n"
               "  intensity: 30\n"
               "  period: 60s\n"
               "  max_children: 16\n"
               "  children:\n"
               "    - name: log\n"
               "      exec: ['%s', --dir, '%s/log', --files, '%u', --size, '%llu', --total, '%llu',"
               " --patience-ms, '%lld']\n"
               "      mailbox: true\n"
               "      ready: notify\n"
               "      backoff: {initial: 50ms, max: 1s}\n",
               worker, node->state_dir, log->files, (unsigned long long)log->size_bytes,
               (unsigned long long)log->total_bytes, (long long)log->patience_ms);
    result = config_read_child((const char *)buf_front(&yaml), buf_length(&yaml), "sys", "/", "",
                               &nothing_yet, &context, sys, messages);
    buf_finish(&yaml);
    return result;
}
