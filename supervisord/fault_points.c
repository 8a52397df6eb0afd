/*
 * Test builds only: the linker sends the calls named in sources.mk (FAULT_CALLS) here, so that each
 * can be made to fail by lib/fault.h without a word in the sources. Calls within shared libraries are
 * not seen.
 */
#include "fault.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/types.h>

/* A call that fails at its point, or is what it is. */
#define POINT(point, type, failed, name, parameters, arguments) \
    type __real_##name parameters;                              \
    type __wrap_##name parameters;                              \
    type __wrap_##name parameters                               \
    {                                                           \
        return fault_hits(point) ? (failed) : __real_##name arguments; \
    }

POINT("malloc", void *, NULL, malloc, (size_t size), (size))
POINT("malloc", void *, NULL, calloc, (size_t n, size_t size), (n, size))
POINT("malloc", void *, NULL, realloc, (void *block, size_t size), (block, size))
POINT("malloc", char *, NULL, strdup, (const char *text), (text))
POINT("fork", pid_t, -1, fork, (void), ())
POINT("socket", int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
POINT("socket", int, -1, socketpair, (int domain, int type, int protocol, int ends[2]),
      (domain, type, protocol, ends))
POINT("socket", int, -1, accept4,
      (int fd, struct sockaddr *address, socklen_t *length, int flags),
      (fd, address, length, flags))
POINT("pipe", int, -1, pipe2, (int ends[2], int flags), (ends, flags))
POINT("write", ssize_t, -1, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
POINT("write", ssize_t, -1, send, (int fd, const void *bytes, size_t size, int flags),
      (fd, bytes, size, flags))
POINT("write", ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags),
      (fd, message, flags))
POINT("open", FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
POINT("open", int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
POINT("map", void *, MAP_FAILED, mmap,
      (void *at, size_t size, int protection, int flags, int fd, off_t offset),
      (at, size, protection, flags, fd, offset))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return fault_hits("open") ? -1 : __real_open(path, flags, mode);
}
