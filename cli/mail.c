#include "mail.h"

#include "control.h"
#include "ended.h"
#include "output.h"
#include "peer.h"
#include "place.h"
#include "summons.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    AGAIN_MS = 10,   /* between two tries */
    CLOSED_MOST = 5, /* … that were closed unheard; then its supervisor is asked about it */
    LOOK_MS = 1000,
    REQUEST_ID = 1,    /* the only one on its connection */
    REQUEST_HEADER = 4 /* bytes of a REQ header of one word */
};

static const uint8_t request_header[REQUEST_HEADER] = {0x80, 0, 0, REQUEST_ID};

/* One letter on its way. */
struct delivery {
    struct client *client;
    const struct mailbox_address *to;
    const struct letter *letter;
    struct mono deadline;
    struct reply *reply;

    struct peer *peer;    /* ENVELOPE: the present connection, or NULL */
    struct sp_conn *conn; /* RAW */
    uint64_t place;       /* where the letter ends in the connection's stream */
    bool is_open;         /* the other side has begun to listen */
    bool is_returned;     /* … and has ended without having taken the letter */
    bool is_over;
    uint64_t closes;      /* the life that was there when it had been closed so often; 0: unknown */
    unsigned closed;      /* times in a row, before anybody listened */
    bool is_down;         /* who listened has gone without a word */
    uint64_t incarnation; /* of who listens; 0: not known */
    struct hotlines hotlines;
    struct summons *summons; /* of an actor of a service that is not there; or NULL */
    unsigned summoned;            /* times */
    char node[ADDR_PART_MAX + 1]; /* where its service has it; "": here, or it is of none */
    ev_timer again, limit;
};

void letter_finish(struct letter *letter)
{
    buf_finish(&letter->payload);
}

void reply_finish(struct reply *reply)
{
    free(reply->failure);
    buf_finish(&reply->body);
    *reply = (struct reply){0};
}

/* ---- how it ends ------------------------------------------------------------------------- */

/* The first word stands: the time may be up in the very turn in which the connection ends. */
static void fail(struct delivery *delivery, const char *text, size_t length)
{
    delivery->is_over = true;
    if (delivery->reply->failure)
        return;
    delivery->reply->failure = strndup(text, length);
    cli_check_memory(!delivery->reply->failure);
}

static void fail_with(struct delivery *delivery, const char *text)
{
    fail(delivery, text, strlen(text));
}

static void succeed(struct delivery *delivery, const void *body, size_t size)
{
    delivery->is_over = true;
    if (size)
        cli_check_memory(buf_append(&delivery->reply->body, body, size));
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    fail_with(container_of(timer, struct delivery, limit), "timeout");
}

static void try_again(struct delivery *delivery)
{
    ev_timer_set(&delivery->again, AGAIN_MS / 1000.0, 0);
    ev_timer_start(delivery->client->loop, &delivery->again);
}

static void explain_end(struct delivery *delivery)
{
    char reason[REASON_MAX] = "unknown", text[REASON_MAX + 8];
    char path[SUMMONS_PATH_MAX + 1];

    summons_path(delivery->to->path, delivery->node, path);
    /* On another node one whose end nobody knows of may live: it was the way that ended. */
    if (delivery->incarnation &&
        (!ended_reason(delivery->client, path, delivery->incarnation, reason) ||
         (place_is_elsewhere(path) && !strcmp(reason, "unknown")))) {
        fail_with(delivery, "noconnection");
        return;
    }
    snprintf(text, sizeof text, "down %s", reason);
    fail_with(delivery, text);
}

static void dial(struct delivery *delivery);

static void on_summoned(void *data, const char *node, const char *failure)
{
    struct delivery *delivery = data;

    delivery->summons = NULL;
    snprintf(delivery->node, sizeof delivery->node, "%s", node);
    if (failure)
        fail_with(delivery, failure);
    else
        dial(delivery);
}

/* False: nobody can be asked for it. */
static bool summon(struct delivery *delivery, const char *why)
{
    delivery->summons = summons_send(&delivery->hotlines, delivery->to->path, delivery->node,
                                     &delivery->summoned, why, on_summoned, delivery);
    return delivery->summons != NULL;
}

/* written: how far the kernel took what was sent. A letter that nobody listened to, or that is not
 * whole, was not read: it goes again. */
static void on_lost(struct delivery *delivery, uint64_t written, const char *why)
{
    bool is_read = delivery->is_open && written >= delivery->place && !delivery->is_returned;

    delivery->peer = NULL;
    delivery->conn = NULL;
    delivery->is_open = delivery->is_returned = false;
    if (delivery->is_over)
        return;
    delivery->closed += !is_read;
    if (!is_read && summon(delivery, why)) {
        return;
    } else if (peer_is_final(why)) {
        fail_with(delivery, why);
    } else if (strcmp(why, strerror(EACCES)) == 0) {
        delivery->reply->is_denied = true;
        fail_with(delivery, why);
    } else if (is_read && !delivery->letter->is_harmless) {
        delivery->is_over = delivery->is_down = true;
    } else {
        try_again(delivery);
    }
}

/* ---- in an envelope ---------------------------------------------------------------------- */

static void on_peer_open(struct peer *peer)
{
    struct delivery *delivery = peer_data(peer);
    struct addr addr;
    const char *why;

    delivery->is_open = true;
    delivery->summoned = 0;
    if (addr_parse(peer_remote(peer), &addr, &why) == 0)
        delivery->incarnation = addr.incarnation;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct delivery *delivery = peer_data(peer);

    if (fd >= 0)
        close(fd);
    if (env->ref != REQUEST_ID || delivery->is_over)
        return;
    if (env->kind == ENVELOPE_ERROR) {
        fail(delivery, env->payload, env->payload_size);
    } else if (env->kind == ENVELOPE_REPLY) {
        delivery->reply->is_typed = env->flags & ENVELOPE_TYPED;
        succeed(delivery, env->payload, env->payload_size);
    } else if (env->kind == ENVELOPE_CALL || env->kind == ENVELOPE_CAST) {
        delivery->is_returned = true;
    }
}

static void on_peer_close(struct peer *peer, const char *why)
{
    on_lost(peer_data(peer), peer_written(peer), why);
}

static int send_envelope(struct delivery *delivery)
{
    const struct letter *letter = delivery->letter;
    char to[ADDR_TEXT_MAX + 1] = "";
    struct envelope env = {
        .kind = letter->is_call ? ENVELOPE_CALL : ENVELOPE_CAST,
        .flags = letter->is_typed ? ENVELOPE_TYPED : 0,
        .ref = REQUEST_ID,
        .deadline_us = letter->is_call ? (uint64_t)delivery->deadline.us : 0,
        .type = envelope_text(letter->name),
        .payload = buf_front(&letter->payload),
        .payload_size = (uint32_t)buf_length(&letter->payload),
    };

    if (delivery->to->incarnation)
        addr_write(delivery->to->path, delivery->to->incarnation, to, sizeof to);
    env.to = envelope_text(to);
    if (peer_send(delivery->peer, &env, -1) != 0)
        return -1;
    delivery->place = peer_place(delivery->peer);
    return 0;
}

static int dial_peer(struct delivery *delivery)
{
    static const struct peer_handlers handlers = {
        .on_open = on_peer_open, .on_envelope = on_envelope, .on_close = on_peer_close};
    struct client *client = delivery->client;

    char path[SUMMONS_PATH_MAX + 1];

    summons_path(delivery->to->path, delivery->node, path);
    delivery->peer = peer_dial_mailbox(client->loop, client->dir.path, path, client->self, NULL,
                                       &handlers, delivery);
    return delivery->peer ? send_envelope(delivery) : -1;
}

/* ---- raw --------------------------------------------------------------------------------- */

static bool on_conn_open(struct sp_conn *conn)
{
    struct delivery *delivery = sp_conn_data(conn);

    delivery->is_open = true;
    delivery->incarnation = delivery->to->seen;
    return true;
}

static void on_conn_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct delivery *delivery = sp_conn_data(conn);

    if (fd >= 0)
        close(fd);
    if (size >= REQUEST_HEADER && memcmp(body, request_header, REQUEST_HEADER) == 0 &&
        !delivery->is_over)
        succeed(delivery, body + REQUEST_HEADER, size - REQUEST_HEADER);
}

static void on_conn_close(struct sp_conn *conn, const char *why)
{
    on_lost(sp_conn_data(conn), sp_conn_written(conn), why);
}

static int dial_raw(struct delivery *delivery)
{
    static const struct sp_handlers handlers = {
        .on_open = on_conn_open, .on_message = on_conn_message, .on_close = on_conn_close};
    const struct letter *letter = delivery->letter;
    struct client *client = delivery->client;
    struct iovec parts[] = {
        {(void *)request_header, letter->is_call ? REQUEST_HEADER : 0},
        {buf_front(&letter->payload), buf_length(&letter->payload)},
    };

    delivery->conn =
        sp_dial(client->loop, client->dir.path, delivery->to->path,
                letter->is_call ? SP_REQ : SP_PUSH, delivery->deadline, NULL, &handlers, delivery);
    if (!delivery->conn || sp_send(delivery->conn, parts, 2, -1) != 0)
        return -1;
    delivery->place = sp_conn_place(delivery->conn);
    return 0;
}

/* One life that is there all the while and closes every connection does not take such a letter. One
 * that is being restarted meanwhile may do so in another life. */
static void look_who_closes(struct delivery *delivery)
{
    struct answer answer;
    uint64_t incarnation = 0;

    cli_check_memory(
        client_ask_about(delivery->client, delivery->to->path, CONTROL_PS_BRIEF, LOOK_MS, &answer));
    if (answer.kind == ANSWER_ROWS && answer.rows.count == 1 &&
        answer.rows.at[0].state == ROW_READY)
        incarnation = answer.rows.at[0].incarnation;
    answer_finish(&answer);
    if (incarnation && incarnation == delivery->closes && !delivery->is_over)
        fail_with(delivery, "no_mailbox it takes no raw messages");
    delivery->closes = incarnation;
    delivery->closed = 0;
}

/* ---- both -------------------------------------------------------------------------------- */

static void hang_up(struct delivery *delivery)
{
    peer_close(delivery->peer, false);
    if (delivery->conn)
        sp_conn_close(delivery->conn, false);
    delivery->peer = NULL;
    delivery->conn = NULL;
}

static void dial(struct delivery *delivery)
{
    bool is_raw = delivery->letter->style == LETTER_RAW;
    char text[128];

    if (is_raw && place_is_elsewhere(delivery->to->path)) {
        fail_with(delivery, "no_mailbox raw messages do not go to another node");
        return;
    }
    if ((is_raw ? dial_raw(delivery) : dial_peer(delivery)) == 0)
        return;
    snprintf(text, sizeof text, "bad_message %s", strerror(errno));
    fail_with(delivery, text);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    dial(container_of(timer, struct delivery, again));
}

static bool is_handed_over(const struct delivery *delivery)
{
    if (!delivery->is_open)
        return false;
    return (delivery->peer ? peer_written(delivery->peer) : sp_conn_written(delivery->conn)) >=
           delivery->place;
}

void mail_deliver(struct client *client, const struct mailbox_address *to,
                  const struct letter *letter, struct mono deadline, struct reply *reply)
{
    struct delivery delivery = {
        .client = client, .to = to, .letter = letter, .deadline = deadline, .reply = reply};
    int64_t left_us = deadline.us - mono_now().us;

    *reply = (struct reply){0};
    delivery.closes = to->seen;
    hotlines_init(&delivery.hotlines, client->loop, client->dir.path, client->self);
    ev_init(&delivery.again, on_again);
    ev_timer_init(&delivery.limit, on_limit, left_us > 0 ? (double)left_us / 1e6 : 0, 0);
    ev_now_update(client->loop);
    ev_timer_start(client->loop, &delivery.limit);
    dial(&delivery);
    while (!delivery.is_over) {
        ev_run(client->loop, EVRUN_ONCE);
        if (!letter->is_call && !delivery.is_over && is_handed_over(&delivery))
            succeed(&delivery, NULL, 0);
        if (letter->style == LETTER_RAW && delivery.closed >= CLOSED_MOST && !delivery.is_over)
            look_who_closes(&delivery);
    }
    ev_timer_stop(client->loop, &delivery.limit);
    ev_timer_stop(client->loop, &delivery.again);
    summons_cancel(delivery.summons);
    hotlines_finish(&delivery.hotlines);
    hang_up(&delivery);
    if (delivery.is_down)
        explain_end(&delivery);
}
