#include "fanout.h"

#include "addr.h"
#include "group_name.h"
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

struct fanout_waiter {
    struct fanout_waiter *next;
    uint64_t number, ref;
    uint64_t asked; /* the mailbox, behind all that it was sent before */
};

struct fanout_target {
    struct fanout *fanout;
    struct peer *peer;
    struct fanout_waiter *waiters; /* for what was sent to be handled */
    uint64_t last_asked;
    UT_hash_handle hh;
    char path[]; /* the key */
};

static void tell_settled(struct fanout_target *target, struct fanout_waiter **at)
{
    struct fanout_waiter *waiter = *at;

    *at = waiter->next;
    target->fanout->settled(target->fanout->data, waiter->number, waiter->ref);
    free(waiter);
}

static void forget(struct fanout_target *target)
{
    while (target->waiters)
        tell_settled(target, &target->waiters);
    HASH_DEL(target->fanout->targets, target);
    free(target);
}

/* An answer to what it was asked, whatever it says: it has handled what came before. Else a refusal: the
 * member has ended meanwhile, and has left. */
static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct fanout_target *target = peer_data(peer);
    struct fanout_waiter **at = &target->waiters;

    if (fd >= 0)
        close(fd);
    while (*at && (*at)->asked != env->ref)
        at = &(*at)->next;
    if (!*at)
        return;
    tell_settled(target, at);
    if (!target->waiters)
        peer_set_idle_close(peer, SP_IDLE_MS);
}

static void on_close(struct peer *peer, const char *why)
{
    struct fanout_target *target = peer_data(peer);
    struct buf left = peer_leftover(peer);

    (void)why;
    losses_add_frames(target->fanout->losses, &left);
    buf_finish(&left);
    forget(target);
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static struct fanout_target *dial(struct fanout *fanout, const char *path)
{
    size_t length = strlen(path);
    struct fanout_target *target = calloc(1, sizeof *target + length + 1);

    if (!target)
        return NULL;
    target->fanout = fanout;
    memcpy(target->path, path, length + 1);
    target->peer = peer_dial_mailbox(fanout->loop, fanout->run_dir, path, fanout->self, NULL,
                                     &handlers, target);
    if (!target->peer) {
        free(target);
        return NULL;
    }
    peer_set_idle_close(target->peer, SP_IDLE_MS);
    HASH_ADD_KEYPTR(hh, fanout->targets, target->path, length, target);
    return target;
}

static struct fanout_target *find(const struct fanout *fanout, const char *path)
{
    struct fanout_target *target = NULL;

    HASH_FIND_STR(fanout->targets, path, target);
    return target;
}

void fanout_send(struct fanout *fanout, const char *member, const char *from,
                 const struct envelope *env)
{
    char path[ADDR_TEXT_MAX + 1];
    struct envelope copy = *env;
    struct fanout_target *target;

    snprintf(path, sizeof path, "%.*s", (int)strcspn(member, "#"), member);
    target = find(fanout, path);
    if (!target)
        target = dial(fanout, path);
    copy.to = envelope_text(member);
    copy.from = envelope_text(from);
    copy.blocked_count = 0;
    copy.flags &= (uint16_t)~ENVELOPE_WANTS_UNDELIVERED; /* nobody here could tell who sent it */
    if (!target || peer_send(target->peer, &copy, -1) < 0)
        losses_add(fanout->losses, 1);
}

/* The kernel's having taken it is not enough: the mailbox reads its connections by turns. */
static int ask(struct fanout_target *target, struct fanout_waiter *waiter)
{
    const struct envelope call = {.kind = ENVELOPE_CALL,
                                  .ref = ++target->last_asked,
                                  .type = envelope_text(GROUP_SETTLED)};

    waiter->asked = call.ref;
    if (peer_send(target->peer, &call, -1) < 0)
        return -1;
    peer_set_idle_close(target->peer, 0);
    waiter->next = target->waiters;
    target->waiters = waiter;
    return 0;
}

void fanout_settle(struct fanout *fanout, const char *path, uint64_t number, uint64_t ref)
{
    struct fanout_target *target = find(fanout, path);
    struct fanout_waiter *waiter = target ? calloc(1, sizeof *waiter) : NULL;

    if (waiter) {
        waiter->number = number;
        waiter->ref = ref;
        if (ask(target, waiter) == 0)
            return;
        free(waiter);
    }
    fanout->settled(fanout->data, number, ref);
}

void fanout_finish(struct fanout *fanout)
{
    while (fanout->targets) {
        struct fanout_target *target = fanout->targets;

        peer_close(target->peer, true);
        forget(target);
    }
}
