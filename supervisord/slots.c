#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

int slots_reserve(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd < SLOT_FIRST_FREE - 1);
    if (fd < 0)
        return -1;
    if (fd >= SLOT_FIRST_FREE)
        close(fd);
    return 0;
}

int slots_move_up(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, SLOT_FIRST_FREE);

    if (moved >= 0)
        close(fd);
    return moved;
}

int slots_put(int from, int to)
{
    if (from < 0) {
        close(to);
        return 0;
    }
    return dup2(from, to) < 0 ? -1 : 0;
}

void slots_close_rest(void)
{
    if (syscall(SYS_close_range, SLOT_FIRST_FREE, ~0U, 0) == 0)
        return;
    for (long fd = SLOT_FIRST_FREE, end = sysconf(_SC_OPEN_MAX); fd < end; fd++)
        close((int)fd);
}
