#include "epochs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { AT_A_TIME = 4096 };

void epochs_init(struct epochs *epochs, const char *state_dir)
{
    *epochs = (struct epochs){.state_dir = state_dir};
}

/* The locked file; -1 with errno. */
static int open_file(const char *state_dir)
{
    char path[PATH_MAX + 16];
    int fd;

    snprintf(path, sizeof path, "%s/epochs", state_dir);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR) {
            close(fd);
            return -1;
        }
    return fd;
}

/* An empty file is a new one; anything but a number is not ours to guess at. */
static int read_number(int fd, uint64_t *number)
{
    char text[32] = "", *end;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);

    if (n < 0)
        return -1;
    *number = 1;
    if (n == 0)
        return 0;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (errno || end == text || *end != '\n' || !*number) {
        errno = EBADMSG;
        return -1;
    }
    return 0;
}

/* On the disk before any of them is used. It only grows, so that no digit is left behind. */
static int write_number(int fd, uint64_t number)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRIu64 "\n", number);

    errno = EIO; /* of a write that was cut short */
    return pwrite(fd, text, (size_t)n, 0) == n && fdatasync(fd) == 0 ? 0 : -1;
}

uint64_t epochs_take(struct epochs *epochs)
{
    uint64_t next;
    int fd, failed, saved;

    if (epochs->next < epochs->end)
        return epochs->next++;
    fd = open_file(epochs->state_dir);
    if (fd < 0)
        return 0;
    failed = read_number(fd, &next) < 0 || write_number(fd, next + AT_A_TIME) < 0;
    saved = errno;
    close(fd);
    errno = saved;
    if (failed)
        return 0;
    epochs->next = next + 1;
    epochs->end = next + AT_A_TIME;
    return next;
}
