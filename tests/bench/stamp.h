/* A record that a newborn process writes into a FIFO: small enough to be written whole. */
#ifndef BENCH_STAMP_H
#define BENCH_STAMP_H

#include <fcntl.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { STAMP_READY_FD = 9 }; /* the notification-fd of s6, as tests/bench/run writes it down */

struct stamp {
    int64_t ns; /* CLOCK_MONOTONIC, the first thing that the process looked at */
    int64_t pid;
};

static inline int64_t stamp_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Returns 0, or 1 when nobody can be told. */
static inline int stamp_write(const char *fifo, int64_t ns)
{
    struct stamp stamp = {ns, getpid()};
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    ssize_t written;

    if (fd < 0)
        return 1;
    written = write(fd, &stamp, sizeof stamp);
    close(fd);
    return written != (ssize_t)sizeof stamp;
}

#endif
