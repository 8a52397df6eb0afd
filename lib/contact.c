#include "contact.h"

#include "call.h"
#include "following.h"
#include "runtime.h"
#include "seat.h"
#include "subscription.h"
#include "undelivered.h"
#include "yield.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int64_t contact_sweep_ms = 10000;

/* ---- what comes back ----------------------------------------------------------------------- */

/* Only sys/node returns anything, and only what went to who had been reached: a mailbox that says
 * such a thing itself would have us say it to its next life. */
static bool may_return(const struct contact *contact)
{
    return (*contact->node || *addr_node_part(contact->path)) && *peer_remote(contact->peer);
}

static bool is_wanted_again(const struct contact *contact, const struct envelope *env)
{
    return env->kind == ENVELOPE_CALL ? call_is_out(contact, env->ref)
                                      : !envelope_text_equals(env->type, SEAT_YIELDED);
}

/* A message that its mailbox, on another node, did not take. The end of the connection follows. */
static void on_returned(struct contact *contact, const struct envelope *env)
{
    bool is_call = env->kind == ENVELOPE_CALL;

    if (!may_return(contact) || !is_wanted_again(contact, env))
        return;
    if (peer_frame_append(&contact->returned, env) == 0) {
        if (is_call)
            call_on_returned(contact, env->ref, buf_length(&contact->returned));
    } else if (!is_call && env->flags & ENVELOPE_WANTS_UNDELIVERED) {
        char name[ENVELOPE_NAME_MAX + 1];

        envelope_text_copy(env->type, name, sizeof name);
        undelivered_cast(contact->self, contact->path, name, "overloaded");
    }
}

int contact_put_returned_first(struct contact *contact, struct buf *frames)
{
    struct buf returned = contact->returned;

    if (buf_length(&returned) == 0)
        return 0;
    contact->returned = (struct buf){0};
    if (buf_append(&returned, buf_front(frames), buf_length(frames)) < 0) {
        buf_finish(&returned);
        return -1;
    }
    buf_finish(frames);
    *frames = returned;
    return 0;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct contact *contact = peer_data(peer);

    if (fd >= 0)
        close(fd);
    contact->visits++;
    switch (env->kind) {
    case ENVELOPE_REPLY:
    case ENVELOPE_CONTROL_REPLY:
        call_on_answer(contact, env);
        break;
    case ENVELOPE_ERROR:
        if (env->ref)
            call_on_answer(contact, env);
        else
            undelivered_refused(contact->self, contact->path, env);
        break;
    case ENVELOPE_EVENT:
        if (env->ref)
            subscription_on_event(contact, env);
        else
            yield_on_event(contact, env);
        break;
    case ENVELOPE_CALL:
    case ENVELOPE_CAST:
        on_returned(contact, env);
        break;
    default: /* requests flow from dialer to listener only */
        break;
    }
    contact->visits--;
    if (contact->is_old)
        yield_check(contact);
}

/* ---- the end of a connection --------------------------------------------------------------- */

/* The failure that its callers hear when it was never a connection at all. */
static const char *failure_of(const char *why)
{
    static const char *const known[] = {"noproc", "noconnection", "overloaded", "denied"};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strncmp(why, known[i], strlen(known[i])) == 0)
            return known[i];
    return "down unknown";
}

/* Nobody was reached: nothing of all this will ever be handled. */
static void fail_with(struct contact *contact, const struct buf *frames, const char *failure)
{
    contact->summoned = 0; /* who sends after this has not asked for it yet */
    undelivered_frames(contact->self, contact->path, frames, failure);
    call_fail_all(contact, failure);
    lookup_on_nobody(contact);
}

void contact_fail(struct contact *contact, const struct buf *frames, const char *why)
{
    fail_with(contact, frames, failure_of(why));
}

static int dial(struct contact *contact, const struct buf *leftover);

void contact_go_on(struct contact *contact, uint64_t end, const struct buf *frames)
{
    if (buf_length(frames) == 0)
        return;
    if (dial(contact, frames) < 0)
        contact_fail(contact, frames, "down unknown");
    else
        call_move(contact, end, peer_place(contact->peer));
}

static bool has_taken_a_frame(const struct contact *contact, const struct peer *peer,
                              const struct buf *leftover)
{
    return peer_place(peer) - buf_length(leftover) - buf_length(&contact->returned) > contact->begin;
}

void contact_send_held(struct contact *contact)
{
    struct buf held = contact->held;

    contact->held = (struct buf){0};
    contact_go_on(contact, buf_length(&held), &held);
    buf_finish(&held);
}

static void on_redial(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    contact_send_held(container_of(timer, struct contact, redial));
}

static int64_t redial_ms(unsigned cuts)
{
    int64_t ms = CONTACT_REDIAL_MS;

    while (--cuts > 0 && ms < CONTACT_REDIAL_MAX_MS)
        ms *= 2;
    return ms < CONTACT_REDIAL_MAX_MS ? ms : CONTACT_REDIAL_MAX_MS;
}

/* Who greets, and cuts the same frame again and again, is dialled ever more seldom, and then no more. */
static void redial_later(struct contact *contact, struct buf *leftover)
{
    struct troupe *self = contact->self;
    struct mono now = mono_now();

    if (contact->cuts++ == 0)
        contact->cut_since = now;
    if (mono_diff_ms(now, contact->cut_since) >= CONTACT_GIVE_UP_MS) {
        contact->cuts = 0;
        contact_fail(contact, leftover, "end of stream");
        return;
    }
    contact->held = *leftover;
    *leftover = (struct buf){0};
    ev_now_update(self->loop);
    ev_timer_set(&contact->redial, (double)redial_ms(contact->cuts) / 1000, 0.);
    ev_timer_start(self->loop, &contact->redial);
}

/* ---- actors of services -------------------------------------------------------------------- */

/* It is there: who only wants to know that has nothing to send. */
static void on_summoned(void *data, const char *node, const char *failure)
{
    struct contact *contact = data;
    struct buf held = contact->held;
    struct troupe *self = contact->self;

    contact->summons = NULL; /* it ends with this */
    snprintf(contact->node, sizeof contact->node, "%s", node);
    agenda_hold(self);
    if (failure) {
        contact->held = (struct buf){0};
        fail_with(contact, &held, failure);
        buf_finish(&held);
    } else if (buf_length(&held) > 0) {
        contact_send_held(contact);
    } else if (dial(contact, NULL) < 0) {
        contact_fail(contact, &held, "down unknown");
    }
    agenda_let_go(self);
}

/* Each connection says its own HELLO. */
static void drop_hello(const struct contact *contact, const struct peer *peer, struct buf *leftover)
{
    uint64_t start = peer_place(peer) - buf_length(leftover);

    if (start < contact->begin)
        buf_consume(leftover, (size_t)(contact->begin - start));
}

/* Its service is asked for it, and what is to go there waits. False: that cannot help. */
static bool summon(struct contact *contact, struct peer *peer, struct buf *leftover, const char *why)
{
    contact->summons = summons_send(&contact->self->hotlines, contact->path, contact->node,
                                    &contact->summoned, why, on_summoned, contact);
    if (!contact->summons)
        return false;
    drop_hello(contact, peer, leftover);
    call_move(contact, peer_place(peer), buf_length(leftover));
    contact->held = *leftover;
    *leftover = (struct buf){0};
    return true;
}

/* What came back and what the kernel had not taken goes again; calls that it had taken are asked after. */
static void go_on(struct contact *contact, struct peer *peer, struct buf *leftover)
{
    bool has_taken = has_taken_a_frame(contact, peer, leftover);

    call_on_lost(contact, peer_written(peer), peer_remote(peer));
    if (contact_put_returned_first(contact, leftover) < 0) {
        contact_fail(contact, leftover, "out of memory");
        return;
    }
    call_move(contact, peer_place(peer), buf_length(leftover));
    if (buf_length(leftover) > 0 && !has_taken) {
        redial_later(contact, leftover);
        return;
    }
    contact->cuts = 0;
    contact_go_on(contact, buf_length(leftover), leftover);
}

static void on_old_close(struct contact *old)
{
    struct troupe *self = old->self;

    agenda_hold(self);
    yield_on_close(old);
    agenda_let_go(self);
}

static void on_close(struct peer *peer, const char *why)
{
    struct contact *contact = peer_data(peer);
    struct troupe *self = contact->self;
    struct buf leftover;

    if (contact->is_old) {
        on_old_close(contact);
        return;
    }
    leftover = peer_leftover(peer);
    contact->peer = NULL;
    agenda_hold(self); /* who hears of this may send here again: not before all of it is over */
    subscription_on_lost(contact, peer_remote(peer));
    if (*peer_remote(peer))
        go_on(contact, peer, &leftover);
    else if (!summon(contact, peer, &leftover, why))
        contact_fail(contact, &leftover, why);
    agenda_let_go(self);
    buf_finish(&leftover);
}

static void on_open(struct peer *peer)
{
    struct contact *contact = peer_data(peer);

    contact->summoned = 0;
    lookup_on_open(contact);
}

static const struct peer_handlers handlers = {
    .on_open = on_open, .on_envelope = on_envelope, .on_close = on_close};

/* ---- dialling ------------------------------------------------------------------------------ */

static void start_sweep(struct troupe *self)
{
    if (!ev_is_active(&self->contacts.sweep))
        ev_timer_again(self->loop, &self->contacts.sweep);
}

static int dial(struct contact *contact, const struct buf *leftover)
{
    struct troupe *self = contact->self;
    char path[SUMMONS_PATH_MAX + 1];

    summons_path(contact->path, contact->node, path);
    contact->peer = peer_dial_mailbox(self->loop, self->boot->run_dir, path, self->address, leftover,
                                      &handlers, contact);
    if (!contact->peer)
        return -1;
    contact->begin = peer_place(contact->peer) - (leftover ? buf_length(leftover) : 0);
    start_sweep(self);
    return 0;
}

/* Is there to be no connection yet? What is sent waits. */
static bool is_held(const struct contact *contact)
{
    return contact->old || contact->summons || contact->is_following || ev_is_active(&contact->redial);
}

static bool is_in_use(const struct contact *contact)
{
    return !TAILQ_EMPTY(&contact->calls) || contact->subscribers > 0 ||
           !LIST_EMPTY(&contact->lookups) || is_held(contact) ||
           buf_length(&contact->returned) > 0 ||
           (contact->peer && (peer_queued(contact->peer) > 0 || peer_is_unread(contact->peer)));
}

static void forget(struct contact *contact)
{
    if (contact->self->contacts.last == contact)
        contact->self->contacts.last = NULL;
    HASH_DEL(contact->self->contacts.all, contact);
    peer_close(contact->peer, true);
    buf_finish(&contact->returned);
    free(contact);
}

/* Of a sys/node that messages to groups went to the connection only: a way to one of their members
 * begins behind them however late it is made (following.h). */
static void let_rest(struct contact *contact)
{
    if (!contact->has_relayed) {
        forget(contact);
        return;
    }
    peer_close(contact->peer, true);
    contact->peer = NULL;
}

static bool is_any_awake(const struct contacts *contacts)
{
    for (const struct contact *contact = contacts->all; contact; contact = contact->hh.next)
        if (contact->peer || !contact->has_relayed || is_in_use(contact))
            return true;
    return !LIST_EMPTY(&contacts->leaving);
}

/* Closes what has rested for a while; stops when nothing is left to be closed. */
static void on_sweep(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct contacts *contacts = container_of(timer, struct contacts, sweep);
    struct contact *contact, *next;

    (void)revents;
    for (contact = LIST_FIRST(&contacts->leaving); contact; contact = next) {
        next = LIST_NEXT(contact, in_leaving);
        yield_check(contact);
    }
    HASH_ITER(hh, contacts->all, contact, next)
    {
        if (!contact->is_used && !is_in_use(contact))
            let_rest(contact);
        else
            contact->is_used = false;
    }
    if (!is_any_awake(contacts))
        ev_timer_stop(loop, timer);
}

/* ---- the interface ------------------------------------------------------------------------- */

static bool is_elsewhere(const struct troupe *self, const struct addr *addr)
{
    return *addr->node && strcmp(addr->node, self->boot->node ? self->boot->node : "") != 0;
}

struct contact *contact_make(struct troupe *self, const char *path)
{
    size_t length = strlen(path);
    struct contact *contact = calloc(1, sizeof *contact + length + 1);

    if (!contact)
        return NULL;
    contact->self = self;
    memcpy(contact->path, path, length + 1);
    TAILQ_INIT(&contact->calls);
    LIST_INIT(&contact->lookups);
    TAILQ_INIT(&contact->subscriptions);
    ev_init(&contact->redial, on_redial);
    return contact;
}

static struct contact *create(struct troupe *self, const char *path)
{
    struct contact *contact = contact_make(self, path);

    if (!contact)
        return NULL;
    contact->must_follow = following_is_needed(self, path);
    HASH_ADD_KEYPTR(hh, self->contacts.all, contact->path, strlen(path), contact);
    return contact;
}

/* PATH, or PATH@NODE when that is another. 0, or -1 with EINVAL. */
static int read_path(const struct troupe *self, const char *to, char path[ADDR_TEXT_MAX + 1],
                     uint64_t *incarnation)
{
    struct addr addr;
    const char *why;

    if (addr_parse(to, &addr, &why) < 0 || !*addr.path) {
        errno = EINVAL;
        return -1;
    }
    *incarnation = addr.incarnation;
    addr.incarnation = 0;
    if (!is_elsewhere(self, &addr))
        *addr.node = '\0';
    addr_format(&addr, path, ADDR_TEXT_MAX + 1);
    return 0;
}

static struct contact *find(struct troupe *self, const char *to, uint64_t *incarnation)
{
    char path[ADDR_TEXT_MAX + 1];
    struct contact *contact;

    if (read_path(self, to, path, incarnation) < 0)
        return NULL;
    HASH_FIND_STR(self->contacts.all, path, contact);
    return contact ? contact : create(self, path);
}

struct contact *contact_known(struct troupe *self, const char *to)
{
    char path[ADDR_TEXT_MAX + 1];
    struct contact *contact;
    uint64_t incarnation;

    if (read_path(self, to, path, &incarnation) < 0)
        return NULL;
    HASH_FIND_STR(self->contacts.all, path, contact);
    return contact;
}

struct contact *contact_of(struct troupe *self, const char *to, uint64_t *incarnation)
{
    struct contacts *contacts = &self->contacts;
    struct contact *contact;

    if (contacts->last && strcmp(contacts->last_to, to) == 0) {
        *incarnation = contacts->last_incarnation;
        return contacts->last;
    }
    contact = find(self, to, incarnation);
    if (!contact)
        return NULL;
    contacts->last = contact;
    contacts->last_incarnation = *incarnation;
    snprintf(contacts->last_to, sizeof contacts->last_to, "%s", to);
    return contact;
}

/* One incarnation and no other; else the mailbox itself says who is meant. */
static void set_to(const struct contact *contact, uint64_t incarnation, struct envelope *env,
                   char to[ADDR_TEXT_MAX + 1])
{
    addr_write(contact->path, incarnation, to, ADDR_TEXT_MAX + 1);
    env->to = envelope_text(to);
}

bool contact_is_dialled(const struct contact *contact)
{
    return contact->peer || is_held(contact);
}

static int follow(struct contact *contact)
{
    if (following_begin(contact) < 0)
        return -1;
    contact->must_follow = false;
    contact->is_following = true;
    return 0;
}

void contact_follow(struct contact *contact)
{
    struct troupe *self = contact->self;

    contact->is_following = false;
    agenda_hold(self);
    if (buf_length(&contact->held) > 0)
        contact_send_held(contact);
    else if (dial(contact, NULL) < 0)
        contact_fail(contact, &contact->held, "down unknown");
    agenda_let_go(self);
}

int contact_connect(struct contact *contact)
{
    if (contact_is_dialled(contact))
        return 0;
    return contact->must_follow ? follow(contact) : dial(contact, NULL);
}

static int hold(struct contact *contact, const struct envelope *env, uint64_t *place)
{
    if (peer_frame_append(&contact->held, env) < 0)
        return -1;
    *place = buf_length(&contact->held);
    return 0;
}

/* Behind what was sent before; *place is where it ends. */
static int queue(struct contact *contact, const struct envelope *env, uint64_t *place)
{
    if (!is_held(contact) && contact_connect(contact) < 0)
        return -1;
    if (is_held(contact))
        return hold(contact, env, place);
    if (peer_send(contact->peer, env, -1) < 0)
        return -1;
    *place = peer_place(contact->peer);
    return 0;
}

static int transmit(struct contact *contact, const struct envelope *env, uint64_t *place)
{
    uint64_t end;

    if (queue(contact, env, &end) < 0)
        return -1;
    contact->is_used = true;
    if (place)
        *place = end;
    if (!contact->peer)
        return 0;
    if (peer_place(contact->peer) - contact->flushed > CONTACT_FLUSH_BYTES) {
        contact->flushed = peer_place(contact->peer);
        peer_flush(contact->peer);
    }
    return 0;
}

int contact_send(struct contact *contact, uint64_t incarnation, struct envelope *env, uint64_t *place)
{
    char to[ADDR_TEXT_MAX + 1];

    env->to = env->from = (struct envelope_text){0};
    if (incarnation)
        set_to(contact, incarnation, env, to);
    return transmit(contact, env, place);
}

int contact_send_as(struct contact *contact, const char *to, struct envelope *env)
{
    env->from = (struct envelope_text){0};
    env->to = envelope_text(to);
    return transmit(contact, env, NULL);
}

const char *contact_remote(const struct contact *contact)
{
    const struct contact *at = contact->old ? contact->old : contact;

    return at->peer ? peer_remote(at->peer) : "";
}

void contact_flush(struct contact *contact)
{
    if (contact->peer)
        peer_flush(contact->peer);
}

void contacts_init(struct troupe *self)
{
    LIST_INIT(&self->contacts.leaving);
    ev_timer_init(&self->contacts.sweep, on_sweep, 0., (double)contact_sweep_ms / 1000);
}

static bool has_unsent(const struct troupe *self)
{
    for (const struct contact *c = self->contacts.all; c; c = c->hh.next)
        if (is_held(c) || buf_length(&c->returned) > 0 || (c->peer && peer_queued(c->peer) > 0))
            return true;
    return false;
}

void contacts_drain(struct troupe *self, int64_t ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);

    for (struct contact *c = self->contacts.all; c; c = c->hh.next)
        contact_flush(c);
    while (has_unsent(self) && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(self->loop, 20);
}

static void discard(struct contact *contact)
{
    call_abandon_all(contact);
    ev_timer_stop(contact->self->loop, &contact->redial);
    summons_cancel(contact->summons);
    peer_close(contact->peer, false);
    buf_finish(&contact->held);
    buf_finish(&contact->returned);
    free(contact);
}

void contacts_finish(struct troupe *self)
{
    struct contact *contact, *next;

    while ((contact = LIST_FIRST(&self->contacts.leaving))) {
        LIST_REMOVE(contact, in_leaving);
        discard(contact);
    }
    HASH_ITER(hh, self->contacts.all, contact, next)
    {
        HASH_DEL(self->contacts.all, contact);
        discard(contact);
    }
    ev_timer_stop(self->loop, &self->contacts.sweep);
}
