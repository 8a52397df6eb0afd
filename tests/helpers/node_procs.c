/*
 * Finds every process of a node by walking /proc, without asking the node.
 *
 *   node_procs RUN_DIR [--mark N]…             a line for each: PID PPID STATE MARK PATH COMMAND
 *   node_procs RUN_DIR --pids                  only their numbers
 *   node_procs RUN_DIR --marks                 only their marks, each once
 *   node_procs RUN_DIR --expect [PATH | =N TEXT]…   compares: exit 0, or 1 with what is wrong
 *
 * A process is the node's when it holds the node's lock, is the parent of such a one and runs the same
 * program (the guard), was told RUN_DIR as a child is (TROUPE_RUN and TROUPE_PATH in its environment),
 * wears the mark (hard RLIMIT_RTTIME) of one that is, or descends from one that is. With --mark, also
 * when it wears that mark: what has escaped from a node that is gone is found by the marks it had.
 *
 * --expect PATH…: every path is there once: one mark, worn by a process that says so and is a child of
 * the supervisor above it. "=N TEXT": that many commands contain TEXT. And nothing else: besides guard
 * and root no process is without one of these marks. Zombies are the dead, and do not count.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { PROCS_MAX = 65536, MARKS_MAX = 65536, TEXT_MAX = 65536, PID_LIMIT = 1 << 22 };

struct proc {
    pid_t pid, parent, group, session;
    char state;
    unsigned long long mark;
    bool holds_lock, ours;
    char path[256];     /* TROUPE_PATH, or what its title says; "" when it says nothing */
    bool is_supervisor; /* holds the lock */
    char program[64], command[256];
};

static struct proc procs[PROCS_MAX];
static size_t proc_count;
static unsigned by_pid[PID_LIMIT]; /* its place in procs, from 1 */
static unsigned long long marks[MARKS_MAX];
static size_t mark_count;
static const char *run_dir;

static ssize_t slurp(pid_t pid, const char *name, char *out, size_t size)
{
    char path[64];
    ssize_t n, length = 0;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while ((size_t)length < size - 1 && (n = read(fd, out + length, size - 1 - (size_t)length)) > 0)
        length += n;
    close(fd);
    out[length] = '\0';
    return length;
}

static bool read_stat(struct proc *proc)
{
    char text[1024], *after;
    int parent, group, session;

    if (slurp(proc->pid, "stat", text, sizeof text) <= 0 || !(after = strrchr(text, ')')) ||
        sscanf(after + 1, " %c %d %d %d", &proc->state, &parent, &group, &session) != 4)
        return false;
    proc->parent = parent;
    proc->group = group;
    proc->session = session;
    return true;
}

/* False: it has ended since its state was read, and has no limits any more. */
static bool read_mark(struct proc *proc)
{
    static const char key[] = "Max realtime timeout";
    const unsigned long long lowest = 1ULL << 62, unlimited = ~0ULL;
    char text[4096], *line;
    unsigned long long soft, hard;

    if (slurp(proc->pid, "limits", text, sizeof text) <= 0)
        return false;
    line = strstr(text, key);
    if (!line || sscanf(line + strlen(key), "%llu %llu", &soft, &hard) != 2)
        return true; /* "unlimited" */
    if (hard >= lowest && hard < unlimited)
        proc->mark = hard;
    return true;
}

/* The value of a variable in a NUL-separated environment, or NULL. */
static const char *variable(const char *environment, size_t size, const char *name)
{
    size_t length = strlen(name);

    for (const char *at = environment; at < environment + size; at += strlen(at) + 1)
        if (!strncmp(at, name, length) && at[length] == '=')
            return at + length + 1;
    return NULL;
}

static void read_environment(struct proc *proc)
{
    static char text[TEXT_MAX];
    ssize_t size = slurp(proc->pid, "environ", text, sizeof text);
    const char *dir, *path;

    if (size <= 0)
        return;
    dir = variable(text, (size_t)size, "TROUPE_RUN");
    path = variable(text, (size_t)size, "TROUPE_PATH");
    if (!dir || !path || strcmp(dir, run_dir))
        return;
    proc->ours = true;
    snprintf(proc->path, sizeof proc->path, "%s", path);
}

static void read_command(struct proc *proc)
{
    static const char title[] = "troupe: ";
    char link[64];
    ssize_t n = slurp(proc->pid, "cmdline", proc->command, sizeof proc->command);

    while (n > 0 && !proc->command[n - 1])
        n--;
    for (ssize_t i = 0; i < n; i++)
        if (!isprint((unsigned char)proc->command[i]))
            proc->command[i] = ' ';
    if (!strncmp(proc->command, title, strlen(title)))
        snprintf(proc->path, sizeof proc->path, "%.255s", proc->command + strlen(title));
    snprintf(link, sizeof link, "/proc/%d/exe", (int)proc->pid);
    char target[PATH_MAX];
    n = readlink(link, target, sizeof target - 1);
    target[n > 0 ? n : 0] = '\0';
    snprintf(proc->program, sizeof proc->program, "%.63s",
             strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
}

static void read_lock(struct proc *proc)
{
    char dir[64], link[PATH_MAX], wanted[PATH_MAX];
    struct dirent *entry;
    DIR *fds;

    snprintf(wanted, sizeof wanted, "%s/.lock", run_dir);
    snprintf(dir, sizeof dir, "/proc/%d/fd", (int)proc->pid);
    fds = opendir(dir);
    while (fds && (entry = readdir(fds))) {
        ssize_t n = readlinkat(dirfd(fds), entry->d_name, link, sizeof link - 1);

        if (n <= 0)
            continue;
        link[n] = '\0';
        if (!strncmp(link, wanted, strlen(wanted)))
            proc->holds_lock = true;
    }
    if (fds)
        closedir(fds);
    proc->is_supervisor = proc->holds_lock;
    proc->ours |= proc->holds_lock;
}

static void read_proc(pid_t pid)
{
    struct proc *proc = &procs[proc_count];

    *proc = (struct proc){.pid = pid};
    if (proc_count == PROCS_MAX || pid == getpid() || !read_stat(proc) || proc->state == 'Z' ||
        !read_mark(proc))
        return;
    read_environment(proc);
    read_command(proc);
    if (!strncmp(proc->program, "troupe-supervisord", strlen("troupe-supervisord")))
        read_lock(proc);
    /* One that has ended meanwhile has shown no mark and no command: that is not how it lived. */
    if (!read_stat(proc) || proc->state == 'Z')
        return;
    by_pid[pid] = (unsigned)++proc_count;
}

static void read_all(void)
{
    DIR *dir = opendir("/proc");
    struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (isdigit((unsigned char)*entry->d_name))
            read_proc((pid_t)atoi(entry->d_name));
    if (dir)
        closedir(dir);
}

static struct proc *find(pid_t pid)
{
    return pid >= 0 && pid < PID_LIMIT && by_pid[pid] ? &procs[by_pid[pid] - 1] : NULL;
}

static bool has_mark(unsigned long long mark)
{
    for (size_t i = 0; i < mark_count; i++)
        if (marks[i] == mark)
            return true;
    return false;
}

static void add_mark(unsigned long long mark)
{
    if (mark && mark_count < MARKS_MAX && !has_mark(mark))
        marks[mark_count++] = mark;
}

static bool is_guard(const struct proc *proc)
{
    return strstr(proc->command, "(guard)") != NULL;
}

/* The root's parent, when it is our own program. */
static void find_guard(void)
{
    for (size_t i = 0; i < proc_count; i++) {
        struct proc *parent = procs[i].holds_lock ? find(procs[i].parent) : NULL;

        if (parent && !parent->ours && !strcmp(parent->program, procs[i].program))
            parent->ours = true;
    }
}

static bool becomes_ours(const struct proc *proc)
{
    const struct proc *parent = find(proc->parent);

    return (proc->mark && has_mark(proc->mark)) || (parent && parent->ours && parent->pid > 1);
}

static void spread(void)
{
    bool more = true;

    find_guard();
    while (more) {
        more = false;
        for (size_t i = 0; i < proc_count; i++)
            if (procs[i].ours)
                add_mark(procs[i].mark);
        for (size_t i = 0; i < proc_count; i++)
            if (!procs[i].ours && becomes_ours(&procs[i]))
                procs[i].ours = more = true;
    }
}

/* ---- comparing -------------------------------------------------------------------------- */

static int complaints;

#define complain(...) (printf(__VA_ARGS__), complaints++)

static void show(const struct proc *proc)
{
    printf("%d %d %c %llx %s %s\n", (int)proc->pid, (int)proc->parent, proc->state, proc->mark,
           *proc->path ? proc->path : "-", proc->command);
}

static bool is_at(const struct proc *proc, const char *path)
{
    const struct proc *parent = find(proc->parent);
    const char *slash = strrchr(path, '/');
    size_t above = slash ? (size_t)(slash - path) : 0;

    if (!proc->ours || strcmp(proc->path, path) || proc->session != proc->pid || !parent ||
        !parent->is_supervisor)
        return false;
    return strlen(parent->path) == above && !strncmp(parent->path, path, above);
}

/* The one mark of a path; complains when there is none or more than one. */
static unsigned long long mark_of(const char *path)
{
    unsigned long long mark = 0;
    size_t there = 0;

    for (size_t i = 0; i < proc_count; i++) {
        if (!is_at(&procs[i], path) || procs[i].mark == mark)
            continue;
        mark = procs[i].mark;
        there++;
    }
    if (there != 1)
        complain("%s is there %zu times\n", path, there);
    return mark;
}

static void expect_count(const char *wanted)
{
    char *text;
    unsigned long number = strtoul(wanted, &text, 10), there = 0;

    while (*text == ' ')
        text++;
    for (size_t i = 0; i < proc_count; i++)
        there += procs[i].ours && strstr(procs[i].command, text) != NULL;
    if (there != number)
        complain("%lu commands have \"%s\": expected %lu\n", there, text, number);
}

static bool is_root(const struct proc *proc)
{
    return proc->holds_lock && strstr(proc->command, "(root)");
}

static int compare(char *const *wanted)
{
    static unsigned long long expected[MARKS_MAX];
    size_t expected_count = 0, guards = 0, roots = 0;

    for (; *wanted; wanted++)
        if (**wanted == '=')
            expect_count(*wanted + 1);
        else
            expected[expected_count++] = mark_of(*wanted);
    for (size_t i = 0; i < proc_count; i++) {
        bool accounted = false;

        if (!procs[i].ours)
            continue;
        guards += is_guard(&procs[i]);
        roots += is_root(&procs[i]);
        for (size_t k = 0; k < expected_count && !accounted; k++)
            accounted = procs[i].mark && procs[i].mark == expected[k];
        if (!accounted && !is_guard(&procs[i]) && !is_root(&procs[i])) {
            complain("a stray: ");
            show(&procs[i]);
        }
    }
    if (guards != 1 || roots != 1)
        complain("%zu guards, %zu roots\n", guards, roots);
    return complaints != 0;
}

static int list(const char *what)
{
    for (size_t i = 0; i < mark_count && !strcmp(what, "--marks"); i++)
        printf("%llu\n", marks[i]);
    for (size_t i = 0; i < proc_count && strcmp(what, "--marks"); i++)
        if (procs[i].ours && !strcmp(what, "--pids"))
            printf("%d\n", (int)procs[i].pid);
        else if (procs[i].ours)
            show(&procs[i]);
    return 0;
}

int main(int argc, char **argv)
{
    int i = 2;

    if (argc < 2) {
        fprintf(stderr, "usage: node_procs RUN_DIR [--mark N]... [--pids | --marks | --expect ...]\n");
        return 2;
    }
    run_dir = argv[1];
    for (; i + 1 < argc && !strcmp(argv[i], "--mark"); i += 2)
        add_mark(strtoull(argv[i + 1], NULL, 10));
    read_all();
    spread();
    if (i < argc && !strcmp(argv[i], "--expect"))
        return compare(argv + i + 1);
    return list(i < argc ? argv[i] : "");
}
