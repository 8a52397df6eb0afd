#include "switchboard.h"

#include "channel.h"
#include "envelope_edit.h"
#include "peer.h"
#include "rundir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum {
    OUTBOX = 1 << 20, /* for one mailbox here: no actor stops a session */
    DIAL_MS = 5000,   /* for a supervisor; a mailbox is waited for as long as it is there */
    HELLO_MS = 5000,  /* for a process here to say whom it means */
    EARLY_MAX = 64 << 10, /* refusals that wait for a HELLO */
    CHANNEL_MAX = 16384,  /* of one session, and never more than a part of all descriptors */
    CHANNEL_PART = 4,
};

/* A process of this node that speaks to a mailbox of another. */
struct outgoing {
    struct switchboard *board;
    struct switchboard_side *side; /* NULL: it has not said whom it means */
    uint32_t id;
    struct sp_conn *conn;
    unsigned rights;
    bool is_open;                 /* the mailbox's HELLO has come */
    bool has_ended;               /* the mailbox has: what the kernel had taken by then is sent yet */
    bool is_shut;                 /* and has been: what comes back for it is not over yet */
    size_t forth;                 /* bytes that went forth, and have not been returned */
    struct buf early;             /* what we had to say ourselves before that */
    struct mono since;            /* it was connected */
    struct outgoing *prev, *next; /* of those that have not said it */
    UT_hash_handle hh;
};

/* A mailbox of this node that a process of another speaks to. */
struct incoming {
    struct switchboard_side *side;
    uint32_t id;
    struct sp_conn *conn;
    bool is_open; /* the mailbox has said HELLO */
    struct buf early; /* what we had to say ourselves before that */
    bool is_paused; /* the session takes no more of its answers for now */
    UT_hash_handle hh;
};

/* ---- what is sent over the session ---------------------------------------------------------- */

/* Requests find room or are refused; what keeps both sides in step, and answers, always go. */
static int send_parts(struct switchboard_side *side, enum channel_kind kind, uint32_t id,
                      const struct envelope_parts *body)
{
    bool is_ours = kind == CHANNEL_FORTH || kind == CHANNEL_SHUT;
    struct switchboard_message message = {.lane = (uint64_t)is_ours << 32 | id,
                                       .must = kind != CHANNEL_FORTH,
                                       .count = 1 + body->count};
    uint8_t head[CHANNEL_HEAD];

    channel_head(kind, id, head);
    message.parts[0] = (struct iovec){head, sizeof head};
    for (int i = 0; i < body->count; i++)
        message.parts[1 + i] = body->parts[i];
    return side->board->hooks.send(side, &message);
}

static int send_whole(struct switchboard_side *side, enum channel_kind kind, uint32_t id,
                      const void *bytes, size_t size)
{
    struct envelope_parts body = {.parts = {{(void *)bytes, size}}, .count = 1};

    return send_parts(side, kind, id, &body);
}

static void send_open(struct switchboard_side *side, uint32_t id, const char *to, const char *from)
{
    uint8_t bytes[CHANNEL_OPEN_MAX];
    size_t size = channel_open(id, to, from, bytes);
    struct switchboard_message message = {
        .lane = 1ull << 32 | id, .must = true, .parts = {{bytes, size}}, .count = 1};

    side->board->hooks.send(side, &message);
}

static void tell_ended(struct switchboard_side *side, uint32_t id, const char *reason)
{
    send_whole(side, CHANNEL_ENDED, id, reason, strlen(reason));
}

/* ---- what is said before the first word of a mailbox ------------------------------------------ */

/* Nothing may come before a HELLO: refusals wait, whole ones, each after its size. */
static int keep_early(struct buf *early, const uint8_t *bytes, size_t size)
{
    uint16_t length = (uint16_t)size;

    if (buf_length(early) > EARLY_MAX || buf_append(early, &length, sizeof length) < 0)
        return -1;
    return buf_append(early, bytes, size);
}

/* The next one, valid until the buffer changes; false: there is none. */
static bool take_early(struct buf *early, const uint8_t **bytes, size_t *size)
{
    uint16_t length;

    if (!buf_length(early))
        return false;
    memcpy(&length, buf_front(early), sizeof length);
    *bytes = buf_front(early) + sizeof length;
    *size = length;
    return true;
}

static void drop_early(struct buf *early, size_t size)
{
    buf_consume(early, sizeof(uint16_t) + size);
}

/* ---- processes of this node ----------------------------------------------------------------- */

static struct outgoing *find_outgoing(const struct switchboard_side *side, uint32_t id)
{
    struct outgoing *outgoing;

    HASH_FIND(hh, side->outgoing, &id, sizeof id, outgoing);
    return outgoing;
}

static void forget_outgoing(struct outgoing *outgoing)
{
    if (outgoing->side)
        HASH_DEL(outgoing->side->outgoing, outgoing);
    else
        DL_DELETE(outgoing->board->unopened, outgoing);
    buf_finish(&outgoing->early);
    free(outgoing);
}

/* Before the HELLO of who is meant an ERROR of no request says that there will be none (peer.h). */
static void refuse(struct outgoing *outgoing, const char *reason)
{
    struct envelope error = {
        .kind = ENVELOPE_ERROR, .payload = reason, .payload_size = (uint32_t)strlen(reason)};
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct iovec parts[2] = {{header, envelope_encode_header(&error, header)},
                             {(void *)reason, strlen(reason)}};

    if (!outgoing->is_open)
        sp_send(outgoing->conn, parts, 2, -1);
    sp_conn_close(outgoing->conn, true);
    forget_outgoing(outgoing);
}

static void refuse_envelope(struct outgoing *outgoing, const uint8_t *body, size_t size,
                            const char *reason)
{
    uint8_t error[ENVELOPE_REFUSAL_MAX];
    struct iovec part = {error, envelope_refusal(body, size, reason, error)};

    if (!part.iov_len)
        return;
    if (outgoing->is_open ? sp_send(outgoing->conn, &part, 1, -1)
                          : keep_early(&outgoing->early, error, part.iov_len))
        sp_conn_break(outgoing->conn); /* no room for an answer: the end is one, too */
}

static void say_early(struct outgoing *outgoing)
{
    struct iovec part;
    const uint8_t *bytes;

    while (take_early(&outgoing->early, &bytes, &part.iov_len)) {
        part.iov_base = (void *)bytes;
        if (sp_send(outgoing->conn, &part, 1, -1) < 0)
            sp_conn_break(outgoing->conn);
        drop_early(&outgoing->early, part.iov_len);
    }
}

/* PATH@NODE#N, of this node, whatever it calls itself; -1: it claims to be of another. */
static int own_address(const struct switchboard *board, struct envelope_text from,
                       char out[ADDR_TEXT_MAX + 1])
{
    struct addr addr;
    const char *why;
    char text[ADDR_TEXT_MAX + 1];

    if (envelope_text_copy(from, text, sizeof text) < 0 || addr_parse(text, &addr, &why) < 0 ||
        (*addr.node && strcmp(addr.node, board->node) != 0))
        return -1;
    snprintf(addr.node, sizeof addr.node, "%s", board->node);
    addr_format(&addr, out, ADDR_TEXT_MAX + 1);
    return 0;
}

static struct switchboard_side *find_side(const struct switchboard *board, const char *node)
{
    struct switchboard_side *side;

    HASH_FIND_STR(board->sides, node, side);
    return side;
}

static void open_channel(struct outgoing *outgoing, struct switchboard_side *side, const char *to,
                         const char *from)
{
    DL_DELETE(outgoing->board->unopened, outgoing);
    do /* a long session comes round to numbers that are still in use */
        outgoing->id = ++side->last_id;
    while (find_outgoing(side, outgoing->id));
    outgoing->side = side;
    HASH_ADD(hh, side->outgoing, id, sizeof outgoing->id, outgoing);
    send_open(side, outgoing->id, to, from);
}

/* The first envelope: with whom it wants to speak. */
static void on_hello(struct outgoing *outgoing, const uint8_t *body, size_t size)
{
    struct switchboard *board = outgoing->board;
    char to[ADDR_TEXT_MAX + 1], from[ADDR_TEXT_MAX + 1], *at;
    struct switchboard_side *side;
    struct envelope env;
    const char *why;

    if (envelope_decode(body, size, &env, &why) < 0 || env.kind != ENVELOPE_HELLO ||
        envelope_text_copy(env.to, to, sizeof to) < 0) {
        sp_conn_close(outgoing->conn, false);
        forget_outgoing(outgoing);
        return;
    }
    if (!*to) {
        struct sp_conn *conn = outgoing->conn;

        forget_outgoing(outgoing);
        board->hooks.visit(board->data, conn, body, size);
        return;
    }
    at = strchr(to, '@');
    side = at ? find_side(board, at + 1) : NULL;
    if (own_address(board, env.from, from) < 0) {
        refuse(outgoing, "denied: an address of another node");
    } else if (!side) {
        refuse(outgoing, "noconnection");
    } else {
        *at = '\0';
        open_channel(outgoing, side, to, from);
    }
}

static void forward(struct outgoing *outgoing, const uint8_t *body, size_t size)
{
    struct envelope_parts parts;
    const char *why;
    unsigned needed = envelope_right(body, size, &why);

    if (!needed || !(outgoing->rights & needed) || envelope_has_sender(body, size)) {
        refuse_envelope(outgoing, body, size, needed ? "denied" : "denied between nodes");
        return;
    }
    envelope_to_wire(body, size, mono_now(), &parts);
    if (send_parts(outgoing->side, CHANNEL_FORTH, outgoing->id, &parts) < 0)
        refuse_envelope(outgoing, body, size, "overloaded");
    else
        outgoing->forth += size;
}

static void on_caller_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct outgoing *outgoing = sp_conn_data(conn);

    if (fd >= 0)
        close(fd);
    if (outgoing->side)
        forward(outgoing, body, size);
    else
        on_hello(outgoing, body, size);
}

/* The mailbox has ended, and all that the kernel had taken went forth: it will have come back when the other
 * answers this. */
static void on_caller_heard(struct sp_conn *conn)
{
    struct outgoing *outgoing = sp_conn_data(conn);

    outgoing->is_shut = true;
    send_whole(outgoing->side, CHANNEL_SHUT, outgoing->id, NULL, 0);
}

static void on_caller_close(struct sp_conn *conn, const char *why)
{
    struct outgoing *outgoing = sp_conn_data(conn);

    (void)why;
    if (outgoing->side && !outgoing->is_shut)
        send_whole(outgoing->side, CHANNEL_SHUT, outgoing->id, NULL, 0);
    forget_outgoing(outgoing);
}

/* Who connects and says nothing holds a place that others need. */
static void await_hello(struct switchboard *board)
{
    int64_t left;

    if (!board->unopened || ev_is_active(&board->mute))
        return;
    left = HELLO_MS - mono_diff_ms(mono_now(), board->unopened->since);
    ev_now_update(board->loop);
    ev_timer_set(&board->mute, (double)(left > 0 ? left : 0) / 1000 + 0.001, 0.);
    ev_timer_start(board->loop, &board->mute);
}

static void on_mute(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct switchboard *board = container_of(timer, struct switchboard, mute);
    struct mono now = mono_now();

    (void)loop;
    (void)revents;
    while (board->unopened && mono_diff_ms(now, board->unopened->since) >= HELLO_MS) {
        sp_conn_close(board->unopened->conn, false);
        forget_outgoing(board->unopened);
    }
    await_hello(board);
}

static bool on_caller_open(struct sp_conn *conn)
{
    struct switchboard *board = sp_conn_data(conn);
    const struct ucred *creds = sp_conn_creds(conn);
    unsigned rights = rights_of(&board->rights, creds->uid, creds->gid);
    struct outgoing *outgoing;

    if (sp_conn_protocol(conn) != SP_PAIR0 || !rights)
        return false;
    outgoing = calloc(1, sizeof *outgoing);
    if (!outgoing)
        return false;
    outgoing->board = board;
    outgoing->conn = conn;
    outgoing->rights = rights;
    outgoing->since = mono_now();
    DL_APPEND(board->unopened, outgoing);
    sp_conn_set_data(conn, outgoing);
    await_hello(board);
    return true;
}

static const struct sp_handlers caller_handlers = {
    .on_open = on_caller_open,
    .on_message = on_caller_message,
    .on_close = on_caller_close,
    .on_heard = on_caller_heard,
};

/* ---- what comes back for them --------------------------------------------------------------- */

/* A process that does not read its answers loses its connection, and nobody else's. */
static void take_back(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct outgoing *outgoing = find_outgoing(side, frame->id);
    struct iovec part = {(void *)frame->body, frame->size};

    if (!outgoing) /* it has gone, and the other does not know yet */
        return;
    outgoing->is_open = true;
    if (sp_send(outgoing->conn, &part, 1, -1) < 0)
        sp_conn_break(outgoing->conn);
    say_early(outgoing);
}

/* A message that the mailbox did not take: who sent it sends it again, to whoever is there next. Who was
 * never reached still has it, and who has gone does not want it. */
static const char *take_return(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct outgoing *outgoing = find_outgoing(side, frame->id);
    struct envelope_parts parts;

    if (!envelope_is_message(frame->body, frame->size) ||
        envelope_has_sender(frame->body, frame->size))
        return "a return of what is no message";
    if (!outgoing || !outgoing->is_open) {
        losses_add(side->board->losses, !outgoing && frame->body[1] == ENVELOPE_CAST);
        return NULL;
    }
    if (outgoing->forth < frame->size)
        return "a return of more than was sent";
    outgoing->forth -= frame->size;
    envelope_from_wire(frame->body, frame->size, mono_now(), &parts);
    if (sp_send(outgoing->conn, parts.parts, parts.count, -1) < 0) {
        losses_add(side->board->losses, frame->body[1] == ENVELOPE_CAST);
        sp_conn_break(outgoing->conn);
    }
    return NULL;
}

/* Who was never reached sends all of it again by itself. Else what is on its way is returned first: the
 * second time this is said, that is over. */
static void take_ended(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct outgoing *outgoing = find_outgoing(side, frame->id);
    char reason[128];

    if (!outgoing)
        return;
    snprintf(reason, sizeof reason, "%.*s", (int)(frame->size < 100 ? frame->size : 100),
             (const char *)frame->body);
    if (!outgoing->is_open || outgoing->has_ended) {
        refuse(outgoing, reason);
        return;
    }
    outgoing->has_ended = true;
    sp_conn_hear_no_more(outgoing->conn);
}

/* ---- mailboxes of this node ----------------------------------------------------------------- */

static void forget_incoming(struct incoming *incoming)
{
    HASH_DEL(incoming->side->incoming, incoming);
    buf_finish(&incoming->early);
    free(incoming);
}

static void tell_early(struct incoming *incoming)
{
    const uint8_t *bytes;
    size_t size;

    while (take_early(&incoming->early, &bytes, &size)) {
        send_whole(incoming->side, CHANNEL_BACK, incoming->id, bytes, size);
        drop_early(&incoming->early, size);
    }
}

static void on_mailbox_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct incoming *incoming = sp_conn_data(conn);

    if (fd >= 0)
        close(fd);
    if (send_whole(incoming->side, CHANNEL_BACK, incoming->id, body, size) < 0)
        sp_conn_break(conn);
    else if (incoming->side->is_full && !incoming->is_paused) {
        incoming->is_paused = true;
        sp_conn_pause(conn, true);
    }
    if (incoming->is_open)
        return;
    incoming->is_open = true; /* that was its HELLO: it handles what it gets from now on */
    sp_conn_settle(conn);
    tell_early(incoming);
}

/* What the mailbox did not take. How requests of other kinds ended the other asks by itself. */
static void return_message(struct incoming *incoming, const uint8_t *body, size_t size)
{
    struct envelope_parts parts;

    if (!envelope_is_message(body, size))
        return;
    envelope_to_wire(body, size, mono_now(), &parts);
    send_parts(incoming->side, CHANNEL_RETURN, incoming->id, &parts);
}

/* Before its HELLO the sender keeps everything itself. */
static void return_leftover(struct incoming *incoming)
{
    struct buf left = sp_conn_leftover(incoming->conn);
    const uint8_t *at = buf_length(&left) ? buf_front(&left) : NULL;
    size_t size;

    for (size_t n = buf_length(&left); n && sp_frame_size(at, n, &size) == 0; at += size, n -= size)
        if (incoming->is_open)
            return_message(incoming, at + SP_FRAME_HEADER, size - SP_FRAME_HEADER);
    buf_finish(&left);
}

static void on_mailbox_close(struct sp_conn *conn, const char *why)
{
    struct incoming *incoming = sp_conn_data(conn);

    (void)conn;
    return_leftover(incoming);
    tell_ended(incoming->side, incoming->id,
               !incoming->is_open && !strcmp(why, "noproc") ? "noproc" : "closed");
    forget_incoming(incoming);
}

static const struct sp_handlers mailbox_handlers = {.on_message = on_mailbox_message,
                                                    .on_close = on_mailbox_close};

/* ---- what comes for them -------------------------------------------------------------------- */

/* `shop/db`, or a supervisor's own mailbox: `shop/.supervisor`, `.supervisor`. */
static bool is_mailbox(const char *path, bool *is_supervisor)
{
    size_t length = strlen(path), tail = strlen(RUNDIR_SUPERVISOR);
    char above[CHANNEL_TEXT_MAX + 1];

    *is_supervisor = length >= tail && !strcmp(path + length - tail, RUNDIR_SUPERVISOR);
    if (!*is_supervisor)
        return addr_is_path(path);
    if (length == tail)
        return true;
    snprintf(above, sizeof above, "%.*s", (int)(length - tail - 1), path);
    return path[length - tail - 1] == '/' && addr_is_path(above);
}

static struct incoming *find_incoming(const struct switchboard_side *side, uint32_t id)
{
    struct incoming *incoming;

    HASH_FIND(hh, side->incoming, &id, sizeof id, incoming);
    return incoming;
}

/* A supervisor that is not there is gone; an actor's mailbox may be between two incarnations. NULL; or
 * why the other hears that there is no channel. */
static const char *reach_mailbox(struct incoming *incoming, const char *to, const char *from)
{
    struct switchboard *board = incoming->side->board;
    struct sp_limits limits = {.max_outbox = OUTBOX};
    struct mono deadline = {0};
    bool is_supervisor;

    if (!is_mailbox(to, &is_supervisor))
        return "noproc";
    if (HASH_COUNT(incoming->side->incoming) > board->channel_max)
        return "overloaded";
    if (is_supervisor)
        deadline = mono_add_ms(mono_now(), DIAL_MS);
    limits.again = !is_supervisor;
    incoming->conn = sp_dial(board->loop, board->run_dir, to, SP_PAIR0, deadline, &limits,
                             &mailbox_handlers, incoming);
    return incoming->conn && peer_greet(incoming->conn, from) == 0 ? NULL : "overloaded";
}

static struct incoming *create_incoming(struct switchboard_side *side, uint32_t id)
{
    struct incoming *incoming = calloc(1, sizeof *incoming);

    if (!incoming)
        return NULL;
    incoming->side = side;
    incoming->id = id;
    HASH_ADD(hh, side->incoming, id, sizeof incoming->id, incoming);
    return incoming;
}

static const char *take_open(struct switchboard_side *side, const struct channel_frame *frame)
{
    char to[CHANNEL_TEXT_MAX + 1], from[CHANNEL_TEXT_MAX + 1];
    struct incoming *incoming;
    struct addr addr;
    const char *why;

    snprintf(to, sizeof to, "%.*s", (int)frame->to_size, frame->to);
    snprintf(from, sizeof from, "%.*s", (int)frame->from_size, frame->from);
    if (addr_parse(from, &addr, &why) < 0 || strcmp(addr.node, side->node) != 0)
        return "an address of another node as its own";
    if (find_incoming(side, frame->id))
        return "a channel's number twice";
    incoming = create_incoming(side, frame->id);
    if (!incoming)
        return "out of memory";
    why = reach_mailbox(incoming, to, from);
    if (!why)
        return NULL;
    tell_ended(side, frame->id, why);
    if (incoming->conn)
        sp_conn_close(incoming->conn, false);
    forget_incoming(incoming);
    return NULL;
}

static void answer_refused(struct incoming *incoming, const uint8_t *body, size_t size,
                           const char *reason)
{
    uint8_t error[ENVELOPE_REFUSAL_MAX];
    size_t length = envelope_refusal(body, size, reason, error);

    if (length && incoming->is_open)
        send_whole(incoming->side, CHANNEL_BACK, incoming->id, error, length);
    else if (length && keep_early(&incoming->early, error, length) < 0)
        sp_conn_break(incoming->conn);
}

/* Who sends was said with OPEN. */
static const char *take_forth(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct incoming *incoming = find_incoming(side, frame->id);
    struct envelope_parts parts;
    const char *why;
    unsigned needed;

    if (envelope_has_sender(frame->body, frame->size))
        return "a message in another's name";
    if (!incoming) { /* it has ended, and the other does not know yet */
        if (envelope_is_message(frame->body, frame->size))
            send_whole(side, CHANNEL_RETURN, frame->id, frame->body, frame->size);
        return NULL;
    }
    needed = envelope_right(frame->body, frame->size, &why);
    if (!needed || !(side->board->grant & needed)) {
        answer_refused(incoming, frame->body, frame->size, "denied");
        return NULL;
    }
    envelope_from_wire(frame->body, frame->size, mono_now(), &parts);
    if (sp_send(incoming->conn, parts.parts, parts.count, -1) < 0)
        answer_refused(incoming, frame->body, frame->size,
                       errno == EMSGSIZE ? "error too large a message" : "overloaded");
    return NULL;
}

static void take_shut(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct incoming *incoming = find_incoming(side, frame->id);

    if (!incoming) { /* it has ended, and this is the answer to that */
        tell_ended(side, frame->id, "closed");
        return;
    }
    sp_conn_close(incoming->conn, true);
    forget_incoming(incoming);
}

int switchboard_receive(struct switchboard_side *side, const uint8_t *bytes, size_t size,
                     const char **why)
{
    struct channel_frame frame;

    if (channel_decode(bytes, size, &frame, why) < 0)
        return -1;
    *why = NULL;
    switch (frame.kind) {
    case CHANNEL_OPEN:
        *why = take_open(side, &frame);
        break;
    case CHANNEL_FORTH:
        *why = take_forth(side, &frame);
        break;
    case CHANNEL_BACK:
        take_back(side, &frame);
        break;
    case CHANNEL_SHUT:
        take_shut(side, &frame);
        break;
    case CHANNEL_ENDED:
        take_ended(side, &frame);
        break;
    case CHANNEL_RETURN:
        *why = take_return(side, &frame);
        break;
    }
    return *why ? -1 : 0;
}

/* ---- sessions ------------------------------------------------------------------------------- */

void switchboard_begin(struct switchboard *board, struct switchboard_side *side, const char *node)
{
    *side = (struct switchboard_side){.board = board};
    snprintf(side->node, sizeof side->node, "%s", node);
    HASH_ADD_STR(board->sides, node, side);
}

void switchboard_end(struct switchboard_side *side)
{
    struct outgoing *outgoing, *next;
    struct incoming *incoming, *after;

    HASH_DEL(side->board->sides, side);
    HASH_ITER (hh, side->outgoing, outgoing, next)
        refuse(outgoing, "noconnection");
    HASH_ITER (hh, side->incoming, incoming, after) {
        sp_conn_close(incoming->conn, true);
        forget_incoming(incoming);
    }
}

void switchboard_drained(struct switchboard_side *side)
{
    side->is_full = false;
    for (struct incoming *incoming = side->incoming; incoming; incoming = incoming->hh.next) {
        if (!incoming->is_paused)
            continue;
        incoming->is_paused = false;
        sp_conn_pause(incoming->conn, false);
    }
}

struct switchboard_counts switchboard_counts(const struct switchboard_side *side)
{
    return (struct switchboard_counts){HASH_COUNT(side->outgoing), HASH_COUNT(side->incoming)};
}

/* ---- life ----------------------------------------------------------------------------------- */

int switchboard_start(struct switchboard *board, int mailbox_fd, unsigned descriptors)
{
    const struct sp_limits limits = {.max_conns = descriptors / 2};

    ev_timer_init(&board->mute, on_mute, 0., 0.);
    board->channel_max = descriptors / CHANNEL_PART;
    if (board->channel_max > CHANNEL_MAX)
        board->channel_max = CHANNEL_MAX;
    board->listener = sp_listen(board->loop, mailbox_fd, &limits, &caller_handlers, board);
    return board->listener ? 0 : -1;
}

void switchboard_finish(struct switchboard *board)
{
    struct switchboard_side *side, *next;

    HASH_ITER (hh, board->sides, side, next)
        switchboard_end(side);
    while (board->unopened) {
        struct outgoing *outgoing = board->unopened;

        sp_conn_close(outgoing->conn, false);
        forget_outgoing(outgoing);
    }
    ev_timer_stop(board->loop, &board->mute);
    sp_listener_destroy(board->listener, false);
}
