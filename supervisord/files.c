#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t read_small_file(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return -1;
    n = read(fd, out, size - 1);
    close(fd);
    if (n >= 0)
        out[n] = '\0';
    return n;
}

int make_directory(const char *run_dir, const char *path)
{
    char full[PATH_MAX];
    size_t base = strlen(run_dir);

    if (snprintf(full, sizeof full, "%s/%s", run_dir, path) >= (int)sizeof full) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (char *at = full + base + 1;; at++) {
        char held = *at;

        if (held && held != '/')
            continue;
        *at = '\0';
        if (mkdir(full, 0711) < 0 && errno != EEXIST)
            return -1;
        *at = held;
        if (!held)
            return 0;
    }
}

typedef bool keeper(const char *name, void *ctx);

static int empty_at(int dir_fd, keeper *keep, void *ctx);

static int remove_entry(int dir_fd, const char *name)
{
    int fd, result;

    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -1;
    fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    result = empty_at(fd, NULL, NULL);
    if (result == 0)
        result = unlinkat(dir_fd, name, AT_REMOVEDIR);
    return result;
}

/* Takes the descriptor over. */
static int empty_at(int dir_fd, keeper *keep, void *ctx)
{
    DIR *dir = fdopendir(dir_fd);
    struct dirent *entry;
    int result = 0;

    if (!dir) {
        close(dir_fd);
        return -1;
    }
    while ((entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            (keep && keep(entry->d_name, ctx)))
            continue;
        if (remove_entry(dirfd(dir), entry->d_name) < 0)
            result = -1;
    }
    closedir(dir);
    return result;
}

int keep_in_directory(const char *path, bool (*keep)(const char *name, void *ctx), void *ctx)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -1 : empty_at(fd, keep, ctx);
}

static bool is_name(const char *name, void *kept)
{
    return kept && !strcmp(name, kept);
}

int empty_directory(const char *path, const char *keep)
{
    return keep_in_directory(path, is_name, (void *)keep);
}

int remove_directory(const char *path)
{
    if (empty_directory(path, NULL) < 0 && errno != ENOENT)
        return -1;
    return rmdir(path);
}

/* Takes the descriptor over. */
static void remove_sockets_at(int dir_fd)
{
    DIR *dir = fdopendir(dir_fd);
    struct dirent *entry;
    struct stat st;

    if (!dir) {
        close(dir_fd);
        return;
    }
    while ((entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISSOCK(st.st_mode))
            unlinkat(dirfd(dir), entry->d_name, 0);
        else if (S_ISDIR(st.st_mode)) {
            int below = openat(dirfd(dir), entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            if (below >= 0)
                remove_sockets_at(below);
        }
    }
    closedir(dir);
}

void remove_sockets(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        remove_sockets_at(fd);
}

bool directory_is_empty(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;
    bool empty = dir != NULL;

    while (empty && (entry = readdir(dir)))
        empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
    if (dir)
        closedir(dir);
    return empty;
}
