#include "loop.h"

#include <signal.h>

struct ev_loop *loop_create(void)
{
    signal(SIGPIPE, SIG_IGN);
    return ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
}

struct ev_loop *loop_after_fork(struct ev_loop *inherited, ev_signal *const *signals, size_t n)
{
    sigset_t none;

    for (size_t i = 0; i < n; i++)
        ev_signal_stop(inherited, signals[i]);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    return loop_create();
}
