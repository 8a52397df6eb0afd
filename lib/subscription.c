#include "subscription.h"

#include "audience.h"
#include "call.h"
#include "cast.h"
#include "runtime.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hears what happens at once, also while the actor is busy or waits; may take the message away. */
typedef void subscription_hear(enum troupe_event_kind kind, struct troupe_message **message,
                               void *data);

enum subscription_state {
    ASKED,  /* the call is on its way */
    STANDS, /* in the list of its contact */
    ENDED,  /* the reason is asked for, or about to be told */
};

struct subscription {
    UT_hash_handle hh;
    TAILQ_ENTRY(subscription) in_contact;
    struct troupe *self;
    struct contact *contact;   /* NULL: on another node */
    uint64_t ref;              /* of the call that asked for it; its number */
    uint64_t end_asked;        /* number of our question how the publisher ended; 0 */
    subscription_hear *hear;   /* the runtime's own */
    troupe_on_event *on_event; /* or the author's, for whom the actor must be free */
    void *data;
    enum subscription_state state;
    bool is_dropped; /* nobody hears of it any more, but the publisher does not know yet */
    bool is_full;    /* events are missed until there is room again */
    TAILQ_HEAD(event_list, event) waiting;
    size_t count, bytes; /* of these */
};

/* What waits until the actor is free. */
struct event {
    TAILQ_ENTRY(event) in_subscription;
    struct agenda_item owed;
    struct subscription *subscription;
    enum troupe_event_kind kind;
    struct troupe_message *message;
};

/* ---- life ---------------------------------------------------------------------------------- */

static struct subscription *find(struct troupe *self, uint64_t ref)
{
    struct subscription *subscription;

    HASH_FIND(hh, self->subscriptions.all, &ref, sizeof ref, subscription);
    return subscription;
}

static size_t cost_of(const struct troupe_message *message)
{
    return sizeof *message + message->size;
}

static struct troupe_message *take_out(struct event *event)
{
    struct subscription *subscription = event->subscription;
    struct troupe_message *message = event->message;

    agenda_withdraw(subscription->self, &event->owed);
    TAILQ_REMOVE(&subscription->waiting, event, in_subscription);
    subscription->count--;
    subscription->bytes -= cost_of(message);
    free(event);
    return message;
}

static void drop_waiting(struct subscription *subscription)
{
    struct event *event;

    while ((event = TAILQ_FIRST(&subscription->waiting)))
        message_destroy(take_out(event));
}

static void stand(struct subscription *subscription)
{
    subscription->state = STANDS;
    TAILQ_INSERT_TAIL(&subscription->contact->subscriptions, subscription, in_contact);
}

static void stand_no_more(struct subscription *subscription)
{
    if (subscription->state == STANDS)
        TAILQ_REMOVE(&subscription->contact->subscriptions, subscription, in_contact);
    subscription->state = ENDED;
}

static void destroy(struct subscription *subscription)
{
    if (subscription->contact)
        subscription->contact->subscribers--;
    free(subscription);
}

static void forget(struct subscription *subscription)
{
    struct troupe *self = subscription->self;

    stand_no_more(subscription);
    if (subscription->end_asked)
        ties_forget_question(self, subscription->end_asked);
    drop_waiting(subscription);
    HASH_DEL(self->subscriptions.all, subscription);
    destroy(subscription);
}

void subscriptions_finish(struct troupe *self)
{
    struct subscription *subscription, *next;

    HASH_ITER (hh, self->subscriptions.all, subscription, next)
        forget(subscription);
}

/* ---- telling ------------------------------------------------------------------------------- */

/* The author may end the subscription meanwhile; the end of it is the last that is told. */
static void tell(struct subscription *subscription, enum troupe_event_kind kind,
                 struct troupe_message *message)
{
    struct troupe *self = subscription->self;
    troupe_on_event *on_event = subscription->on_event;
    void *data = subscription->data;

    if (kind == TROUPE_ENDED)
        forget(subscription);
    on_event(self, kind, message, data);
    message_destroy(message);
}

static void on_owed(struct troupe *self, struct agenda_item *item)
{
    struct event *event = container_of(item, struct event, owed);
    struct subscription *subscription = event->subscription;
    enum troupe_event_kind kind = event->kind;

    (void)self;
    tell(subscription, kind, take_out(event));
}

static void drop_owed(struct agenda_item *item)
{
    message_destroy(take_out(container_of(item, struct event, owed)));
}

/* Who subscribes must be told of every end and every gap: without memory for that there is no going
 * on. */
static void *or_abort(void *memory)
{
    if (memory)
        return memory;
    fprintf(stderr, "libtroupe: out of memory\n");
    abort();
}

static struct troupe_message *gap_of(const struct subscription *subscription, uint64_t last,
                                     uint64_t lost)
{
    const char *path = subscription->contact->path;
    struct troupe_message *message =
        or_abort(message_create(subscription->self, MESSAGE_ANSWER, AUDIENCE_GAP,
                                strlen(AUDIENCE_GAP), path, strlen(path), "", 0));

    message->format = "";
    message->sequence = last;
    message->lost = lost;
    return message;
}

static void enqueue(struct subscription *subscription, enum troupe_event_kind kind,
                    struct troupe_message *message)
{
    struct event *event = or_abort(calloc(1, sizeof *event));

    event->owed = (struct agenda_item){.run = on_owed, .drop = drop_owed};
    event->subscription = subscription;
    event->kind = kind;
    event->message = message;
    TAILQ_INSERT_TAIL(&subscription->waiting, event, in_subscription);
    subscription->count++;
    subscription->bytes += cost_of(message);
    agenda_post(subscription->self, &event->owed);
}

/* Two gaps with nothing between them are one. */
static void enqueue_gap(struct subscription *subscription, uint64_t last, uint64_t lost)
{
    struct event *tail = TAILQ_LAST(&subscription->waiting, event_list);

    if (tail && tail->kind == TROUPE_GAP) {
        tail->message->sequence = last;
        tail->message->lost += lost;
        return;
    }
    enqueue(subscription, TROUPE_GAP, gap_of(subscription, last, lost));
}

static bool has_room(struct subscription *subscription)
{
    size_t share = subscription->is_full ? 2 : 1; /* down to the half, once it was full */

    subscription->is_full = subscription->count >= SUBSCRIPTION_EVENTS / share ||
                            subscription->bytes >= SUBSCRIPTION_BYTES / share;
    return !subscription->is_full;
}

static void enqueue_event(struct subscription *subscription, struct troupe_message *message)
{
    if (has_room(subscription) && message_settle(message) == 0) {
        enqueue(subscription, TROUPE_EVENT, message);
        return;
    }
    STATS_ADD(subscription->self, dropped, 1);
    enqueue_gap(subscription, message->sequence, 1);
    message_destroy(message);
}

/* Now, when the actor is free to hear of it, else when it will be. Takes the message over. */
static void happen(struct subscription *subscription, enum troupe_event_kind kind,
                   struct troupe_message *message)
{
    struct troupe *self = subscription->self;

    if (subscription->hear) {
        subscription->hear(kind, &message, subscription->data);
        message_destroy(message);
    } else if (agenda_is_free(self)) {
        agenda_enter(self);
        tell(subscription, kind, message);
        agenda_leave(self);
    } else if (kind == TROUPE_EVENT) {
        enqueue_event(subscription, message);
    } else if (kind == TROUPE_GAP) {
        enqueue_gap(subscription, message->sequence, message->lost);
        message_destroy(message);
    } else {
        enqueue(subscription, kind, message);
    }
}

static void end(struct subscription *subscription, const char *failure)
{
    stand_no_more(subscription);
    happen(subscription, TROUPE_ENDED, call_failed(subscription->self, failure));
}

/* ---- what comes ---------------------------------------------------------------------------- */

static bool say_goodbye(const struct subscription *subscription)
{
    struct envelope env = {.kind = ENVELOPE_CAST,
                           .ref = subscription->ref,
                           .type = envelope_text(AUDIENCE_UNSUBSCRIBE)};

    return !contact_is_dialled(subscription->contact) || contact_send(subscription->contact, 0, &env, NULL) == 0;
}

static void on_gap(struct subscription *subscription, const struct troupe_message *message)
{
    if (message->count == 1 && strcmp(message->format, "U") == 0)
        happen(subscription, TROUPE_GAP,
               gap_of(subscription, message->sequence, message->values[0].u));
}

void subscription_on_event(struct contact *contact, const struct envelope *env)
{
    struct subscription *subscription = find(contact->self, env->ref);
    struct troupe_message *message;

    if (!subscription || subscription->contact != contact)
        return; /* one that has ended */
    if (subscription->is_dropped) {
        if (say_goodbye(subscription))
            forget(subscription);
        return;
    }
    message = message_view(contact->self, MESSAGE_ANSWER, env, peer_remote(contact->peer));
    if (!message || message_parse_answer(message) < 0) {
        message_destroy(message);
        happen(subscription, TROUPE_GAP, gap_of(subscription, env->deadline_us, 1));
        return;
    }
    message->sequence = env->deadline_us;
    message->deadline = (struct mono){0};
    STATS_ADD(contact->self, messages_in, 1);
    if (envelope_text_equals(env->type, AUDIENCE_GAP)) {
        on_gap(subscription, message);
        message_destroy(message);
    } else {
        happen(subscription, TROUPE_EVENT, message);
    }
}

/* The answer to the call that asked for it. */
static void on_answer(struct troupe *self, struct troupe_message **answer, void *data)
{
    struct subscription *subscription = data;

    (void)self;
    if ((*answer)->failure)
        end(subscription, (*answer)->failure);
    else
        stand(subscription);
}

static void on_end_known(struct troupe *self, const char *reason, void *data)
{
    struct subscription *subscription = data;
    char failure[REASON_MAX + 8];

    (void)self;
    subscription->end_asked = 0;
    if (strcmp(reason, "noproc") == 0)
        reason = "unknown";
    snprintf(failure, sizeof failure, "down %s", reason);
    end(subscription, failure);
}

void subscription_on_lost(struct contact *contact, const char *remote)
{
    struct subscription *subscription;

    while ((subscription = TAILQ_FIRST(&contact->subscriptions))) {
        if (subscription->is_dropped) {
            forget(subscription);
            continue;
        }
        stand_no_more(subscription);
        subscription->end_asked =
            ties_ask_end(contact->self, remote, SUBSCRIPTION_END_MS, on_end_known, subscription);
        if (!subscription->end_asked)
            end(subscription, "down unknown");
    }
}

/* ---- asking -------------------------------------------------------------------------------- */

/* What is wanted, of whom, and who hears of it. */
struct wish {
    const char *who, *topic;
    unsigned flags; /* enum audience_flags */
    bool blocks;
    subscription_hear *hear;
    troupe_on_event *on_event;
    void *data;
};

static int ask(struct subscription *subscription, const struct wish *wish)
{
    struct call_request request = {.to = wish->who,
                                   .name = AUDIENCE_SUBSCRIBE,
                                   .is_typed = true,
                                   .blocks = wish->blocks,
                                   .done = on_answer,
                                   .data = subscription,
                                   .ref = &subscription->ref};
    struct payload payload;
    int result, saved;

    if (values_pack_as("su",
                       (union wire_value[]){{.bytes = {(char *)wish->topic, strlen(wish->topic)}},
                                            {.u = wish->flags}},
                       &payload) < 0)
        return -1;
    request.payload = payload.at;
    request.size = payload.size;
    if (wish->blocks)
        call_continue_chain(subscription->self, &request);
    result = call_start(subscription->self, &request);
    saved = errno;
    wire_image_finish(&payload.image);
    errno = saved;
    return result;
}

/* NULL with errno as troupe_cast(). */
static struct subscription *create(struct troupe *self, const struct wish *wish)
{
    uint64_t incarnation;
    struct contact *contact = contact_of(self, wish->who, &incarnation);
    struct subscription *subscription;

    if (!contact)
        return NULL;
    subscription = calloc(1, sizeof *subscription);
    if (!subscription)
        return NULL;
    subscription->self = self;
    subscription->contact = contact;
    contact->subscribers++;
    subscription->hear = wish->hear;
    subscription->on_event = wish->on_event;
    subscription->data = wish->data;
    TAILQ_INIT(&subscription->waiting);
    if (ask(subscription, wish) == 0) {
        HASH_ADD(hh, self->subscriptions.all, ref, sizeof subscription->ref, subscription);
        return subscription;
    }
    destroy(subscription);
    return NULL;
}

/* Nobody hears of it any more. It is kept until the publisher could be told. */
static void drop(struct subscription *subscription)
{
    bool is_there = subscription->state != ENDED;

    drop_waiting(subscription);
    if (subscription->state == ASKED)
        call_forget(subscription->self, subscription);
    if (!is_there || say_goodbye(subscription)) {
        forget(subscription);
        return;
    }
    subscription->is_dropped = true;
    if (subscription->state == ASKED)
        stand(subscription);
}

static bool is_topic(const char *topic)
{
    if (strlen(topic) <= AUDIENCE_TOPIC_MAX)
        return true;
    errno = EINVAL;
    return false;
}

uint64_t troupe_subscribe(struct troupe *self, const char *who, const char *topic, unsigned flags,
                          troupe_on_event *on_event, void *data)
{
    struct wish wish = {.who = who,
                        .topic = topic,
                        .flags = flags & TROUPE_LAST ? AUDIENCE_LAST : 0,
                        .on_event = on_event,
                        .data = data};
    struct subscription *subscription;

    if (!is_topic(topic))
        return 0;
    agenda_enter(self); /* on_event is not called before this returns */
    subscription = create(self, &wish);
    agenda_leave(self);
    return subscription ? subscription->ref : 0;
}

void troupe_unsubscribe(struct troupe *self, uint64_t number)
{
    struct subscription *subscription = find(self, number);

    if (subscription && !subscription->is_dropped)
        drop(subscription);
}

uint64_t troupe_sequence(const struct troupe_message *event)
{
    return event->sequence;
}

uint64_t troupe_lost(const struct troupe_message *event)
{
    return event->lost;
}

/* ---- a resource ---------------------------------------------------------------------------- */

/* What a function waits for. */
struct awaited {
    struct troupe_message *value; /* or the failure */
    bool is_missed;               /* it was sent when there was no room for it */
    bool is_late;
    bool done;
};

static void on_awaited(enum troupe_event_kind kind, struct troupe_message **message, void *data)
{
    struct awaited *awaited = data;

    if (awaited->done)
        return;
    awaited->done = true;
    if (kind == TROUPE_GAP) {
        awaited->is_missed = true;
    } else if (message_settle(*message) < 0) {
        awaited->value = call_failed((*message)->self, "error out of memory");
    } else {
        awaited->value = *message;
        *message = NULL;
    }
}

static void on_late(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct awaited *awaited = timer->data;

    (void)loop;
    (void)revents;
    awaited->is_late = awaited->done = true;
}

static void await_once(struct troupe *self, struct wish *wish, struct awaited *awaited)
{
    struct subscription *subscription = create(self, wish);

    if (!subscription) {
        awaited->value = call_failed(self, cast_failure(errno));
        return;
    }
    agenda_wait(self, &awaited->done);
    drop(subscription);
}

struct troupe_message *troupe_depend(struct troupe *self, const char *who, const char *topic,
                                     int64_t timeout_ms)
{
    struct awaited awaited;
    struct wish wish = {.who = who,
                        .topic = topic,
                        .flags = AUDIENCE_LAST | AUDIENCE_EXACT,
                        .blocks = true,
                        .hear = on_awaited,
                        .data = &awaited};
    ev_timer limit;

    if (!is_topic(topic))
        return call_failed(self, "bad_message the topic is too long");
    ev_now_update(self->loop);
    ev_timer_init(&limit, on_late, (double)timeout_ms / 1000, 0.);
    limit.data = &awaited;
    if (timeout_ms > 0)
        ev_timer_start(self->loop, &limit);
    do {
        awaited = (struct awaited){0};
        await_once(self, &wish, &awaited);
    } while (awaited.is_missed);
    ev_timer_stop(self->loop, &limit);
    if (awaited.value)
        return awaited.value;
    return call_failed(self, awaited.is_late ? "timeout" : "error ending");
}
