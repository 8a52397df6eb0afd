#include "delivery.h"

#include "addr.h"
#include "loop.h"
#include "memory.h"
#include "mono.h"
#include "peer.h"
#include "reason.h"
#include "summons.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REF = 1, AGAIN_MS = 10, AGAIN_MAX_MS = 1000 };

struct delivery {
    struct ev_loop *loop;
    const char *run_dir, *self;
    char path[ADDR_PATH_MAX + 1];
    char node[ADDR_PART_MAX + 1]; /* where it is dialled; "": here */
    bool is_bound;                /* there, and nowhere else */
    char *message;
    struct wire_image arguments;
    struct mono deadline;
    delivery_done *done;
    void *data;

    struct peer *peer;
    uint64_t place; /* where the message ends in the connection's stream */
    bool is_open;   /* the other has begun to listen */
    bool is_returned; /* … and has ended without having taken it */
    unsigned tries; /* that nobody listened to */
    unsigned summoned;
    struct hotlines hotlines;
    struct summons *summons;
    ev_timer again, limit;
};

static void finish(struct delivery *delivery, const char *failure)
{
    delivery->done(delivery->data, failure);
    delivery_cancel(delivery);
}

static void dial(struct delivery *delivery);

/* ---- one that is not there ------------------------------------------------------------------- */

static void on_summoned(void *data, const char *node, const char *failure)
{
    struct delivery *delivery = data;

    delivery->summons = NULL; /* it ends with this */
    snprintf(delivery->node, sizeof delivery->node, "%s", node);
    if (failure)
        finish(delivery, failure);
    else
        dial(delivery);
}

/* False: nobody can be asked for it. */
static bool summon(struct delivery *delivery, const char *why)
{
    if (delivery->is_bound)
        return false;
    delivery->summons = summons_send(&delivery->hotlines, delivery->path, delivery->node,
                                     &delivery->summoned, why, on_summoned, delivery);
    return delivery->summons != NULL;
}

/* ---- the end of a connection ----------------------------------------------------------------- */

static void try_again(struct delivery *delivery)
{
    int64_t ms = AGAIN_MS;

    for (unsigned i = 0; i < delivery->tries && ms < AGAIN_MAX_MS; i++)
        ms *= 2;
    delivery->tries++;
    ev_now_update(delivery->loop);
    ev_timer_set(&delivery->again, (double)ms / 1000, 0.);
    ev_timer_start(delivery->loop, &delivery->again);
}

static void on_close(struct peer *peer, const char *why)
{
    struct delivery *delivery = peer_data(peer);
    bool is_read =
        delivery->is_open && peer_written(peer) >= delivery->place && !delivery->is_returned;

    delivery->peer = NULL;
    delivery->is_open = delivery->is_returned = false;
    if (is_read)
        finish(delivery, "down unknown");
    else if (summon(delivery, why))
        return;
    else if (peer_is_final(why))
        finish(delivery, why);
    else
        try_again(delivery);
}

/* ---- what comes back ------------------------------------------------------------------------- */

static void on_open(struct peer *peer)
{
    struct delivery *delivery = peer_data(peer);

    delivery->is_open = true;
    delivery->summoned = 0;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct delivery *delivery = peer_data(peer);
    char failure[REASON_MAX];

    if (fd >= 0)
        close(fd);
    if (env->ref != REF)
        return;
    if (env->kind == ENVELOPE_REPLY) {
        finish(delivery, NULL);
    } else if (env->kind == ENVELOPE_ERROR) {
        snprintf(failure, sizeof failure, "%.*s", (int)env->payload_size,
                 env->payload_size ? (const char *)env->payload : "");
        finish(delivery, failure);
    } else if (env->kind == ENVELOPE_CALL) {
        delivery->is_returned = true;
    }
}

/* ---- sending --------------------------------------------------------------------------------- */

static int transmit(struct delivery *delivery)
{
    struct envelope env = {.kind = ENVELOPE_CALL,
                           .flags = ENVELOPE_TYPED,
                           .ref = REF,
                           .deadline_us = (uint64_t)delivery->deadline.us,
                           .type = envelope_text(delivery->message),
                           .payload = delivery->arguments.data,
                           .payload_size = (uint32_t)delivery->arguments.size};

    if (peer_send(delivery->peer, &env, -1) < 0)
        return -1;
    delivery->place = peer_place(delivery->peer);
    return 0;
}

static void dial(struct delivery *delivery)
{
    static const struct peer_handlers handlers = {
        .on_open = on_open, .on_envelope = on_envelope, .on_close = on_close};
    char path[SUMMONS_PATH_MAX + 1];

    summons_path(delivery->path, delivery->node, path);
    delivery->peer = peer_dial_mailbox(delivery->loop, delivery->run_dir, path, delivery->self,
                                       NULL, &handlers, delivery);
    if (delivery->peer && transmit(delivery) == 0)
        return;
    peer_close(delivery->peer, false);
    delivery->peer = NULL;
    try_again(delivery);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    dial(container_of(timer, struct delivery, again));
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    finish(container_of(timer, struct delivery, limit), "timeout");
}

/* ---- life ------------------------------------------------------------------------------------ */

struct delivery *delivery_send(const struct delivery_options *options)
{
    struct delivery *delivery = memory_zeroed(sizeof *delivery);

    delivery->loop = options->loop;
    delivery->run_dir = options->run_dir;
    delivery->self = options->self;
    snprintf(delivery->path, sizeof delivery->path, "%s", options->path);
    snprintf(delivery->node, sizeof delivery->node, "%s", options->node);
    hotlines_init(&delivery->hotlines, options->loop, options->run_dir, options->self);
    delivery->is_bound = *options->node != '\0';
    delivery->message = memory_text(options->message);
    delivery->arguments.size = options->arguments->size;
    delivery->arguments.data = memory_resize(NULL, options->arguments->size, 1);
    memcpy(delivery->arguments.data, options->arguments->data, options->arguments->size);
    delivery->deadline = mono_add_ms(mono_now(), options->patience_ms);
    delivery->done = options->done;
    delivery->data = options->data;
    ev_init(&delivery->again, on_again);
    ev_timer_init(&delivery->limit, on_limit, (double)options->patience_ms / 1000, 0.);
    ev_now_update(delivery->loop);
    ev_timer_start(delivery->loop, &delivery->limit);
    dial(delivery);
    return delivery;
}

void delivery_cancel(struct delivery *delivery)
{
    if (!delivery)
        return;
    ev_timer_stop(delivery->loop, &delivery->again);
    ev_timer_stop(delivery->loop, &delivery->limit);
    summons_cancel(delivery->summons);
    hotlines_finish(&delivery->hotlines);
    peer_close(delivery->peer, false);
    free(delivery->message);
    free(delivery->arguments.data);
    free(delivery);
}
