#include "last_port.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LAST_PORT     "sys/.node-port"
#define LAST_PORT_NEW "sys/.node-port.new"

enum { TEXT_SIZE = 8 };

static int open_in(const char *run_dir, const char *name, int flags)
{
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", run_dir, name);
    return open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

uint16_t last_port_read(const char *run_dir)
{
    int fd = open_in(run_dir, LAST_PORT, O_RDONLY);
    char text[TEXT_SIZE] = "";
    uint64_t port = 0;

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) <= 0 || text_unsigned(text, 1, UINT16_MAX, &port) < 0)
        port = 0;
    close(fd);
    return (uint16_t)port;
}

static int put_in_place(const char *run_dir)
{
    char from[PATH_MAX], to[PATH_MAX];

    snprintf(from, sizeof from, "%s/%s", run_dir, LAST_PORT_NEW);
    snprintf(to, sizeof to, "%s/%s", run_dir, LAST_PORT);
    return rename(from, to);
}

int last_port_write(const char *run_dir, uint16_t port)
{
    int fd = open_in(run_dir, LAST_PORT_NEW, O_WRONLY | O_CREAT | O_TRUNC);
    char text[TEXT_SIZE];
    int length = snprintf(text, sizeof text, "%u", port);
    int result;

    if (fd < 0)
        return -1;
    result = write(fd, text, (size_t)length) == length ? 0 : -1;
    close(fd);
    return result == 0 ? put_in_place(run_dir) : -1;
}
