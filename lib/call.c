#include "call.h"

#include "addr.h"
#include "runtime.h"
#include "ties.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A connection that has ended: what it had taken, until it is known how its receiver ended. */
struct ending {
    struct call_list calls;
    uint64_t question; /* 0: answered */
};

struct call {
    TAILQ_ENTRY(call) in_contact; /* or in ending */
    struct troupe *self;
    struct contact *contact; /* NULL: it is not on any connection any more */
    struct ending *ending;   /* or NULL */
    uint64_t ref, place;
    bool blocks; /* the actor waits in it */
    bool is_returned; /* its frame has come back: place counts from the next connection's beginning */
    struct mono deadline;
    call_done *done;
    troupe_on_answer *on_answer;
    void *data;
    void (*drop)(void *data);
    struct agenda_item owed;        /* an answer that waits for the actor to be free */
    struct troupe_message *answer; /* … this one */
};

/* ---- the table ----------------------------------------------------------------------------- */

static int grow(struct calls *calls)
{
    uint32_t size = calls->size ? calls->size * 2 : 16;
    struct call **slots = realloc(calls->slots, size * sizeof *slots);

    if (!slots)
        return -1;
    /* Free slots are a list of numbers: index + 1 of the next. */
    for (uint32_t i = calls->size; i < size; i++)
        slots[i] = (struct call *)(uintptr_t)(i + 1 < size ? ((i + 2) << 1 | 1) : 1);
    calls->first_free = calls->size + 1;
    calls->slots = slots;
    calls->size = size;
    return 0;
}

static bool is_free(const struct call *slot)
{
    return (uintptr_t)slot & 1;
}

static int enter(struct calls *calls, struct call *call)
{
    uint32_t index;

    if (!calls->first_free && grow(calls) < 0)
        return -1;
    index = calls->first_free - 1;
    calls->first_free = (uint32_t)((uintptr_t)calls->slots[index] >> 1);
    calls->slots[index] = call;
    calls->count++;
    call->ref = (uint64_t)++calls->generation << 32 | (index + 1);
    return 0;
}

static struct call *find(const struct calls *calls, uint64_t ref)
{
    uint32_t index = (uint32_t)ref - 1;
    struct call *call = index < calls->size ? calls->slots[index] : NULL;

    return call && !is_free(call) && call->ref == ref ? call : NULL;
}

static void leave(struct calls *calls, const struct call *call)
{
    uint32_t index = (uint32_t)call->ref - 1;

    calls->slots[index] = (struct call *)((uintptr_t)calls->first_free << 1 | 1);
    calls->first_free = index + 1;
    calls->count--;
}

/* ---- the end of a call --------------------------------------------------------------------- */

/* Nobody waits for the reason of an end when the last has left. */
static void leave_ending(struct call *call)
{
    struct ending *ending = call->ending;

    call->ending = NULL;
    TAILQ_REMOVE(&ending->calls, call, in_contact);
    if (!TAILQ_EMPTY(&ending->calls) || !ending->question)
        return;
    ties_forget_question(call->self, ending->question);
    free(ending);
}

static void leave_connection(struct call *call)
{
    if (call->contact)
        TAILQ_REMOVE(&call->contact->calls, call, in_contact);
    call->contact = NULL;
    if (call->ending)
        leave_ending(call);
}

static void call_free(struct call *call)
{
    leave_connection(call);
    agenda_withdraw(call->self, &call->owed);
    message_destroy(call->answer);
    free(call);
}

static void tell(struct call *call, struct troupe_message *answer)
{
    struct troupe *self = call->self;
    troupe_on_answer *on_answer = call->on_answer;
    call_done *done = call->done;
    void *data = call->data;

    call_free(call);
    if (done)
        done(self, &answer, data);
    else
        on_answer(self, answer, data);
    message_destroy(answer);
}

static void on_owed(struct troupe *self, struct agenda_item *item)
{
    struct call *call = container_of(item, struct call, owed);
    struct troupe_message *answer = call->answer;

    (void)self;
    call->answer = NULL;
    tell(call, answer);
}

static void drop_owed(struct agenda_item *item)
{
    call_free(container_of(item, struct call, owed));
}

/* A failure always fits: into what is there for want of memory for more. */
static void set_failure(struct troupe_message *answer, const char *failure)
{
    answer->origin = MESSAGE_ANSWER;
    free(answer->own_name);
    answer->name = "";
    answer->own_name = strdup(failure);
    answer->failure = answer->own_name ? answer->own_name : "error out of memory";
    answer->count = 0;
}

/* The one end: now, when the actor is free to hear of it, else when it will be. */
static void finish(struct call *call, struct troupe_message *answer)
{
    struct troupe *self = call->self;

    leave(&self->calls, call);
    leave_connection(call);
    if (call->done) {
        tell(call, answer);
    } else if (agenda_is_free(self)) {
        agenda_enter(self);
        tell(call, answer);
        agenda_leave(self);
    } else {
        if (message_settle(answer) < 0)
            set_failure(answer, "error out of memory");
        call->answer = answer;
        agenda_post(self, &call->owed);
    }
}

/* Its caller waits for a word: without memory for one there is no going on. */
struct troupe_message *call_failed(struct troupe *self, const char *failure)
{
    struct troupe_message *answer =
        message_create(self, MESSAGE_ANSWER, failure, strlen(failure), "", 0, "", 0);

    if (!answer) {
        fprintf(stderr, "libtroupe: out of memory\n");
        abort();
    }
    answer->failure = answer->name;
    answer->format = "";
    return answer;
}

static void fail(struct call *call, const char *failure)
{
    finish(call, call_failed(call->self, failure));
}

/* ---- answers ------------------------------------------------------------------------------- */

static void read_failure(struct troupe_message *answer)
{
    char text[REASON_MAX];
    size_t size = answer->size < sizeof text - 1 ? answer->size : sizeof text - 1;

    memcpy(text, answer->body, size);
    text[size] = '\0';
    set_failure(answer, *text ? text : "error");
}

void call_on_answer(struct contact *contact, const struct envelope *env)
{
    struct call *call = find(&contact->self->calls, env->ref);
    struct troupe_message *answer;

    if (!call || call->contact != contact)
        return; /* one that has ended, by its deadline */
    answer = message_view(contact->self, MESSAGE_ANSWER, env, peer_remote(contact->peer));
    if (!answer) {
        fail(call, "error out of memory");
        return;
    }
    if (env->kind == ENVELOPE_ERROR)
        read_failure(answer);
    else if (message_parse_answer(answer) < 0)
        set_failure(answer, errno == ENOMEM ? "error out of memory" : "error the answer is malformed");
    finish(call, answer);
}

/* ---- time ---------------------------------------------------------------------------------- */

static void ring_at(struct troupe *self, struct mono when)
{
    struct calls *calls = &self->calls;
    int64_t left_us = when.us - mono_now().us;

    if (ev_is_active(&calls->timer) && calls->rings.us <= when.us)
        return;
    ev_timer_stop(self->loop, &calls->timer);
    ev_now_update(self->loop);
    ev_timer_set(&calls->timer, (double)(left_us > 0 ? left_us : 0) / 1e6 + 0.0005, 0.);
    ev_timer_start(self->loop, &calls->timer);
    calls->rings = when;
}

/* The timer may ring early: the call it was set for has long been answered, as a rule. */
static void on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct calls *calls = container_of(timer, struct calls, timer);
    struct troupe *self = container_of(calls, struct troupe, calls);
    struct mono now = mono_now(), next = {0};

    (void)loop;
    (void)revents;
    agenda_hold(self); /* who hears of one may wait, and the others' time is up, too */
    for (uint32_t i = 0; i < calls->size && calls->count > 0; i++) {
        struct call *call = calls->slots[i];

        if (is_free(call) || !mono_is_set(call->deadline))
            continue;
        if (call->deadline.us <= now.us)
            fail(call, "timeout");
        else if (!mono_is_set(next) || call->deadline.us < next.us)
            next = call->deadline;
    }
    agenda_let_go(self);
    if (mono_is_set(next))
        ring_at(self, next);
}

struct mono call_deadline(int64_t timeout_ms)
{
    return mono_add_ms(mono_now(), timeout_ms > 0 ? timeout_ms : CALL_DEFAULT_MS);
}

/* ---- the end of a connection --------------------------------------------------------------- */

static void on_end_known(struct troupe *self, const char *reason, void *data)
{
    struct ending *ending = data;
    char failure[REASON_MAX + 8];
    struct call *call;

    ending->question = 0;
    if (strcmp(reason, "noproc") == 0)
        reason = "unknown";
    snprintf(failure, sizeof failure, "down %s", reason);
    agenda_hold(self); /* all of them, before anybody who hears of one asks again */
    while ((call = TAILQ_FIRST(&ending->calls)))
        fail(call, failure);
    agenda_let_go(self);
    free(ending);
}

/* One question for all of them. Without memory for it they have no reason. */
static void ask_end(struct troupe *self, struct ending *ending, const char *remote)
{
    if (TAILQ_EMPTY(&ending->calls)) {
        free(ending);
        return;
    }
    ending->question = ties_ask_end(self, remote, CALL_END_MS, on_end_known, ending);
    if (!ending->question)
        on_end_known(self, "unknown", ending);
}

void call_on_lost(struct contact *contact, uint64_t written, const char *remote)
{
    struct ending *ending = calloc(1, sizeof *ending);
    struct call *call, *next;

    if (ending)
        TAILQ_INIT(&ending->calls);
    for (call = TAILQ_FIRST(&contact->calls); call; call = next) {
        next = TAILQ_NEXT(call, in_contact);
        if (call->place > written || call->is_returned)
            continue;
        if (!ending) {
            fail(call, "down unknown");
            continue;
        }
        TAILQ_REMOVE(&contact->calls, call, in_contact);
        call->contact = NULL;
        call->ending = ending;
        TAILQ_INSERT_TAIL(&ending->calls, call, in_contact);
    }
    if (ending)
        ask_end(contact->self, ending, remote);
}

bool call_is_out(const struct contact *contact, uint64_t ref)
{
    const struct call *call = find(&contact->self->calls, ref);

    return call && call->contact == contact && !call->is_returned;
}

void call_on_returned(struct contact *contact, uint64_t ref, uint64_t place)
{
    struct call *call = find(&contact->self->calls, ref);

    call->is_returned = true;
    call->place = place;
}

void call_move(struct contact *contact, uint64_t from, uint64_t to)
{
    struct call *call;

    TAILQ_FOREACH(call, &contact->calls, in_contact)
    {
        if (!call->is_returned)
            call->place = call->place - from + to;
        call->is_returned = false;
    }
}

void call_hand_over(struct contact *from, struct contact *to)
{
    struct call *call;

    TAILQ_FOREACH(call, &from->calls, in_contact)
    call->contact = to;
    TAILQ_CONCAT(&from->calls, &to->calls, in_contact);
    TAILQ_CONCAT(&to->calls, &from->calls, in_contact);
}

void call_fail_all(struct contact *contact, const char *failure)
{
    struct call *call;

    while ((call = TAILQ_FIRST(&contact->calls)))
        fail(call, failure);
}

/* ---- asking -------------------------------------------------------------------------------- */

void call_continue_chain(const struct troupe *self, struct call_request *request)
{
    if (!self->current)
        return;
    request->blocked = self->current->blocked;
    request->blocked_count = self->current->blocked_count;
}

/* What a chain lists is a wait, not an actor: one whose time was up waits no more, though what it asked for
 * may go on. It is the actor and the call in one number; of our own we know the call again. */
static uint64_t wait_of(const struct troupe *self, uint64_t ref)
{
    return self->hash + ref;
}

bool call_is_waited_in(const struct troupe *self, uint64_t wait)
{
    const struct call *call = find(&self->calls, wait - self->hash);

    return call && call->blocks;
}

/* The chain that this call belongs to, and itself in it when we wait. -1: it is too long. */
static int set_chain(const struct call *call, const struct call_request *request,
                     struct envelope *env)
{
    if (request->blocked_count + request->blocks > ENVELOPE_MAX_BLOCKED)
        return -1;
    if (request->blocked_count > 0)
        memcpy(env->blocked, request->blocked, request->blocked_count * sizeof *env->blocked);
    env->blocked_count = (uint16_t)request->blocked_count;
    if (request->blocks)
        env->blocked[env->blocked_count++] = wait_of(call->self, call->ref);
    return 0;
}

/* A failure that is known before anything was sent. */
static int fail_later(struct call *call, const char *failure)
{
    call->answer = call_failed(call->self, failure);
    leave(&call->self->calls, call);
    if (call->done) {
        on_owed(call->self, &call->owed);
        return 0;
    }
    agenda_post(call->self, &call->owed);
    return 0;
}

static struct call *create(struct troupe *self, const struct call_request *request)
{
    struct call *call = calloc(1, sizeof *call);

    if (!call)
        return NULL;
    call->self = self;
    call->deadline = request->deadline;
    call->blocks = request->blocks;
    call->done = request->done;
    call->on_answer = request->on_answer;
    call->data = request->data;
    call->drop = request->drop;
    call->owed = (struct agenda_item){.run = on_owed, .drop = drop_owed};
    if (enter(&self->calls, call) < 0) {
        free(call);
        return NULL;
    }
    if (request->ref)
        *request->ref = call->ref;
    return call;
}

static int transmit(struct call *call, struct contact *contact, uint64_t incarnation,
                    const struct call_request *request)
{
    struct envelope env;

    env.kind = request->is_control ? ENVELOPE_CONTROL : ENVELOPE_CALL;
    env.flags = request->is_typed ? ENVELOPE_TYPED : 0;
    env.ref = call->ref;
    env.deadline_us = (uint64_t)request->deadline.us;
    env.type = envelope_text(request->name);
    env.payload = request->payload;
    env.payload_size = (uint32_t)request->size;
    if (set_chain(call, request, &env) < 0)
        return fail_later(call, "deadlock");
    if (contact_send(contact, incarnation, &env, &call->place) < 0) {
        leave(&call->self->calls, call);
        call_free(call);
        return -1;
    }
    call->contact = contact;
    TAILQ_INSERT_TAIL(&contact->calls, call, in_contact);
    if (request->blocks) {
        contact_flush(contact);
        mailbox_open_early(call->self);
    }
    if (mono_is_set(call->deadline))
        ring_at(call->self, call->deadline);
    return 0;
}

int call_start(struct troupe *self, const struct call_request *request)
{
    uint64_t incarnation;
    struct contact *contact = contact_of(self, request->to, &incarnation);
    struct call *call;

    if (!contact)
        return -1;
    if (request->size > UINT32_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    call = create(self, request);
    if (!call)
        return -1;
    if (request->blocks && strcmp(contact->path, self->boot->path) == 0)
        return fail_later(call, "deadlock");
    return transmit(call, contact, incarnation, request);
}

/* ---- life ---------------------------------------------------------------------------------- */

void calls_init(struct troupe *self)
{
    ev_timer_init(&self->calls.timer, on_timer, 0., 0.);
}

static void abandon(struct call *call)
{
    leave(&call->self->calls, call);
    if (call->drop)
        call->drop(call->data);
    call_free(call);
}

void call_forget(struct troupe *self, const void *data)
{
    struct calls *calls = &self->calls;

    for (uint32_t i = 0; i < calls->size; i++)
        if (!is_free(calls->slots[i]) && calls->slots[i]->data == data)
            abandon(calls->slots[i]);
}

void call_abandon_all(struct contact *contact)
{
    struct call *call;

    while ((call = TAILQ_FIRST(&contact->calls)))
        abandon(call);
}

void calls_finish(struct troupe *self)
{
    struct calls *calls = &self->calls;

    for (uint32_t i = 0; i < calls->size; i++)
        if (!is_free(calls->slots[i]))
            abandon(calls->slots[i]);
    ev_timer_stop(self->loop, &calls->timer);
    free(calls->slots);
    calls->slots = NULL;
}
