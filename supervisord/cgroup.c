#include "cgroup.h"

#include "files.h"

#include "addr.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Names of actors get an ending, since the kernel's files in the same directory have names, too. */
#define ACTOR_SUFFIX ".actor"
#define NODE_PREFIX  "troupe-"

enum { DEEP_PATH = PATH_MAX + ADDR_PATH_MAX * 4, REMOVE_TRIES = 200, REMOVE_PAUSE_MS = 5,
       STALE_S = 60 };

/* ---- where we are ---------------------------------------------------------------------------- */

/* Our own cgroup by the unified hierarchy's line: "0::/user.slice". */
static int find_own(char own[PATH_MAX])
{
    char *where = cgroup_of(getpid());
    int result = where && strlen(where) < PATH_MAX ? 0 : -1;

    if (result == 0)
        strcpy(own, where);
    free(where);
    return result;
}

/* "38 31 0:41 ROOT POINT OPTIONS… - cgroup2 cgroup2 rw"; true when it is such a line. */
static bool parse_mount(const char *line, char root[PATH_MAX], char point[PATH_MAX])
{
    return strstr(line, " - cgroup2 ") &&
           sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) == 2;
}

/* A mount that shows our own cgroup: *below is what follows its root in own. */
static int find_mount(const char *own, char point[PATH_MAX], const char **below)
{
    char *line = NULL, root[PATH_MAX];
    size_t size = 0, length;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    int result = -1;

    while (file && result < 0 && getline(&line, &size, file) > 0) {
        if (!parse_mount(line, root, point))
            continue;
        length = strcmp(root, "/") ? strlen(root) : 0;
        if (strncmp(own, root, length) || (own[length] && own[length] != '/'))
            continue;
        *below = own + length;
        result = 0;
    }
    free(line);
    if (file)
        fclose(file);
    return result;
}

void cgroup_locate(struct cgroup_base *base, const char *node, uint64_t generation)
{
    char own[PATH_MAX], point[PATH_MAX];
    const char *wish = getenv("TROUPE_CGROUP"), *below;
    unsigned long long number = generation;
    int n, m;

    base->path[0] = base->in_proc[0] = '\0';
    if ((wish && !strcmp(wish, "off")) || find_own(own) < 0 || find_mount(own, point, &below) < 0)
        return;
    if (!strcmp(below, "/"))
        below = "";
    n = snprintf(base->path, PATH_MAX, "%s%s/" NODE_PREFIX "%s-%016llx", point, below, node, number);
    m = snprintf(base->in_proc, PATH_MAX, "%s/" NODE_PREFIX "%s-%016llx", strcmp(own, "/") ? own : "",
                 node, number);
    if (n >= PATH_MAX || m >= PATH_MAX)
        base->path[0] = '\0';
}

pid_t cgroup_clone(int fd, uint64_t flags, int end_signal)
{
    struct clone_args args = {.flags = flags | CLONE_INTO_CGROUP,
                              .exit_signal = (uint64_t)end_signal,
                              .cgroup = (uint64_t)fd};

    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

/* Ours are never killed and kept; whether our own was, before our time, is seen by a birth. Kernels
 * that know no such births are in order, too. */
static bool is_deadly(const struct cgroup_base *base)
{
    int fd = cgroup_open(base, ""), status = 0;
    pid_t pid = fd < 0 ? -1 : cgroup_clone(fd, 0, SIGCHLD);

    if (pid == 0)
        _exit(0);
    if (fd >= 0)
        close(fd);
    if (pid > 0)
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    return WIFSIGNALED(status);
}

void cgroup_renew(const struct cgroup_base *base, const char *actor)
{
    cgroup_remove(base, actor); /* cgroup_open() makes it anew */
}

bool cgroup_is_base(const char *path)
{
    const char *name = strrchr(path, '/'), *mark = name ? strrchr(name, '-') : NULL;
    char own[PATH_MAX], point[PATH_MAX];
    const char *below;

    if (!mark || strncmp(name + 1, NODE_PREFIX, strlen(NODE_PREFIX)) || strlen(mark) != 17 ||
        strstr(path, "/../"))
        return false;
    return find_own(own) == 0 && find_mount(own, point, &below) == 0 &&
           !strncmp(path, point, strlen(point)) && path[strlen(point)] == '/';
}

/* ---- an actor's directory -------------------------------------------------------------------- */

/* Appends an actor's path: "shop/db" becomes "/shop.actor/db.actor". */
static void append_actor(char *out, size_t size, const char *actor)
{
    size_t length = strlen(out);

    while (*actor) {
        int part = (int)strcspn(actor, "/");
        int n = snprintf(out + length, size - length, "/%.*s" ACTOR_SUFFIX, part, actor);

        if (n < 0 || (length += (size_t)n) >= size)
            break;
        actor += part + (actor[part] == '/');
    }
}

static bool has_none(const struct cgroup_base *base)
{
    return !base || !*base->path;
}

/* The actor's directory, and a file in it ("": the directory itself). */
static void path_of(const struct cgroup_base *base, const char *actor, const char *file,
                    char out[DEEP_PATH])
{
    snprintf(out, DEEP_PATH, "%s", base->path);
    append_actor(out, DEEP_PATH, actor);
    snprintf(out + strlen(out), DEEP_PATH - strlen(out), "%s%s", *file ? "/" : "", file);
}

int cgroup_open(const struct cgroup_base *base, const char *actor)
{
    char path[DEEP_PATH];
    int fd;

    if (has_none(base))
        return -1;
    path_of(base, actor, "", path);
    fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT && mkdir(path, 0755) == 0)
        fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd;
}

void cgroup_enter(int fd)
{
    int procs = openat(fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

    if (procs < 0)
        return;
    if (write(procs, "0", 1) < 0)
        (void)errno; /* then the mark alone tells whose it is */
    close(procs);
}

static bool is_populated(const char *events_path)
{
    char text[256];

    return read_small_file(events_path, text, sizeof text) > 0 && strstr(text, "populated 1");
}

bool cgroup_is_populated(const struct cgroup_base *base, const char *actor)
{
    char path[DEEP_PATH];

    if (has_none(base))
        return false;
    path_of(base, actor, "cgroup.events", path);
    return is_populated(path);
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) < 0)
        (void)errno; /* an older kernel: who calls kills one by one as well */
    close(fd);
}

void cgroup_kill(const struct cgroup_base *base, const char *actor)
{
    char path[DEEP_PATH];

    if (has_none(base))
        return;
    path_of(base, actor, "cgroup.kill", path);
    write_file(path, "1");
}

void cgroup_each(const struct cgroup_base *base, const char *actor,
                 void (*visit)(pid_t pid, void *ctx), void *ctx)
{
    char path[DEEP_PATH];
    FILE *file;
    int pid;

    if (has_none(base))
        return;
    path_of(base, actor, "cgroup.procs", path);
    file = fopen(path, "re");
    while (file && fscanf(file, "%d", &pid) == 1)
        if (pid > 0)
            visit(pid, ctx);
    if (file)
        fclose(file);
}

/* ---- removal --------------------------------------------------------------------------------- */

struct choice {
    bool (*keep)(const char *name, void *ctx);
    void *ctx;
};

/* By the directory's name, which is the actor's with the suffix. */
static bool is_chosen(const char *name, void *choice)
{
    const struct choice *by = choice;
    size_t length = strlen(name), suffix = strlen(ACTOR_SUFFIX);
    char actor[ADDR_PART_MAX + 1];

    if (length <= suffix || length - suffix > ADDR_PART_MAX)
        return false;
    memcpy(actor, name, length - suffix);
    actor[length - suffix] = '\0';
    return by->keep(actor, by->ctx);
}

/* Removes the directories below one, but those that are chosen (NULL: none is); takes the descriptor
 * over. The kernel's files go by themselves. */
static void clear_at(int dir_fd, struct choice *choice)
{
    DIR *dir = fdopendir(dir_fd);
    struct dirent *entry;

    if (!dir) {
        close(dir_fd);
        return;
    }
    while ((entry = readdir(dir))) {
        int fd;

        if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
            !strcmp(entry->d_name, "..") || (choice && is_chosen(entry->d_name, choice)))
            continue;
        if (unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR) == 0)
            continue;
        fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            continue;
        clear_at(fd, NULL);
        unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
}

static void clear_path(const char *path, struct choice *choice)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        clear_at(fd, choice);
}

void cgroup_keep(const struct cgroup_base *base, const char *supervisor,
                 bool (*keep)(const char *name, void *ctx), void *ctx)
{
    struct choice choice = {keep, ctx};
    char path[DEEP_PATH];

    if (has_none(base))
        return;
    path_of(base, supervisor, "", path);
    clear_path(path, &choice);
}

void cgroup_remove(const struct cgroup_base *base, const char *actor)
{
    char path[DEEP_PATH];

    if (has_none(base) || !*actor)
        return;
    path_of(base, actor, "", path);
    if (rmdir(path) == 0 || errno == ENOENT)
        return;
    clear_path(path, NULL);
    rmdir(path);
}

/* Who was killed is still there for a moment. */
void cgroup_end(const struct cgroup_base *base)
{
    const struct timespec moment = {0, REMOVE_PAUSE_MS * 1000000L};

    for (int i = 0; !has_none(base) && i < REMOVE_TRIES; i++) {
        if (cgroup_is_populated(base, ""))
            cgroup_kill(base, "");
        clear_path(base->path, NULL);
        if (rmdir(base->path) == 0 || errno != EBUSY)
            return;
        nanosleep(&moment, NULL);
    }
}

/* Not to be able to look, for want of a descriptor say, is not to know that nobody is there. */
static bool is_surely_empty(const struct cgroup_base *base)
{
    char path[DEEP_PATH], text[256];

    path_of(base, "", "cgroup.events", path);
    return read_small_file(path, text, sizeof text) > 0 && strstr(text, "populated 0");
}

static bool is_stale(const struct cgroup_base *base)
{
    struct stat st;

    return stat(base->path, &st) == 0 && st.st_mtime + STALE_S < time(NULL) && is_surely_empty(base);
}

/* Every node has somebody in its cgroup, from its first moments to its last. One that has nobody is
 * removed, but nobody is killed, whoever may have come there meanwhile: it is not ours. */
static void sweep(const struct cgroup_base *base)
{
    size_t folder = (size_t)(strrchr(base->path, '/') - base->path) + 1;
    size_t common = (size_t)(strrchr(base->path, '-') - base->path) + 1 - folder;
    struct cgroup_base other = *base;
    struct dirent *entry;
    DIR *dir;

    other.path[folder] = '\0';
    dir = opendir(other.path);
    while (dir && (entry = readdir(dir))) {
        if (strncmp(entry->d_name, base->path + folder, common) ||
            strlen(entry->d_name) != strlen(base->path + folder))
            continue;
        strcpy(other.path + folder, entry->d_name);
        if (!is_stale(&other))
            continue;
        clear_path(other.path, NULL);
        rmdir(other.path);
    }
    if (dir)
        closedir(dir);
}

void cgroup_begin(struct cgroup_base *base)
{
    if (!*base->path)
        return;
    sweep(base);
    if (mkdir(base->path, 0755) == 0 && !is_deadly(base))
        return;
    rmdir(base->path);
    base->path[0] = '\0';
}

/* ---- processes ------------------------------------------------------------------------------- */

char *cgroup_of(pid_t pid)
{
    char path[64], text[DEEP_PATH], *line;

    snprintf(path, sizeof path, "/proc/%d/cgroup", (int)pid);
    if (read_small_file(path, text, sizeof text) <= 0)
        return NULL;
    line = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;
    if (!line)
        return NULL;
    line = strchr(line, '/');
    if (!line)
        return NULL;
    line[strcspn(line, "\n")] = '\0';
    return strdup(line);
}

static bool skip(const char **at, const char *text, size_t length)
{
    if (strncmp(*at, text, length))
        return false;
    *at += length;
    return true;
}

bool cgroup_contains(const struct cgroup_base *base, const char *actor, const char *where)
{
    const char *at = where;

    if (has_none(base) || !where || !skip(&at, base->in_proc, strlen(base->in_proc)))
        return false;
    while (*actor) {
        size_t part = strcspn(actor, "/");

        if (!skip(&at, "/", 1) || !skip(&at, actor, part) ||
            !skip(&at, ACTOR_SUFFIX, strlen(ACTOR_SUFFIX)))
            return false;
        actor += part + (actor[part] == '/');
    }
    return !*at || *at == '/';
}
