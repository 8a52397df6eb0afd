#include "loop.h"

#include <signal.h>
#include <stdlib.h>

/* libev has no word for "no memory". A size of 0 frees. */
static void *for_libev(void *block, long size) EV_NOEXCEPT
{
    void *resized;

    if (size <= 0) {
        free(block);
        return NULL;
    }
    resized = realloc(block, (size_t)size);
    if (!resized)
        abort();
    return resized;
}

void loop_share_memory(void)
{
    ev_set_allocator(for_libev);
}

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

static void on_time(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents;
}

void loop_run_for(struct ev_loop *loop, int64_t ms)
{
    ev_timer limit;

    if (ms <= 0) {
        ev_run(loop, EVRUN_NOWAIT);
        return;
    }
    ev_now_update(loop);
    ev_timer_init(&limit, on_time, (double)ms / 1000, 0.);
    ev_timer_start(loop, &limit);
    ev_run(loop, EVRUN_ONCE);
    ev_timer_stop(loop, &limit);
}
