#include "callers.h"

#include "peer.h"
#include "trunk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum { LOOK_MS = 1000 }; /* between two looks whether those who wait for a HELLO are there still */

int64_t callers_patience_ms = 5000;

/* A process of this node that speaks to a mailbox of another. */
struct outgoing {
    struct switchboard *board;
    struct switchboard_side *side; /* NULL: it has not said whom it means */
    uint32_t id;
    struct sp_conn *conn;
    unsigned rights;
    bool is_open;                 /* the mailbox's HELLO has come: until then nothing is read */
    bool is_dropped;              /* it did not come in time: what was sent is read, and lost */
    bool has_ended;               /* the mailbox has: what the kernel had taken by then is sent yet */
    bool is_shut;                 /* and has been: what comes back for it is not over yet */
    size_t forth;                 /* bytes that went forth, and have not been returned */
    struct mono since;            /* it was connected; it has gone, and waits for the HELLO */
    struct outgoing **list;       /* of those that have not said it, or that wait for the HELLO; NULL */
    struct outgoing *prev, *next; /* in it */
    UT_hash_handle hh;
};

static struct outgoing *find_outgoing(const struct switchboard_side *side, uint32_t id)
{
    struct outgoing *outgoing;

    HASH_FIND(hh, side->outgoing, &id, sizeof id, outgoing);
    return outgoing;
}

/* It waits in none any more. */
static void leave_list(struct outgoing *outgoing)
{
    struct switchboard *board = outgoing->board;

    if (!outgoing->list)
        return;
    DL_DELETE(*outgoing->list, outgoing);
    outgoing->list = NULL;
    if (!board->unheard)
        ev_timer_stop(board->loop, &board->look);
}

static void enter_list(struct outgoing *outgoing, struct outgoing **list)
{
    leave_list(outgoing);
    outgoing->list = list;
    DL_APPEND(*list, outgoing);
}

/* Those that wait for the HELLO of their mailbox are looked at now and then. */
static void await_mailbox(struct outgoing *outgoing)
{
    struct switchboard *board = outgoing->board;

    sp_conn_pause(outgoing->conn, true);
    outgoing->since = (struct mono){0};
    enter_list(outgoing, &board->unheard);
    if (!ev_is_active(&board->look))
        ev_timer_again(board->loop, &board->look);
}

static void forget_outgoing(struct outgoing *outgoing)
{
    if (outgoing->side)
        HASH_DEL(outgoing->side->outgoing, outgoing);
    leave_list(outgoing);
    free(outgoing);
}

/* What has come back for it is still said, and what it writes from now on fails, and goes again. */
static void leave(struct outgoing *outgoing)
{
    sp_conn_hear_no_more(outgoing->conn);
    partings_take(&outgoing->board->partings, outgoing->conn, "");
    forget_outgoing(outgoing);
}

/* Before the HELLO of who is meant an ERROR of no request says that there will be none (peer.h). */
static void refuse(struct outgoing *outgoing, const char *reason)
{
    struct envelope error = {
        .kind = ENVELOPE_ERROR, .payload = reason, .payload_size = (uint32_t)strlen(reason)};
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct iovec parts[2] = {{header, envelope_encode_header(&error, header)},
                             {(void *)reason, strlen(reason)}};

    if (outgoing->is_open) {
        leave(outgoing);
        return;
    }
    sp_send(outgoing->conn, parts, 2, -1);
    sp_conn_close(outgoing->conn, true);
    forget_outgoing(outgoing);
}

static void refuse_envelope(struct outgoing *outgoing, const uint8_t *body, size_t size,
                            const char *reason)
{
    uint8_t error[ENVELOPE_REFUSAL_MAX];
    struct iovec part = {error, envelope_refusal(body, size, reason, error)};

    if (!part.iov_len) {
        losses_add(outgoing->board->losses, envelope_is_cast(body, size));
        return;
    }
    if (sp_send(outgoing->conn, &part, 1, -1) < 0)
        sp_conn_break(outgoing->conn); /* no room for an answer: the end is one, too */
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
    do /* a long session comes round to numbers that are still in use */
        outgoing->id = ++side->last_id;
    while (find_outgoing(side, outgoing->id));
    outgoing->side = side;
    HASH_ADD(hh, side->outgoing, id, sizeof outgoing->id, outgoing);
    await_mailbox(outgoing);
    trunk_open(side, outgoing->id, to, from);
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
    if (trunk_send_parts(outgoing->side, CHANNEL_FORTH, outgoing->id, &parts) < 0)
        refuse_envelope(outgoing, body, size, "overloaded");
    else
        outgoing->forth += size;
}

static void on_caller_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct outgoing *outgoing = sp_conn_data(conn);

    if (fd >= 0)
        close(fd);
    if (!outgoing->side)
        on_hello(outgoing, body, size);
    else if (outgoing->is_dropped)
        losses_add(outgoing->board->losses, envelope_is_cast(body, size));
    else
        forward(outgoing, body, size);
}

/* The mailbox has ended, and all that the kernel had taken went forth: it will have come back when the other
 * answers this. */
static void on_caller_heard(struct sp_conn *conn)
{
    struct outgoing *outgoing = sp_conn_data(conn);

    outgoing->is_shut = true;
    trunk_send(outgoing->side, CHANNEL_SHUT, outgoing->id, NULL, 0);
}

static void on_caller_close(struct sp_conn *conn, const char *why)
{
    struct outgoing *outgoing = sp_conn_data(conn);

    (void)why;
    if (outgoing->side && !outgoing->is_shut)
        trunk_send(outgoing->side, CHANNEL_SHUT, outgoing->id, NULL, 0);
    forget_outgoing(outgoing);
}

/* ---- those whose mailbox has not said HELLO ------------------------------------------------- */

/* It is in the socket before anything goes forth: who has not got it may send all of it again, for nothing of
 * it was handled (PROTOCOL 1), however we end. */
static void begin(struct outgoing *outgoing)
{
    outgoing->is_open = true;
    sp_conn_flush(outgoing->conn);
    sp_conn_pause(outgoing->conn, false);
    leave_list(outgoing);
}

/* What it sent for nobody is read, and counted, and then its connection ends. */
static void drop(struct outgoing *outgoing)
{
    outgoing->is_dropped = true;
    sp_conn_pause(outgoing->conn, false);
    leave_list(outgoing);
}

/* Of a connection that is not read no event tells. */
static bool has_waited_enough(struct outgoing *outgoing, struct mono now)
{
    if (!sp_conn_is_left(outgoing->conn))
        return false;
    if (!mono_is_set(outgoing->since))
        outgoing->since = now;
    return sp_conn_come(outgoing->conn) == sp_conn_taken(outgoing->conn) ||
           mono_diff_ms(now, outgoing->since) >= callers_patience_ms;
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct switchboard *board = container_of(timer, struct switchboard, look);
    struct outgoing *outgoing, *next;
    struct mono now = mono_now();

    (void)loop;
    (void)revents;
    DL_FOREACH_SAFE(board->unheard, outgoing, next)
    {
        if (has_waited_enough(outgoing, now))
            drop(outgoing);
    }
}

/* ---- those who have not said whom they mean ------------------------------------------------- */

/* Who connects and says nothing holds a place that others need. */
static void await_hello(struct switchboard *board)
{
    int64_t left;

    if (!board->unopened || ev_is_active(&board->mute))
        return;
    left = callers_patience_ms - mono_diff_ms(mono_now(), board->unopened->since);
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
    while (board->unopened && mono_diff_ms(now, board->unopened->since) >= callers_patience_ms) {
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
    enter_list(outgoing, &board->unopened);
    sp_conn_set_data(conn, outgoing);
    await_hello(board);
    return true;
}

const struct sp_handlers callers_handlers = {
    .on_open = on_caller_open,
    .on_message = on_caller_message,
    .on_close = on_caller_close,
    .on_heard = on_caller_heard,
};

/* ---- what comes back for them --------------------------------------------------------------- */

/* A process that does not read its answers loses its connection, and nobody else's. */
const char *callers_take_back(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct outgoing *outgoing = find_outgoing(side, frame->id);
    struct iovec part = {(void *)frame->body, frame->size};

    if (envelope_is_message(frame->body, frame->size))
        return "a message in place of an answer";
    if (!outgoing || outgoing->is_dropped) /* it has gone, and the other does not know yet */
        return NULL;
    if (sp_send(outgoing->conn, &part, 1, -1) < 0)
        sp_conn_break(outgoing->conn);
    if (!outgoing->is_open)
        begin(outgoing);
    return NULL;
}

/* A message that the mailbox did not take: who sent it sends it again, to whoever is there next. Who has
 * gone does not want it. For what finds no room nothing need be said: the end of the connection is near,
 * and ends the calls. */
const char *callers_take_return(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct outgoing *outgoing = find_outgoing(side, frame->id);
    struct envelope_parts parts;

    if (!envelope_is_message(frame->body, frame->size) ||
        envelope_has_sender(frame->body, frame->size))
        return "a return of what is no message";
    if (!outgoing) {
        losses_add(side->board->losses, envelope_is_cast(frame->body, frame->size));
        return NULL;
    }
    if (outgoing->forth < frame->size)
        return "a return of more than was sent";
    outgoing->forth -= frame->size;
    envelope_from_wire(frame->body, frame->size, mono_now(), &parts);
    if (sp_send(outgoing->conn, parts.parts, parts.count, -1) < 0)
        losses_add(side->board->losses, envelope_is_cast(frame->body, frame->size));
    return NULL;
}

/* Who was never reached sends all of it again by itself. Else what is on its way is returned first: the
 * second time this is said, that is over. */
void callers_take_ended(struct switchboard_side *side, const struct channel_frame *frame)
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

/* ---- life ----------------------------------------------------------------------------------- */

void callers_end(struct switchboard_side *side)
{
    struct outgoing *outgoing, *next;

    HASH_ITER (hh, side->outgoing, outgoing, next)
        refuse(outgoing, "noconnection");
}

size_t callers_count(const struct switchboard_side *side)
{
    return HASH_COUNT(side->outgoing);
}

void callers_init(struct switchboard *board)
{
    ev_timer_init(&board->mute, on_mute, 0., 0.);
    ev_timer_init(&board->look, on_look, 0., LOOK_MS / 1000.);
}

void callers_finish(struct switchboard *board)
{
    while (board->unopened) {
        struct outgoing *outgoing = board->unopened;

        sp_conn_close(outgoing->conn, false);
        forget_outgoing(outgoing);
    }
    ev_timer_stop(board->loop, &board->mute);
    ev_timer_stop(board->loop, &board->look);
}
