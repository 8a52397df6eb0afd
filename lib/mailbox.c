#include "mailbox.h"

#include "peer.h"
#include "raw.h"
#include "rights.h"
#include "runtime.h"
#include "seat.h"
#include "values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAILBOX_CHOKE = 1024 * 1024
}; /* answers that wait on a connection before we stop reading it */

int64_t mailbox_raw_call_ms = 60000;

/* The id of a raw call: the REQ header words. */
struct call_id {
    unsigned size;
    uint8_t bytes[SP_REQUEST_HEADER_MAX];
};

/* One connection. */
struct channel {
    struct troupe *self;
    struct sp_conn *conn;
    struct peer *peer; /* PAIR0 only; owns conn then */
    struct audience audience; /* the same */
    TAILQ_ENTRY(channel) in_mailbox;
    struct message_list messages;   /* all that came this way and are not freed */
    struct troupe_message *pending; /* raw calls without an answer, by id */
    size_t ahead; /* its part of mailbox->ahead */
    struct call_id answered[MAILBOX_ANSWERED];
    unsigned next_answered;
    uint64_t last_place; /* of what is taken still, once the actor drains */
    bool is_choked;
    bool is_greeted; /* PAIR0: the other knows that it is heard */
    bool is_let_go; /* to be closed when all that came is answered */
    struct seat seat;
};

/* ---- pressure ------------------------------------------------------------------------------ */

static void channel_breathe(struct channel *channel)
{
    const struct mailbox *mailbox = &channel->self->mailbox;

    sp_conn_pause(channel->conn, mailbox->is_full || mailbox->is_closing || channel->is_choked);
}

static void breathe_all(struct mailbox *mailbox)
{
    struct channel *channel;

    TAILQ_FOREACH(channel, &mailbox->channels, in_mailbox)
    channel_breathe(channel);
}

static void choke(struct channel *channel, bool choked)
{
    if (channel->is_choked == choked)
        return;
    channel->is_choked = choked;
    channel->self->mailbox.choked += choked ? 1 : -1u;
    channel_breathe(channel);
}

/* Once a turn, and only when there are such. */
static void look_at_choked(struct mailbox *mailbox)
{
    struct channel *channel;

    TAILQ_FOREACH(channel, &mailbox->channels, in_mailbox)
    if (channel->is_choked && sp_conn_queued(channel->conn) < MAILBOX_CHOKE / 2)
        choke(channel, false);
}

static void set_full(struct troupe *self, bool full)
{
    if (self->mailbox.is_full == full)
        return;
    self->mailbox.is_full = full;
    breathe_all(&self->mailbox);
}

static bool is_over(const struct mailbox *mailbox, size_t messages, size_t bytes)
{
    return mailbox->depth >= messages || mailbox->bytes >= bytes;
}

/* What waits has changed: tell the stats page, and stop or resume reading. */
static void measure(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;

    STATS_SET(self, mailbox_depth, mailbox->depth + mailbox->ahead);
    STATS_SET(self, mailbox_bytes, mailbox->bytes);
    if (is_over(mailbox, mailbox->max_messages, mailbox->max_bytes))
        set_full(self, true);
    else if (!is_over(mailbox, (mailbox->max_messages + 1) / 2, (mailbox->max_bytes + 1) / 2))
        set_full(self, false);
}

/* ---- the queue ----------------------------------------------------------------------------- */

void mailbox_wake(struct troupe *self)
{
    if (!self->waiting && !self->saving)
        ev_idle_start(self->loop, &self->mailbox.spin);
}

void mailbox_rest(struct troupe *self)
{
    ev_idle_stop(self->loop, &self->mailbox.spin);
}

/* A handler may hang on the message that is about to be handled: `ps` shall see what waits behind it. */
static void look_ahead(struct channel *channel)
{
    struct mailbox *mailbox = &channel->self->mailbox;

    if (channel->ahead > 0) {
        channel->ahead--;
        mailbox->ahead--;
    } else {
        channel->ahead = sp_conn_waiting(channel->conn);
        mailbox->ahead += channel->ahead;
    }
    STATS_SET(channel->self, mailbox_depth, mailbox->depth + mailbox->ahead);
}

/* The first channels are resumed first, and of those that are resumed the loop runs the last one first. So
 * whoever was served least lately is last: when a few fill the mailbox, it is others that come next. */
static void channel_was_served(struct channel *channel)
{
    struct mailbox *mailbox = &channel->self->mailbox;

    if (channel == TAILQ_FIRST(&mailbox->channels))
        return;
    TAILQ_REMOVE(&mailbox->channels, channel, in_mailbox);
    TAILQ_INSERT_HEAD(&mailbox->channels, channel, in_mailbox);
}

/* It has come this way: so its answer goes. */
static void admit(struct channel *channel, struct troupe_message *message)
{
    channel_was_served(channel);
    seat_was_served(&channel->seat, mono_lately());
    message->channel = channel;
    message->uid = sp_conn_creds(channel->conn)->uid;
    TAILQ_INSERT_TAIL(&channel->messages, message, in_channel);
    channel->self->mailbox.live++;
}

static void enqueue(struct troupe_message *message)
{
    struct troupe *self = message->self;
    struct mailbox *mailbox = &self->mailbox;

    TAILQ_INSERT_TAIL(&mailbox->queue, message, in_queue);
    mailbox->depth++;
    mailbox->bytes += message->size;
    mailbox_wake(self);
    measure(self);
}

static struct troupe_message *dequeue(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;
    struct troupe_message *message = TAILQ_FIRST(&mailbox->queue);

    if (!message)
        return NULL;
    TAILQ_REMOVE(&mailbox->queue, message, in_queue);
    mailbox->depth--;
    mailbox->bytes -= message->size;
    measure(self);
    return message;
}

/* An answered call, or one past its deadline, is dropped before it is handled. */
static bool is_expired(const struct troupe_message *message)
{
    if (message->is_answered || !mono_is_set(message->deadline))
        return message->is_answered;
    return mono_lately().us + (int64_t)MONO_TICK_MS * 1000 > message->deadline.us &&
           mono_now().us > message->deadline.us;
}

static void take_one(struct troupe *self, struct troupe_message *message)
{
    if (is_expired(message)) {
        if (message->is_pending)
            mailbox_answer_error(message, "timeout");
        STATS_ADD(self, expired, 1);
        mailbox_forget(message);
        return;
    }
    actor_handle(self, message);
}

/* Is there room for one more message in this turn of the loop? Looks at the control socket in between. */
static bool has_turn(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;
    struct mono now;

    if (self->ending || mailbox->turn_handled >= MAILBOX_TURN_MESSAGES)
        return false;
    mailbox->turn_handled++;
    now = mono_lately();
    if (!mono_is_set(mailbox->turn_started))
        mailbox->turn_started = mailbox->polled = now;
    if (now.us - mailbox->polled.us > MAILBOX_POLL_US) {
        parent_poll(&self->parent);
        mailbox->polled = now;
    }
    return !self->ending && now.us - mailbox->turn_started.us <= MAILBOX_TURN_US;
}

/* Does something wait, and is it wanted? */
static bool may_take(const struct troupe *self)
{
    return !self->paused && !self->enough && !self->saving && !self->mailbox.is_early &&
           !TAILQ_EMPTY(&self->mailbox.queue);
}

static void close_gone(struct mailbox *mailbox);

static void end_turn(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;

    mailbox->turn_started = (struct mono){0};
    mailbox->turn_handled = 0;
    if (mailbox->choked > 0)
        look_at_choked(mailbox);
    if (mailbox->going > 0)
        close_gone(mailbox);
    if (!may_take(self) && TAILQ_EMPTY(&self->agenda))
        ev_idle_stop(self->loop, &mailbox->spin);
    mailbox_check_drained(self);
}

/* After all other events of this turn: what is owed, then a bounded number of messages. */
static void on_turn(struct ev_loop *loop, ev_check *watcher, int revents)
{
    struct mailbox *mailbox = container_of(watcher, struct mailbox, turn);
    struct troupe *self = container_of(mailbox, struct troupe, mailbox);
    struct troupe_message *message;

    (void)revents;
    (void)loop;
    if (self->waiting || self->busy || self->enough || self->saving)
        return;
    agenda_run(self, MAILBOX_TURN_MESSAGES);
    while (TAILQ_EMPTY(&self->agenda) && may_take(self) && has_turn(self)) {
        message = dequeue(self);
        take_one(self, message);
        agenda_run(self, MAILBOX_TURN_MESSAGES);
    }
    end_turn(self);
}

void mailbox_take_no_more(struct troupe *self)
{
    struct channel *channel;

    TAILQ_FOREACH(channel, &self->mailbox.channels, in_mailbox)
    channel->last_place = sp_conn_come(channel->conn);
    self->draining = true;
    mailbox_wake(self); /* the turn looks whether anything is left */
}

void mailbox_retire(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;
    struct channel *channel;

    mailbox->is_retiring = true;
    if (mailbox->listener)
        sp_listener_rest(mailbox->listener);
    TAILQ_FOREACH(channel, &mailbox->channels, in_mailbox)
    sp_conn_hear_no_more(channel->conn);
    troupe_drain(self, REASON_IDLE);
}

static bool has_more_to_take(const struct mailbox *mailbox)
{
    const struct channel *channel;

    TAILQ_FOREACH(channel, &mailbox->channels, in_mailbox)
    if (sp_conn_has_before(channel->conn, channel->last_place))
        return true;
    return false;
}

void mailbox_check_drained(struct troupe *self)
{
    if (self->draining && !self->ending && self->mailbox.live == 0 &&
        TAILQ_EMPTY(&self->agenda) && !has_more_to_take(&self->mailbox))
        troupe_exit(self, NULL, "%s", self->drain_reason);
}

static void on_spin(struct ev_loop *loop, ev_idle *watcher, int revents)
{
    (void)loop;
    (void)watcher;
    (void)revents;
}

/* ---- ids of raw calls ---------------------------------------------------------------------- */

/* nng sends a request again when it is impatient: one that is being worked on, or was answered a
 * moment ago, must not be done twice. */
static bool is_repeated(struct channel *channel, const uint8_t *header, unsigned size)
{
    struct troupe_message *found;

    HASH_FIND(hh, channel->pending, header, size, found);
    if (found)
        return true;
    for (int i = 0; i < MAILBOX_ANSWERED; i++)
        if (channel->answered[i].size == size &&
            memcmp(channel->answered[i].bytes, header, size) == 0)
            return true;
    return false;
}

static void add_pending(struct channel *channel, struct troupe_message *message)
{
    struct mailbox *mailbox = &channel->self->mailbox;

    HASH_ADD(hh, channel->pending, header, message->header_size, message);
    TAILQ_INSERT_TAIL(&mailbox->unanswered, message, in_unanswered);
    message->is_pending = true;
    if (!ev_is_active(&mailbox->timeout)) {
        ev_timer_set(&mailbox->timeout, (double)mailbox_raw_call_ms / 1000, 0.);
        ev_timer_start(channel->self->loop, &mailbox->timeout);
    }
}

static void remove_pending(struct channel *channel, struct troupe_message *message)
{
    if (!message->is_pending)
        return;
    HASH_DEL(channel->pending, message);
    TAILQ_REMOVE(&channel->self->mailbox.unanswered, message, in_unanswered);
    message->is_pending = false;
}

static void remember_answered(struct channel *channel, const struct troupe_message *message)
{
    struct call_id *id = &channel->answered[channel->next_answered++ % MAILBOX_ANSWERED];

    id->size = message->header_size;
    memcpy(id->bytes, message->header, message->header_size);
}

static void on_timeout(struct ev_loop *loop, ev_timer *watcher, int revents)
{
    struct mailbox *mailbox = container_of(watcher, struct mailbox, timeout);
    struct mono now = mono_now();
    struct troupe_message *message;

    (void)revents;
    while ((message = TAILQ_FIRST(&mailbox->unanswered)) && message->deadline.us <= now.us)
        mailbox_answer_error(message, "timeout");
    if (!message)
        return;
    ev_timer_set(watcher, (double)(message->deadline.us - now.us) / 1e6 + 0.001, 0.);
    ev_timer_start(loop, watcher);
}

/* ---- what comes on a connection ------------------------------------------------------------ */

/* Has it come only after the actor began to drain? */
static bool is_too_late(const struct channel *channel)
{
    return channel->self->draining && sp_conn_taken(channel->conn) > channel->last_place;
}

static void refuse_draining(struct troupe_message *message)
{
    STATS_ADD(message->self, dropped, 1);
    mailbox_answer_error(message, "overloaded draining");
    mailbox_forget(message);
}

static void on_raw(struct channel *channel, const uint8_t *header, unsigned head,
                   const uint8_t *body, size_t size)
{
    struct troupe *self = channel->self;
    enum message_origin origin = self->boot->raw_bytes ? MESSAGE_RAW_BYTES : MESSAGE_RAW;
    struct troupe_message *message = message_create(self, origin, "", 0, "", 0, body, size);

    if (!message) {
        STATS_ADD(self, dropped, 1);
        return;
    }
    admit(channel, message);
    message->header_size = head;
    if (head > 0) {
        message->is_call = true;
        memcpy(message->header, header, head);
        message->deadline = mono_add_ms(mono_now(), mailbox_raw_call_ms);
        add_pending(channel, message);
    }
    if (is_too_late(channel))
        refuse_draining(message);
    else
        enqueue(message);
}

static void channel_close(struct channel *channel);

static void on_request(struct channel *channel, const uint8_t *body, size_t size)
{
    unsigned head = (unsigned)sp_request_header(body, size);

    if (head == 0) {
        channel_close(channel);
        return;
    }
    if (!is_repeated(channel, body, head))
        on_raw(channel, body, head, body + head, size - head);
}

static bool is_for_us(struct troupe *self, const struct envelope *env)
{
    char text[ADDR_TEXT_MAX + 1];
    struct addr to;
    const char *why;

    if (env->to.length == 0)
        return true;
    if (envelope_text_copy(env->to, text, sizeof text) < 0 || addr_parse(text, &to, &why) < 0)
        return false;
    return to.incarnation == 0 || to.incarnation == self->boot->incarnation;
}

/* We wait in this very call: it would never be answered (SEMANTICS 6). */
static bool is_deadlock(const struct troupe *self, const struct envelope *env)
{
    if (env->kind != ENVELOPE_CALL)
        return false;
    for (unsigned i = 0; i < env->blocked_count; i++)
        if (call_is_waited_in(self, env->blocked[i]))
            return true;
    return false;
}

static void drop_for_memory(struct troupe_message *message)
{
    STATS_ADD(message->self, dropped, 1);
    mailbox_answer_error(message, "overloaded out of memory");
    mailbox_forget(message);
}

/* What a HELLO says anybody can say: the kernel tells whether the node's user has dialled. Not which of
 * its processes: another sys/node has another pid, and that user could put anything in its place. */
static bool is_own_node(const struct channel *channel)
{
    const struct troupe_boot *boot = channel->self->boot;
    struct addr addr;
    const char *why;

    return peer_creds(channel->peer)->uid == boot->node_uid &&
           addr_parse(peer_remote(channel->peer), &addr, &why) == 0 &&
           !strcmp(addr.path, PEER_NODE) && !strcmp(addr.node, boot->node ? boot->node : "");
}

/* A `from` of its own has what sys/node hands on for somebody (PROTOCOL 2); else it is of who dialled,
 * whatever it says. */
static struct troupe_message *view_of(struct channel *channel, const struct envelope *env)
{
    char from[ADDR_TEXT_MAX + 1];
    bool is_relayed = env->from.length && is_own_node(channel) &&
                      envelope_text_copy(env->from, from, sizeof from) == 0;
    struct troupe_message *message =
        message_view(channel->self, MESSAGE_ENVELOPE, env,
                     is_relayed ? from : peer_remote(channel->peer));

    if (!is_relayed || !message || message_settle(message) == 0)
        return message;
    message_destroy(message);
    return NULL;
}

/* Is nothing before what has come just now? */
static bool is_next(struct troupe *self)
{
    return TAILQ_EMPTY(&self->mailbox.queue) && !self->paused && !self->mailbox.is_early &&
           agenda_is_free(self) && has_turn(self);
}

/* Handled at once, from its frame, when nothing is before it: no copy is made. */
static void on_message_envelope(struct channel *channel, const struct envelope *env)
{
    struct troupe *self = channel->self;
    struct troupe_message *message = view_of(channel, env);

    if (!message) {
        STATS_ADD(self, dropped, 1);
        return;
    }
    admit(channel, message);
    look_ahead(channel);
    if (is_deadlock(self, env)) {
        mailbox_answer_error(message, "deadlock");
        mailbox_forget(message);
    } else if (is_too_late(channel)) {
        refuse_draining(message);
    } else if (is_next(self)) {
        take_one(self, message);
    } else if (message_settle(message) == 0) {
        enqueue(message);
    } else {
        drop_for_memory(message);
    }
}

/* A cast has no number (ref 0): its sender knows it by its name. */
static int refuse(struct peer *peer, uint64_t ref, struct envelope_text name, const char *text)
{
    struct envelope env = {.kind = ENVELOPE_ERROR,
                           .ref = ref,
                           .payload = text,
                           .payload_size = (uint32_t)strlen(text)};

    if (!ref)
        env.type = name;
    return peer_send(peer, &env, -1);
}

/* Who dials must know that somebody listens before a message is handled, not at the turn's end:
 * else what ends us in its handler would go again (PROTOCOL 1). */
static void greet(struct channel *channel)
{
    if (!channel->peer || channel->is_greeted)
        return;
    channel->is_greeted = true;
    if (peer_say_hello(channel->peer, channel->self->address) < 0)
        peer_break(channel->peer);
    sp_conn_flush(channel->conn);
}

static void refuse_others(struct channel *channel, const struct envelope *env)
{
    char text[ADDR_TEXT_MAX + 32];

    greet(channel);
    snprintf(text, sizeof text, "noproc this is %s", channel->self->address);
    refuse(channel->peer, env->ref, env->type, text);
}

/* ---- seats --------------------------------------------------------------------------------- */

static int say(struct channel *channel, const char *event)
{
    struct envelope env = {.kind = ENVELOPE_EVENT, .type = envelope_text(event)};

    return peer_send(channel->peer, &env, -1);
}

static enum seat_kind kind_of(const struct channel *channel)
{
    switch (sp_conn_protocol(channel->conn)) {
    case SP_REQ:
        return SEAT_ASKER;
    case SP_PUSH:
        return SEAT_PUSHER;
    case SP_SUB:
        return SEAT_LISTENER;
    default:
        break;
    }
    if (channel->audience.count > 0)
        return SEAT_LISTENER;
    return *peer_remote(channel->peer) ? SEAT_ACTOR : SEAT_STRANGER;
}

/* What it has sent by now is handled and answered yet; what comes then goes by another connection.
 */
static void let_go(struct channel *channel)
{
    channel->seat.is_left = channel->is_let_go = true;
    channel->self->mailbox.going++;
    sp_conn_hear_no_more(channel->conn);
}

static unsigned count_kept(const struct mailbox *mailbox)
{
    const struct channel *channel;
    unsigned kept = 0;

    TAILQ_FOREACH(channel, &mailbox->channels, in_mailbox)
    kept += seat_is_kept(kind_of(channel));
    return kept;
}

/* Of those who keep their seats: who may be let go, because others would like to have one. */
static void let_go_kept(struct mailbox *mailbox)
{
    struct mono now = mono_now();
    struct channel *channel;
    unsigned going = 0;

    TAILQ_FOREACH_REVERSE(channel, &mailbox->channels, channel_list, in_mailbox)
    {
        if (!seat_is_kept(kind_of(channel)) ||
            seat_step(&channel->seat, kind_of(channel), now, TAILQ_EMPTY(&channel->messages),
                      false) != SEAT_LET_GO)
            continue;
        let_go(channel);
        if (++going == SEAT_LET_GO_MAX)
            break;
    }
}

/* When not, there may be a moment later. */
static bool has_room_to_keep(struct mailbox *mailbox)
{
    if (count_kept(mailbox) < SEAT_KEPT_MAX)
        return true;
    let_go_kept(mailbox);
    return false;
}

static bool has_gone(const struct channel *channel)
{
    return channel->is_let_go && TAILQ_EMPTY(&channel->messages) &&
           sp_conn_queued(channel->conn) == 0 &&
           !sp_conn_has_before(channel->conn, sp_conn_come(channel->conn));
}

static void close_gone(struct mailbox *mailbox)
{
    struct channel *channel, *next;

    for (channel = TAILQ_FIRST(&mailbox->channels); channel; channel = next) {
        next = TAILQ_NEXT(channel, in_mailbox);
        if (has_gone(channel))
            channel_close(channel);
    }
}

static bool may_ask(struct channel *channel, struct mono now)
{
    if (say(channel, SEAT_YIELD) < 0)
        return false;
    seat_was_asked(&channel->seat, now);
    return true;
}

/* Begins with whoever was served least lately; returns how many are to make room. */
static unsigned make_room(struct mailbox *mailbox, bool urgent)
{
    struct mono now = mono_now();
    struct channel *channel;
    unsigned asked = 0, going = 0;

    TAILQ_FOREACH_REVERSE(channel, &mailbox->channels, channel_list, in_mailbox)
    {
        switch (seat_step(&channel->seat, kind_of(channel), now, TAILQ_EMPTY(&channel->messages),
                          urgent)) {
        case SEAT_ASKED:
            asked += asked < SEAT_ASKED_MAX && may_ask(channel, now);
            break;
        case SEAT_LET_GO:
            if (going++ < SEAT_LET_GO_MAX)
                let_go(channel);
            break;
        case SEAT_STAYS:
            break;
        }
    }
    return asked + going;
}

static void on_crowded(struct sp_listener *listener, void *data)
{
    struct troupe *self = data;

    (void)listener;
    if (self->mailbox.is_closing || self->mailbox.is_early)
        return;
    if (make_room(&self->mailbox, false) == 0)
        make_room(&self->mailbox, true);
    close_gone(&self->mailbox);
}

static bool is_goodbye(const struct envelope *env)
{
    return env->kind == ENVELOPE_CAST && envelope_text_equals(env->type, SEAT_YIELDED);
}

/* All that came before has been taken. One that was not asked by us had asked of it another incarnation. */
static void let_leave(struct channel *channel)
{
    if (!mono_is_set(channel->seat.asked))
        return;
    channel->seat.is_left = true;
    if (say(channel, SEAT_YIELDED) < 0)
        sp_conn_break(channel->conn); /* its end says as much */
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct channel *channel = peer_data(peer);
    bool is_request = env->kind == ENVELOPE_CALL || env->flags & ENVELOPE_WANTS_UNDELIVERED;

    if (fd >= 0)
        close(fd);
    if (env->kind == ENVELOPE_CONTROL) {
        greet(channel);
        peer_reply_error(peer, env->ref, "unknown_request an actor takes messages only");
        return;
    }
    if (env->kind != ENVELOPE_CAST && env->kind != ENVELOPE_CALL)
        return;
    if (is_goodbye(env))
        let_leave(channel);
    else if (is_for_us(channel->self, env))
        on_message_envelope(channel, env);
    else if (is_request)
        refuse_others(channel, env);
}

/* ---- connections --------------------------------------------------------------------------- */

/* The channel ends; its messages stay: casts are still handled, calls have nobody to answer. */
static void channel_destroy(struct channel *channel)
{
    struct mailbox *mailbox = &channel->self->mailbox;
    struct troupe_message *message;

    mailbox->ahead -= channel->ahead;
    mailbox->going -= channel->is_let_go;
    if (channel->is_choked)
        mailbox->choked--;
    if (channel->peer)
        audience_finish(&channel->audience);
    else if (sp_conn_protocol(channel->conn) == SP_SUB)
        mailbox->sub_count--;
    while ((message = TAILQ_FIRST(&channel->messages))) {
        remove_pending(channel, message);
        TAILQ_REMOVE(&channel->messages, message, in_channel);
        message->channel = NULL;
    }
    TAILQ_REMOVE(&mailbox->channels, channel, in_mailbox);
    free(channel);
}

static void channel_close(struct channel *channel)
{
    struct peer *peer = channel->peer;
    struct sp_conn *conn = channel->conn;

    channel_destroy(channel);
    if (peer)
        peer_close(peer, false);
    else
        sp_conn_close(conn, false);
}

static void on_peer_close(struct peer *peer, const char *why)
{
    (void)why;
    channel_destroy(peer_data(peer));
}

static void on_peer_drain(struct peer *peer)
{
    struct channel *channel = peer_data(peer);

    audience_on_drain(&channel->audience);
}

static const struct peer_handlers PEER = {
    .on_envelope = on_envelope, .on_close = on_peer_close, .on_drain = on_peer_drain};

static bool may_send(const struct troupe *self, const struct sp_conn *conn)
{
    const struct troupe_boot *boot = self->boot;
    const struct ucred *who = sp_conn_creds(conn);
    struct rights rights = {
        .node_uid = getuid(), .send_uids = boot->uids, .send_count = boot->uid_count};

    return rights_of(&rights, who->uid, who->gid) & RIGHT_SEND;
}

static bool is_pattern_allowed(const struct troupe *self, enum sp_protocol protocol)
{
    switch (protocol) {
    case SP_PAIR0:
    case SP_SUB:
        return true;
    case SP_REQ:
    case SP_PUSH:
        return !self->boot->raw_off;
    default:
        return false;
    }
}

/* Those who keep their seats must not have all of them. nng tries again. */
static bool may_sit(struct mailbox *mailbox, enum sp_protocol protocol)
{
    return (protocol != SP_SUB && protocol != SP_PUSH) || has_room_to_keep(mailbox);
}

static bool on_open(struct sp_conn *conn)
{
    struct troupe *self = sp_conn_data(conn);
    enum sp_protocol protocol = sp_conn_protocol(conn);
    struct channel *channel;

    if (self->mailbox.is_closing || self->mailbox.is_retiring || !may_send(self, conn) ||
        !is_pattern_allowed(self, protocol) || !may_sit(&self->mailbox, protocol))
        return false;
    channel = calloc(1, sizeof *channel);
    if (!channel)
        return false;
    channel->self = self;
    channel->conn = conn;
    channel->seat.taken = channel->seat.served = mono_now();
    TAILQ_INIT(&channel->messages);
    if (protocol == SP_PAIR0) {
        channel->peer = peer_accept_silently(conn, &PEER, channel);
        if (!channel->peer) {
            free(channel);
            return false;
        }
        audience_init(&channel->audience, self, channel->peer);
    } else {
        sp_conn_set_data(conn, channel);
        self->mailbox.sub_count += protocol == SP_SUB;
    }
    TAILQ_INSERT_TAIL(&self->mailbox.channels, channel, in_mailbox);
    channel_breathe(channel);
    if (!self->mailbox.is_early)
        greet(channel);
    sp_conn_flush(conn);
    return true;
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    if (sp_conn_protocol(conn) == SP_PAIR0) {
        peer_sp_handlers(on_open).on_message(conn, body, size, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (sp_conn_protocol(conn) == SP_REQ)
        on_request(sp_conn_data(conn), body, size);
    else if (sp_conn_protocol(conn) == SP_PUSH)
        on_raw(sp_conn_data(conn), NULL, 0, body, size);
}

static void on_close(struct sp_conn *conn, const char *why)
{
    if (sp_conn_protocol(conn) == SP_PAIR0)
        peer_sp_handlers(on_open).on_close(conn, why);
    else
        channel_destroy(sp_conn_data(conn));
}

static void on_drain(struct sp_conn *conn)
{
    if (sp_conn_protocol(conn) == SP_PAIR0)
        peer_sp_handlers(on_open).on_drain(conn);
}

static const struct sp_handlers HANDLERS = {
    .on_open = on_open, .on_message = on_message, .on_close = on_close, .on_drain = on_drain,
    .on_crowded = on_crowded};

/* ---- answers ------------------------------------------------------------------------------- */

static int raw_answer(struct troupe_message *message, const char *sign, const void *bytes,
                      size_t size)
{
    struct iovec parts[] = {{message->header, message->header_size},
                            {(void *)sign, strlen(sign)},
                            {(void *)bytes, size}};

    return sp_send(message->channel->conn, parts, 3, -1);
}

static int envelope_answer(struct troupe_message *message, const char *type, bool typed,
                           const void *payload, size_t size)
{
    struct envelope env = {.kind = ENVELOPE_REPLY,
                           .flags = typed ? ENVELOPE_TYPED : 0,
                           .ref = message->ref,
                           .type = envelope_text(type),
                           .payload = payload,
                           .payload_size = (uint32_t)size};

    if (size > UINT32_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    return peer_send(message->channel->peer, &env, -1);
}

/* A raw call: its answer is known. */
static void end_pending(struct troupe_message *message)
{
    if (!message->is_pending)
        return;
    remember_answered(message->channel, message);
    remove_pending(message->channel, message);
}

/* The one answer is on its way, or lost: book-keeping for both. Returns result. */
static int answered(struct troupe_message *message, int result)
{
    struct channel *channel = message->channel;
    struct troupe *self = message->self;
    int saved = errno;

    message->is_answered = true;
    end_pending(message);
    if (result < 0) {
        STATS_ADD(self, dropped, 1);
        channel_close(channel);
    } else {
        STATS_ADD(self, messages_out, 1);
        if (sp_conn_queued(channel->conn) > MAILBOX_CHOKE)
            choke(channel, true);
    }
    errno = saved;
    return result;
}

static bool has_asker(const struct troupe_message *message)
{
    if (message->channel && !message->is_answered && !message->is_withheld) {
        greet(message->channel);
        return true;
    }
    errno = ENOTCONN;
    return false;
}

static int answer_line(struct troupe_message *message, const char *format,
                       const union wire_value *values)
{
    struct buf line = {0};
    int result = values_append(&line, true, format, values);

    if (result == 0)
        result = raw_answer(message, "+", buf_front(&line), buf_length(&line));
    buf_finish(&line);
    return result;
}

static int answer_typed(struct troupe_message *message, const char *format,
                        const union wire_value *values)
{
    struct wire_image image = {0};
    int result;

    if (*format == '\0')
        return envelope_answer(message, "", false, NULL, 0);
    if (!message->is_typed && strcmp(format, "B") == 0)
        return envelope_answer(message, "", false, values->bytes.at, values->bytes.size);
    if (wire_pack_values(format, values, &image) < 0)
        return -1;
    result = envelope_answer(message, "", true, image.data, image.size);
    wire_image_finish(&image);
    return result;
}

/* The handler named raw speaks bytes: they go out as they are. */
static int answer_bytes(struct troupe_message *message, const char *format,
                        const union wire_value *values)
{
    if (strcmp(format, "B") == 0 || strcmp(format, "s") == 0)
        return raw_answer(message, "", values->bytes.at, values->bytes.size);
    return answer_line(message, format, values);
}

static int put_answer(struct troupe_message *message, const char *format,
                      const union wire_value *values)
{
    switch (message->origin) {
    case MESSAGE_RAW:
        return answer_line(message, format, values);
    case MESSAGE_RAW_BYTES:
        return answer_bytes(message, format, values);
    case MESSAGE_ENVELOPE:
    case MESSAGE_ANSWER:
        break;
    }
    return answer_typed(message, format, values);
}

/* That does not cost the connection, and the other answers that are awaited on it. */
static int refuse_size(struct troupe_message *message)
{
    char text[160];

    snprintf(text, sizeof text, "error reply to %.64s: more than %zu bytes", message->name,
             mailbox_max_message(message->self));
    mailbox_answer_error(message, text);
    errno = EMSGSIZE;
    return -1;
}

/* Until what the handler has changed is kept. False: it goes out now. */
static bool withhold(struct troupe_message *message, const char *format, const union wire_value *values,
                     const char *error)
{
    struct troupe *self = message->self;

    if (!message->is_call || !state_withholds(self) ||
        withheld_add(state_withheld(self), message, format, values, error) < 0)
        return false;
    end_pending(message);
    return true;
}

int mailbox_answer(struct troupe_message *message, const char *format,
                   const union wire_value *values)
{
    int result;

    if (!has_asker(message))
        return -1;
    if (withhold(message, format, values, NULL))
        return 0;
    if (state_withholds(message->self)) { /* there was no memory to keep it back */
        mailbox_answer_error(message, "error out of memory");
        errno = ENOMEM;
        return -1;
    }
    result = put_answer(message, format, values);
    if (result < 0 && errno == EMSGSIZE)
        return refuse_size(message);
    return answered(message, result);
}

static int answer_words_line(struct troupe_message *message, const struct words *words)
{
    struct buf line = {0};
    int result = 0;

    for (size_t i = 0; result == 0 && i < words->count; i++)
        result = raw_put(&line, i == 0, words->at[i], strlen(words->at[i]));
    if (result == 0)
        result = raw_answer(message, "+", buf_front(&line), buf_length(&line));
    buf_finish(&line);
    return result;
}

int mailbox_answer_words(struct troupe_message *message, const struct words *words)
{
    struct wire_image image = {0};
    int result;

    if (!has_asker(message))
        return -1;
    if (message->origin != MESSAGE_ENVELOPE)
        return answered(message, answer_words_line(message, words));
    if (wire_pack_words(words, &image) < 0)
        return answered(message, -1);
    result = envelope_answer(message, "words", true, image.data, image.size);
    wire_image_finish(&image);
    return answered(message, result);
}

int mailbox_answer_error(struct troupe_message *message, const char *text)
{
    if (!message->is_call && !message->wants_undelivered)
        return 0;
    if (!has_asker(message))
        return -1;
    if (withhold(message, NULL, NULL, text))
        return 0;
    if (message->origin == MESSAGE_ENVELOPE)
        return answered(message, refuse(message->channel->peer, message->ref,
                                        envelope_text(message->name), text));
    return answered(message, raw_answer(message, "!", text, strlen(text)));
}

/* ---- publishing ---------------------------------------------------------------------------- */

struct audience *mailbox_audience(const struct troupe_message *message)
{
    return message->channel ? &message->channel->audience : NULL;
}

bool mailbox_has_room_to_keep(const struct troupe_message *message)
{
    return message->channel->audience.count > 0 || has_room_to_keep(&message->self->mailbox);
}

size_t mailbox_max_message(const struct troupe *self)
{
    return self->boot->max_message ? (size_t)self->boot->max_message : MAILBOX_MESSAGE;
}

int mailbox_publish(struct troupe *self, const void *line, size_t size)
{
    struct iovec part = {(void *)line, size};
    struct channel *channel;
    int count = 0;

    TAILQ_FOREACH(channel, &self->mailbox.channels, in_mailbox)
    {
        if (sp_conn_protocol(channel->conn) != SP_SUB)
            continue;
        if (sp_send(channel->conn, &part, 1, -1) == 0)
            count++;
        else
            STATS_ADD(self, dropped, 1);
    }
    STATS_ADD(self, messages_out, count);
    return count;
}

/* ---- life ---------------------------------------------------------------------------------- */

void mailbox_init(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;
    const struct troupe_boot *boot = self->boot;

    mailbox->max_messages = boot->mailbox_messages ? boot->mailbox_messages : MAILBOX_MESSAGES;
    mailbox->max_bytes = boot->mailbox_bytes ? boot->mailbox_bytes : MAILBOX_BYTES;
    TAILQ_INIT(&mailbox->channels);
    TAILQ_INIT(&mailbox->queue);
    TAILQ_INIT(&mailbox->unanswered);
    ev_check_init(&mailbox->turn, on_turn);
    ev_set_priority(&mailbox->turn, EV_MINPRI);
    ev_idle_init(&mailbox->spin, on_spin);
    ev_set_priority(&mailbox->spin, EV_MINPRI);
    ev_init(&mailbox->timeout, on_timeout);
}

void mailbox_begin(struct troupe *self)
{
    ev_check_start(self->loop, &self->mailbox.turn);
}

static int listen_on(struct troupe *self)
{
    struct sp_limits limits = {.max_message = mailbox_max_message(self)};

    self->mailbox.listener =
        sp_listen(self->loop, self->boot->mailbox_fd, &limits, &HANDLERS, self);
    return self->mailbox.listener ? 0 : -1;
}

int mailbox_open(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;
    struct channel *channel, *next;

    if (self->boot->mailbox_fd < 0)
        return 0;
    if (!mailbox->listener)
        return listen_on(self);
    mailbox->is_early = false;
    for (channel = TAILQ_FIRST(&mailbox->channels); channel; channel = next) {
        next = TAILQ_NEXT(channel, in_mailbox);
        greet(channel);
    }
    sp_listener_greet(mailbox->listener, 0);
    mailbox_wake(self);
    return 0;
}

void mailbox_open_early(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;

    if (self->serving || mailbox->listener || mailbox->is_closing || self->boot->mailbox_fd < 0 ||
        listen_on(self) < 0)
        return;
    mailbox->is_early = true;
    sp_listener_greet(mailbox->listener, SP_PAIR0);
}

void mailbox_refuse(struct troupe *self)
{
    self->mailbox.is_closing = true;
    ev_check_stop(self->loop, &self->mailbox.turn);
    ev_idle_stop(self->loop, &self->mailbox.spin);
    breathe_all(&self->mailbox);
}

static bool has_unsent(const struct mailbox *mailbox)
{
    struct channel *channel;

    TAILQ_FOREACH(channel, &mailbox->channels, in_mailbox)
    if (sp_conn_queued(channel->conn) > 0)
        return true;
    return false;
}

void mailbox_drain(struct troupe *self, int64_t ms)
{
    struct mono deadline = mono_add_ms(mono_now(), ms);

    loop_run_for(self->loop, 0);
    while (has_unsent(&self->mailbox) && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(self->loop, 20);
}

void mailbox_forget(struct troupe_message *message)
{
    if (message->is_withheld) { /* once its answer has gone */
        message->is_forgotten = true;
        return;
    }
    message->self->mailbox.live--;
    if (message->channel) {
        remove_pending(message->channel, message);
        TAILQ_REMOVE(&message->channel->messages, message, in_channel);
    }
    message_destroy(message);
}

void mailbox_release(struct troupe_message *message)
{
    if (message->is_handled)
        message->is_kept = false;
    else
        mailbox_forget(message);
}

void mailbox_finish(struct troupe *self)
{
    struct mailbox *mailbox = &self->mailbox;
    struct troupe_message *message;
    struct channel *channel;

    while ((message = dequeue(self)))
        mailbox_forget(message);
    while ((channel = TAILQ_FIRST(&mailbox->channels)))
        channel_close(channel);
    sp_listener_destroy(mailbox->listener, true);
    mailbox->listener = NULL;
    ev_check_stop(self->loop, &mailbox->turn);
    ev_idle_stop(self->loop, &mailbox->spin);
    ev_timer_stop(self->loop, &mailbox->timeout);
}
