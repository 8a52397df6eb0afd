#include "yield.h"

#include "call.h"
#include "runtime.h"
#include "seat.h"

#include <stdlib.h>
#include <string.h>

static void destroy(struct contact *old)
{
    LIST_REMOVE(old, in_leaving);
    peer_close(old->peer, true);
    buf_finish(&old->returned);
    free(old);
}

static bool is_leaving_already(const struct contact *contact)
{
    const struct contact *old;

    LIST_FOREACH(old, &contact->self->contacts.leaving, in_leaving)
    if (strcmp(old->path, contact->path) == 0)
        return true;
    return false;
}

/* A subscription is bound to its connection; one at a time is left, so that not all seats are
 * taken by those who only wait for answers; and one that returns messages is about to end. */
static bool may_leave(const struct contact *contact)
{
    return contact->peer && !contact->is_old && !contact->old && contact->subscribers == 0 &&
           buf_length(&contact->returned) == 0 && !is_leaving_already(contact);
}

/* The connection, with the calls that are under way on it, apart from what comes next. */
static void part(struct contact *contact, struct contact *old)
{
    old->is_old = true;
    old->successor = contact;
    old->peer = contact->peer;
    peer_set_data(old->peer, old);
    call_hand_over(contact, old);
    LIST_INSERT_HEAD(&contact->self->contacts.leaving, old, in_leaving);
    contact->old = old;
    contact->peer = NULL;
    contact->flushed = 0;
}

static void on_asked(struct contact *contact)
{
    struct envelope last = {.kind = ENVELOPE_CAST, .type = envelope_text(SEAT_YIELDED)};
    struct contact *old = may_leave(contact) ? contact_make(contact->self, contact->path) : NULL;

    if (!old)
        return; /* it will be asked again */
    if (peer_send(contact->peer, &last, -1) < 0)
        free(old);
    else
        part(contact, old);
}

static void rejoin(struct contact *contact)
{
    contact->old->successor = NULL;
    contact->old = NULL;
}

/* Everything that was sent has been taken: what was held back may follow. */
static void on_taken(struct contact *old)
{
    struct contact *contact = old->successor;

    if (!contact)
        return;
    rejoin(contact);
    contact_send_held(contact);
}

void yield_on_event(struct contact *contact, const struct envelope *env)
{
    if (envelope_text_equals(env->type, SEAT_YIELD))
        on_asked(contact);
    else if (envelope_text_equals(env->type, SEAT_YIELDED) && contact->is_old)
        on_taken(contact);
}

/* First what came back, what the kernel had not taken, then what was held back: all in places of one
 * stream. */
static void go_on_after(struct contact *old, struct buf *left)
{
    struct contact *contact = old->successor;
    bool is_whole = contact_put_returned_first(old, left) == 0;
    uint64_t head = buf_length(left);

    rejoin(contact);
    call_move(old, peer_place(old->peer), head);
    call_move(contact, 0, head);
    call_hand_over(old, contact);
    if (!is_whole || buf_append(left, buf_front(&contact->held), buf_length(&contact->held)) < 0)
        contact_fail(contact, left, "down unknown");
    else
        contact_go_on(contact, buf_length(left), left);
    buf_finish(&contact->held);
}

void yield_on_close(struct contact *old)
{
    struct buf left = peer_leftover(old->peer);

    call_on_lost(old, peer_written(old->peer), peer_remote(old->peer));
    if (old->successor)
        go_on_after(old, &left);
    else
        call_fail_all(old, "down unknown"); /* it said that it had taken all, and returns some */
    buf_finish(&left);
    old->peer = NULL;
    yield_check(old);
}

void yield_check(struct contact *old)
{
    if (!old->successor && TAILQ_EMPTY(&old->calls) && old->visits == 0)
        destroy(old);
}
