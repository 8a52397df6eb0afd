#include "losses.h"

#include "envelope.h"
#include "loop.h"
#include "sp.h"

enum { KIND_AT = 9 + 1 }; /* in a frame: behind its head and the envelope's version */

static const ev_tstamp tell_after = 1.;

static void tell(struct losses *losses)
{
    uint64_t messages = losses->untold;

    losses->untold = 0;
    if (messages)
        losses->tell(messages);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    tell(container_of(timer, struct losses, timer));
}

void losses_init(struct losses *losses, struct ev_loop *loop, void (*tell_of)(uint64_t messages))
{
    *losses = (struct losses){.loop = loop, .tell = tell_of};
    ev_timer_init(&losses->timer, on_timer, 0., 0.);
}

void losses_finish(struct losses *losses)
{
    ev_timer_stop(losses->loop, &losses->timer);
    tell(losses);
}

void losses_add(struct losses *losses, uint64_t messages)
{
    losses->untold += messages;
    if (!messages || ev_is_active(&losses->timer))
        return;
    ev_now_update(losses->loop);
    ev_timer_set(&losses->timer, tell_after, 0.);
    ev_timer_start(losses->loop, &losses->timer);
}

void losses_add_frames(struct losses *losses, const struct buf *frames)
{
    size_t left = buf_length(frames), size;
    const uint8_t *at = left ? buf_front(frames) : NULL;
    uint64_t messages = 0;

    for (; left && sp_frame_size(at, left, &size) == 0; at += size, left -= size)
        messages += size > KIND_AT && at[KIND_AT] == ENVELOPE_CAST;
    losses_add(losses, messages);
}
