#include "node_lock.h"

#include "rundir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BOOT_MAX = 64 };

static bool read_boot(char out[BOOT_MAX])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool is_read = file && fgets(out, BOOT_MAX, file);

    if (file)
        fclose(file);
    if (is_read)
        out[strcspn(out, "\n")] = '\0';
    return is_read && *out;
}

void node_lock_text(const char *run_dir, char out[NODE_LOCK_MAX + 1])
{
    char boot[BOOT_MAX], path[PATH_MAX];
    struct stat st;
    int n;

    *out = '\0';
    snprintf(path, sizeof path, "%s/%s", run_dir, RUNDIR_LOCK);
    if (*path != '/' || strchr(path, ' ') || !read_boot(boot) || stat(path, &st) < 0)
        return;
    n = snprintf(out, NODE_LOCK_MAX + 1, "%s:%" PRIuMAX ":%" PRIuMAX ":%s", boot,
                 (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, path);
    if (n > NODE_LOCK_MAX)
        *out = '\0';
}

static bool is_that_file(int fd, uintmax_t device, uintmax_t inode)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (uintmax_t)st.st_dev == device && (uintmax_t)st.st_ino == inode;
}

bool node_lock_is_free(const char *text, const char *own)
{
    size_t boot = strcspn(own, ":");
    uintmax_t device, inode;
    int at = 0, fd;
    bool is_free;

    if (!boot || strncmp(text, own, boot + 1) != 0 ||
        sscanf(text + boot + 1, "%" SCNuMAX ":%" SCNuMAX ":%n", &device, &inode, &at) != 2 || !at)
        return false;
    text += boot + 1;
    fd = open(text + at, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    is_free = is_that_file(fd, device, inode) && flock(fd, LOCK_SH | LOCK_NB) == 0;
    close(fd);
    return is_free;
}
