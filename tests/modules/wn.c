/* OTP's naughty_child: as soon as it is ready it cuts itself off from its supervisor, as far as a
 * process can: a session of its own, every descriptor but the standard ones closed, deaf. */
#include <troupe.h>

#include <ev.h>
#include <unistd.h>

static void cut_off(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)timer;
    (void)revents;
    setsid();
    close_range(3, ~0U, 0);
    for (;;)
        pause();
}

static int init(struct troupe *self)
{
    ev_timer *timer = troupe_state(self);

    ev_timer_init(timer, cut_off, 0., 0.);
    ev_timer_start(troupe_loop(self), timer);
    return TROUPE_READY;
}

TROUPE_ACTOR(.state_size = sizeof(ev_timer), .init = init);
