/*
 * Deliveries: one call to an actor that sys/node makes itself, wherever on this node or on another
 * the actor is; one of a service is started by it (summons.h). What nobody has begun to read goes
 * again, until the time is up; what may have been handled does not.
 */
#ifndef TROUPE_CLUSTER_DELIVERY_H
#define TROUPE_CLUSTER_DELIVERY_H

#include "wire.h"

#include <ev.h>
#include <stdint.h>

struct delivery;

/* failure: NULL, or a line by SEMANTICS 6; `down unknown` when the actor ended with it. The
 * delivery is freed when this returns. */
typedef void delivery_done(void *data, const char *failure);

struct delivery_options {
    struct ev_loop *loop;
    const char *run_dir, *self; /* borrowed; self: the caller's address */
    const char *path, *node;    /* node "": this one */
    const char *message;
    const struct wire_image *arguments;
    int64_t patience_ms;
    delivery_done *done; /* never before delivery_send() returns */
    void *data;
};

/* All but run_dir and self is copied. */
struct delivery *delivery_send(const struct delivery_options *options);
/* Without a word. Takes NULL. */
void delivery_cancel(struct delivery *delivery);

#endif
