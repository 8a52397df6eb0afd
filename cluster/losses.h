/*
 * Messages that sys/node had taken over and that nobody will get: their mailbox ended, or took no
 * more, and nobody has asked to be told. They are counted, and said once a second at most, so that
 * a flood of them is one line.
 */
#ifndef TROUPE_CLUSTER_LOSSES_H
#define TROUPE_CLUSTER_LOSSES_H

#include "buf.h"

#include <ev.h>
#include <stdint.h>

struct losses {
    struct ev_loop *loop;
    ev_timer timer;
    uint64_t untold;
    void (*tell)(uint64_t messages);
};

void losses_init(struct losses *losses, struct ev_loop *loop, void (*tell)(uint64_t messages));
/* Says what is untold. */
void losses_finish(struct losses *losses);

void losses_add(struct losses *losses, uint64_t messages);
/* As many as there are casts in whole frames: a HELLO that did not go is none. */
void losses_add_frames(struct losses *losses, const struct buf *frames);

#endif
