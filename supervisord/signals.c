#include "signals.h"

#include "loop.h"
#include "thinfork.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { AT_ONCE = 16 };

static bool is_end_of_child(uint32_t number)
{
    return number == SIGCHLD || number == THINFORK_SIGNAL;
}

/* Several that are the same come as one, and all that have come are one reading: whose child has
 * ended is looked for afterwards. */
static void on_readable(struct ev_loop *loop, ev_io *io, int revents)
{
    struct signals *signals = container_of(io, struct signals, io);
    struct signalfd_siginfo heard[AT_ONCE];
    bool child_ended = false, shall_end = false;
    ssize_t n = read(io->fd, heard, sizeof heard);

    (void)revents;
    for (ssize_t i = 0; i < n / (ssize_t)sizeof *heard; i++) {
        child_ended |= is_end_of_child(heard[i].ssi_signo);
        shall_end |= heard[i].ssi_signo == SIGTERM || heard[i].ssi_signo == SIGINT;
    }
    if (child_ended)
        signals->on_end_of_child(loop);
    if (shall_end)
        signals->on_wish_to_end(loop);
}

int signals_begin(struct signals *signals, struct ev_loop *loop)
{
    static const int ours[] = {SIGCHLD, THINFORK_SIGNAL, SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    int fd;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        sigaddset(&set, ours[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -1;
    ev_io_init(&signals->io, on_readable, fd, EV_READ);
    ev_set_priority(&signals->io, 1); /* an end is known before what comes of it is heard */
    ev_io_start(loop, &signals->io);
    return 0;
}

void signals_leave(void)
{
    sigset_t none;

    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
