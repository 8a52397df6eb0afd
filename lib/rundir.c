#include "rundir.h"

#include "addr.h"
#include "buf.h"
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- which directory ---------------------------------------------------------------------- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

/* format takes strings only; fails when the result does not fit. */
__attribute__((format(printf, 2, 3))) static int put_path(char out[PATH_MAX], const char *format,
                                                          ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(out, PATH_MAX, format, args);
    va_end(args);
    return length < 0 || length >= PATH_MAX ? -1 : 0;
}

/* The directory that holds the nodes' directories. */
static int base_path(char out[PATH_MAX])
{
    const char *runtime = environment("XDG_RUNTIME_DIR");

    if (geteuid() == 0)
        return put_path(out, "/run/troupe");
    if (runtime && *runtime == '/')
        return put_path(out, "%s/troupe", runtime);
    return put_path(out, "/tmp/troupe-%u", (unsigned)geteuid());
}

static int state_path(const char *node, char out[PATH_MAX])
{
    const char *given = environment("TROUPE_STATE"), *state = environment("XDG_STATE_HOME");
    const char *home = environment("HOME");

    if (given)
        return put_path(out, "%s", given);
    if (geteuid() == 0)
        return put_path(out, "/var/lib/troupe/%s", node);
    if (state && *state == '/')
        return put_path(out, "%s/troupe/%s", state, node);
    return put_path(out, "%s/.local/state/troupe/%s", home ? home : "/tmp", node);
}

static int run_path(const char *node, char out[PATH_MAX])
{
    const char *given = environment("TROUPE_RUN");
    char base[PATH_MAX];

    if (given)
        return put_path(out, "%s", given);
    return base_path(base) || put_path(out, "%s/%s", base, node);
}

/* Makes path absolute and drops slashes at its end. */
static int make_absolute(char path[PATH_MAX])
{
    char cwd[PATH_MAX], whole[PATH_MAX];
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    if (*path == '/')
        return 0;
    if (!getcwd(cwd, sizeof cwd) || put_path(whole, "%s/%s", cwd, path))
        return -1;
    memcpy(path, whole, PATH_MAX);
    return 0;
}

int rundir_resolve(const char *name, const char *fallback, struct rundir *dir, struct error *err)
{
    const char *node = name ? name : environment("TROUPE_NODE");

    if (!node)
        node = fallback && *fallback ? fallback : "local";
    memset(dir, 0, sizeof *dir);
    if (!addr_is_part(node, strlen(node)))
        return error_set(err, EINVAL,
                         "node \"%s\": expected 1 to 64 characters A-Z a-z 0-9 _ . -, not starting "
                         "with a dot",
                         node);
    snprintf(dir->node, sizeof dir->node, "%s", node);
    if (run_path(node, dir->path) || state_path(node, dir->state) || make_absolute(dir->path) ||
        make_absolute(dir->state))
        return error_set(err, ENAMETOOLONG, "node %s: the path of its run directory is too long",
                         node);
    return 0;
}

static bool is_locked(const char *run_dir)
{
    char path[PATH_MAX + 16];
    bool locked = false;
    int fd;

    snprintf(path, sizeof path, "%s/" RUNDIR_LOCK, run_dir);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        locked = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
        close(fd);
        return locked;
    }
    if (errno != EACCES)
        return false;
    /* The lock is not ours to read: does somebody answer? */
    fd = rundir_connect(run_dir, RUNDIR_SUPERVISOR);
    if (fd < 0)
        return errno == EAGAIN;
    close(fd);
    return true;
}

/* What a process calls itself; false when it is gone. */
static bool name_of(pid_t pid, char name[32])
{
    char path[64];
    FILE *file;
    bool known;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    file = fopen(path, "re");
    if (!file)
        return false;
    known = fgets(name, 32, file) != NULL;
    fclose(file);
    name[strcspn(name, "\n")] = '\0';
    return known;
}

/* One line of /proc/locks: "1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF". The device is
 * left out: some file systems give another number there than to stat(). */
static pid_t holder_in(const char *line, ino_t inode)
{
    unsigned long long locked;
    int pid;

    if (sscanf(line, "%*d: FLOCK %*s %*s %d %*x:%*x:%llu", &pid, &locked) != 2 || locked != inode)
        return 0;
    return pid;
}

pid_t rundir_stranger(const char *run_dir, char name[32])
{
    char path[PATH_MAX + 16], line[256];
    FILE *locks = fopen("/proc/locks", "re");
    struct stat st;
    pid_t pid = 0;

    snprintf(path, sizeof path, "%s/" RUNDIR_LOCK, run_dir);
    if (!locks || stat(path, &st)) {
        if (locks)
            fclose(locks);
        return 0;
    }
    while (!pid && fgets(line, sizeof line, locks)) {
        pid = holder_in(line, st.st_ino);
        if (pid > 0 && (!name_of(pid, name) || !strncmp(name, "troupe", 6)))
            pid = 0;
    }
    fclose(locks);
    return pid > 0 ? pid : 0;
}

bool rundir_is_alive(const struct rundir *dir)
{
    return is_locked(dir->path);
}

/* A base in /tmp could be anybody's: only ours or root's is looked into. */
static bool is_trusted(const char *base)
{
    struct stat st;

    return !lstat(base, &st) && S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0);
}

/* Counts the running nodes below base; their names go to names, one of them to node. */
static int look_below(const char *base, struct buf *names, char node[65])
{
    char path[PATH_MAX];
    struct dirent *entry;
    int count = 0;
    DIR *d = is_trusted(base) ? opendir(base) : NULL;

    if (!d)
        return 0;
    while ((entry = readdir(d))) {
        if (!addr_is_part(entry->d_name, strlen(entry->d_name)) ||
            put_path(path, "%s/%s", base, entry->d_name) || !is_locked(path))
            continue;
        buf_printf(names, "%s%s", count ? ", " : "", entry->d_name);
        snprintf(node, 65, "%s", entry->d_name);
        count++;
    }
    closedir(d);
    return count;
}

static int find_below(const char *base, struct rundir *dir, struct error *err)
{
    struct buf names = {0};
    char node[65];
    int count = look_below(base, &names, node), result = -1;

    if (count == 0)
        error_set(err, ENOENT, "no node is running (looked in %s)", base);
    else if (count > 1)
        error_set(err, EEXIST, "several nodes are running: %.*s: choose one with --node",
                  (int)buf_length(&names), (char *)buf_front(&names));
    else if (!rundir_resolve(node, NULL, dir, err))
        result = put_path(dir->path, "%s/%s", base, node);
    buf_finish(&names);
    return result;
}

int rundir_find(const char *name, struct rundir *dir, struct error *err)
{
    static const char of_root[] = "/run/troupe";
    struct error first = {0}, second = {0};
    char base[PATH_MAX];

    if (environment("TROUPE_RUN"))
        return rundir_resolve(name, NULL, dir, err);
    if (name || environment("TROUPE_NODE")) {
        if (rundir_resolve(name, NULL, dir, err))
            return -1;
        if (rundir_is_alive(dir))
            return 0;
        return error_set(err, ENOENT, "node %s is not running (looked in %s)", dir->node,
                         dir->path);
    }
    if (base_path(base))
        return error_set(err, ENAMETOOLONG, "the path of the run directory is too long");
    if (!find_below(base, dir, &first))
        return 0;
    /* Root's node may let others look. */
    if (first.code == ENOENT && strcmp(base, of_root)) {
        if (!find_below(of_root, dir, &second))
            return 0;
        if (second.code == EEXIST)
            first = second;
    }
    return error_set(err, first.code, "%s", first.text);
}

/* ---- making it ---------------------------------------------------------------------------- */

/* An existing directory: ours, a real one, and nobody else may write into it. */
static int check_ours(const char *path, struct error *err)
{
    struct stat st;

    if (lstat(path, &st))
        return error_set_errno(err, errno, "%s", path);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ENOTDIR, "%s: is not a directory: expected a real one of ours", path);
    if (st.st_uid != geteuid())
        return error_set(err, EPERM, "%s: belongs to user %u: expected a directory of ours", path,
                         (unsigned)st.st_uid);
    if ((st.st_mode & 022) && chmod(path, st.st_mode & 07755))
        return error_set_errno(err, errno, "%s: cannot change its mode", path);
    return 0;
}

/* One directory of the way; one that is there already is checked when it is ours to own. */
static int make_one(const char *path, bool is_last, struct error *err)
{
    if (!mkdir(path, 0711)) {
        if (chmod(path, 0711)) /* whatever the umask is */
            return error_set_errno(err, errno, "%s: cannot change its mode", path);
        return 0;
    }
    if (errno != EEXIST)
        return error_set_errno(err, errno, "%s: cannot create the directory", path);
    if (is_last || !strncmp(path, "/tmp/troupe-", 12))
        return check_ours(path, err);
    return 0;
}

int rundir_create(const struct rundir *dir, struct error *err)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s", dir->path);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (make_one(path, false, err))
            return -1;
        *slash = '/';
    }
    return make_one(path, true, err);
}

/* ---- sockets ------------------------------------------------------------------------------ */

/* Opens the directory of run_dir/path and finds path's last part. -1 with errno. */
static int open_parent(const char *run_dir, const char *path, const char **name)
{
    char whole[PATH_MAX];
    char *slash;
    int fd;

    if (put_path(whole, "%s/%s", run_dir, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    slash = strrchr(whole, '/');
    *slash = '\0';
    *name = addr_name(path);
    fd = open(whole, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOTDIR)
        errno = ENOENT; /* a mailbox stands where a supervisor's directory was sought */
    return fd;
}

/* Directories between run_dir and path's last part; a mailbox that once stood there goes away. */
static int make_parents(const char *run_dir, const char *path)
{
    char whole[PATH_MAX];
    struct stat st;

    if (put_path(whole, "%s/%s", run_dir, path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *slash = strchr(whole + strlen(run_dir) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (!lstat(whole, &st) && S_ISSOCK(st.st_mode))
            unlink(whole);
        if (mkdir(whole, 0711) == 0)
            chmod(whole, 0711);
        else if (errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return 0;
}

static int socket_address(int dir, const char *prefix, const char *name, struct sockaddr_un *sun)
{
    int length;

    *sun = (struct sockaddr_un){.sun_family = AF_UNIX};
    length =
        snprintf(sun->sun_path, sizeof sun->sun_path, "/proc/self/fd/%d/%s%s", dir, prefix, name);
    if (length >= 0 && (size_t)length < sizeof sun->sun_path)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int new_socket(void)
{
    if (fault_hits("socket"))
        return -1;
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int close_with_errno(int fd, int code)
{
    if (fd >= 0)
        close(fd);
    errno = code;
    return -1;
}

/* Binds under another name and renames, so that dialers see the old socket or the new one, never
 * none, and never one that does not listen yet. */
static int listen_in(int dir, const char *name)
{
    static const char prefix[] = ".new-";
    struct sockaddr_un sun;
    char temporary[128];
    int fd = new_socket();

    if (fd < 0 || socket_address(dir, prefix, name, &sun))
        return close_with_errno(fd, errno);
    snprintf(temporary, sizeof temporary, "%s%s", prefix, name);
    if (bind(fd, (struct sockaddr *)&sun, sizeof sun) &&
        (errno != EADDRINUSE || unlinkat(dir, temporary, 0) ||
         bind(fd, (struct sockaddr *)&sun, sizeof sun)))
        return close_with_errno(fd, errno);
    if (fchmodat(dir, temporary, 0666, 0) || listen(fd, SOMAXCONN) ||
        renameat(dir, temporary, dir, name)) {
        int code = errno;

        unlinkat(dir, temporary, 0);
        return close_with_errno(fd, code);
    }
    return fd;
}

int rundir_listen(const char *run_dir, const char *path)
{
    const char *name;
    int dir, fd;

    dir = open_parent(run_dir, path, &name);
    if (dir < 0 && errno == ENOENT && make_parents(run_dir, path) == 0)
        dir = open_parent(run_dir, path, &name);
    if (dir < 0)
        return -1;
    fd = listen_in(dir, name);
    close_with_errno(dir, errno);
    return fd;
}

bool rundir_is_of_service(const char *run_dir, const char *path)
{
    const char *name;
    int dir = open_parent(run_dir, path, &name);
    bool found;

    if (dir < 0)
        return false;
    found = faccessat(dir, RUNDIR_SERVICE, F_OK, 0) == 0;
    close(dir);
    return found;
}

bool rundir_may_be_elsewhere(const char *run_dir, const char *path)
{
    char mark[PATH_MAX];
    const char *name;
    int parent;

    snprintf(mark, sizeof mark, "%s/%s", run_dir, RUNDIR_PLACES);
    if (access(mark, F_OK) < 0)
        return false;
    parent = open_parent(run_dir, path, &name);
    if (parent >= 0)
        close(parent);
    return parent < 0;
}

int rundir_connect(const char *run_dir, const char *path)
{
    struct sockaddr_un sun;
    const char *name;
    int dir = open_parent(run_dir, path, &name), fd = -1;

    if (dir < 0)
        return -1;
    if (socket_address(dir, "", name, &sun))
        return close_with_errno(dir, errno);
    fd = new_socket();
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof sun))
        fd = close_with_errno(fd, errno);
    close_with_errno(dir, errno);
    return fd;
}
