#include "cookie.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* NULL, or why these bytes are none. */
static const char *measure(struct cookie *cookie, ssize_t size)
{
    if (size < 0)
        return strerror(errno);
    if (size > 0 && cookie->bytes[size - 1] == '\n')
        size--;
    if (size < COOKIE_MIN)
        return "too short";
    if (size > COOKIE_MAX)
        return "too long";
    cookie->size = (size_t)size;
    return NULL;
}

static const char *read_open(int fd, struct cookie *cookie)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "no ordinary file";
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return "others may read or write it";
    return measure(cookie, read(fd, cookie->bytes, sizeof cookie->bytes));
}

int cookie_read(const char *file, struct cookie *cookie, const char **why)
{
    int fd =
        open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* a FIFO is not waited for */

    *why = fd < 0 ? strerror(errno) : read_open(fd, cookie);
    if (fd >= 0)
        close(fd);
    return *why ? -1 : 0;
}
