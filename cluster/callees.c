#include "callees.h"

#include "peer.h"
#include "rundir.h"
#include "trunk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum {
    OUTBOX = 1 << 20, /* for one mailbox here: no actor stops a session */
    DIAL_MS = 5000,   /* for a supervisor; a mailbox is waited for as long as it is there */
};

/* A mailbox of this node that a process of another speaks to. */
struct incoming {
    struct switchboard_side *side;
    uint32_t id;
    struct sp_conn *conn; /* NULL: what the same process sent there before is still on its way */
    bool is_open; /* the mailbox has said HELLO */
    bool is_paused; /* the session takes no more of its answers for now */
    struct incoming *prev, *next; /* of those without conn */
    UT_hash_handle hh;
    const char *to; /* in from, behind it */
    char from[];
};

/* FROM TO: of what is sent there one after the other. */
enum { WAY_MAX = 2 * CHANNEL_TEXT_MAX + 1 };

static void way_of(const struct incoming *incoming, char out[WAY_MAX + 1])
{
    snprintf(out, WAY_MAX + 1, "%s %s", incoming->from, incoming->to);
}

static void forget_incoming(struct incoming *incoming)
{
    HASH_DEL(incoming->side->incoming, incoming);
    if (!incoming->conn)
        DL_DELETE(incoming->side->board->delayed, incoming);
    free(incoming);
}

/* A message from there would pass for one that is returned. */
static void on_mailbox_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct incoming *incoming = sp_conn_data(conn);

    if (fd >= 0)
        close(fd);
    if (envelope_is_message(body, size))
        return;
    if (trunk_send(incoming->side, CHANNEL_BACK, incoming->id, body, size) < 0)
        sp_conn_break(conn);
    else if (incoming->side->is_full && !incoming->is_paused) {
        incoming->is_paused = true;
        sp_conn_pause(conn, true);
    }
    if (incoming->is_open)
        return;
    incoming->is_open = true; /* that was its HELLO: it handles what it gets from now on */
    sp_conn_settle(conn);
}

/* What the mailbox did not take. How requests of other kinds ended the other asks by itself. */
static void return_message(struct incoming *incoming, const uint8_t *body, size_t size)
{
    struct envelope_parts parts;

    if (!envelope_is_message(body, size))
        return;
    envelope_to_wire(body, size, mono_now(), &parts);
    trunk_send_parts(incoming->side, CHANNEL_RETURN, incoming->id, &parts);
}

static void return_leftover(struct incoming *incoming)
{
    struct buf left = sp_conn_leftover(incoming->conn);
    const uint8_t *at = buf_length(&left) ? buf_front(&left) : NULL;
    size_t size;

    for (size_t n = buf_length(&left); n && sp_frame_size(at, n, &size) == 0; at += size, n -= size)
        return_message(incoming, at + SP_FRAME_HEADER, size - SP_FRAME_HEADER);
    buf_finish(&left);
}

static void on_mailbox_close(struct sp_conn *conn, const char *why)
{
    struct incoming *incoming = sp_conn_data(conn);

    (void)conn;
    return_leftover(incoming);
    trunk_tell_ended(incoming->side, incoming->id,
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

/* A supervisor that is not there is gone; an actor's mailbox may be between two incarnations. What the same
 * process had sent there before is read first. NULL; or why the other hears that there is no channel. */
static const char *reach_mailbox(struct incoming *incoming)
{
    struct switchboard *board = incoming->side->board;
    struct sp_limits limits = {.max_outbox = OUTBOX};
    struct mono deadline = {0};
    struct sp_conn *conn;
    char way[WAY_MAX + 1];
    bool is_supervisor;

    if (!is_mailbox(incoming->to, &is_supervisor))
        return "noproc";
    if (HASH_COUNT(incoming->side->incoming) > board->channel_max)
        return "overloaded";
    if (is_supervisor)
        deadline = mono_add_ms(mono_now(), DIAL_MS);
    limits.again = !is_supervisor;
    way_of(incoming, way);
    if (partings_have(&board->partings, way))
        return NULL;
    conn = sp_dial(board->loop, board->run_dir, incoming->to, SP_PAIR0, deadline, &limits,
                   &mailbox_handlers, incoming);
    if (!conn || peer_greet(conn, incoming->from) < 0) {
        if (conn)
            sp_conn_close(conn, false);
        return "overloaded";
    }
    DL_DELETE(board->delayed, incoming);
    incoming->conn = conn;
    return NULL;
}

/* What cannot be reached is forgotten, and the other told why. */
static void reach_or_end(struct incoming *incoming)
{
    const char *why = reach_mailbox(incoming);

    if (!why)
        return;
    trunk_tell_ended(incoming->side, incoming->id, why);
    forget_incoming(incoming);
}

void callees_on_parted(struct partings *partings, const char *name)
{
    struct switchboard *board = container_of(partings, struct switchboard, partings);
    struct incoming *incoming, *next;
    char way[WAY_MAX + 1];

    DL_FOREACH_SAFE(board->delayed, incoming, next)
    {
        way_of(incoming, way);
        if (strcmp(way, name) == 0)
            reach_or_end(incoming);
    }
}

static struct incoming *create_incoming(struct switchboard_side *side,
                                        const struct channel_frame *frame)
{
    struct incoming *incoming = calloc(1, sizeof *incoming + frame->from_size + frame->to_size + 2);

    if (!incoming)
        return NULL;
    incoming->side = side;
    incoming->id = frame->id;
    memcpy(incoming->from, frame->from, frame->from_size);
    incoming->to = memcpy(incoming->from + frame->from_size + 1, frame->to, frame->to_size);
    HASH_ADD(hh, side->incoming, id, sizeof incoming->id, incoming);
    DL_APPEND(side->board->delayed, incoming);
    return incoming;
}

const char *callees_take_open(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct incoming *incoming;
    struct addr addr;
    const char *why;
    char from[CHANNEL_TEXT_MAX + 1];

    snprintf(from, sizeof from, "%.*s", (int)frame->from_size, frame->from);
    if (addr_parse(from, &addr, &why) < 0 || strcmp(addr.node, side->node) != 0)
        return "an address of another node as its own";
    if (find_incoming(side, frame->id))
        return "a channel's number twice";
    incoming = create_incoming(side, frame);
    if (!incoming)
        return "out of memory";
    reach_or_end(incoming);
    return NULL;
}

static void answer_refused(struct incoming *incoming, const uint8_t *body, size_t size,
                           const char *reason)
{
    uint8_t error[ENVELOPE_REFUSAL_MAX];
    size_t length = envelope_refusal(body, size, reason, error);

    if (length)
        trunk_send(incoming->side, CHANNEL_BACK, incoming->id, error, length);
    else
        losses_add(incoming->side->board->losses, envelope_is_cast(body, size));
}

/* Who sends was said with OPEN. */
const char *callees_take_forth(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct incoming *incoming = find_incoming(side, frame->id);
    struct envelope_parts parts;
    const char *why;
    unsigned needed;

    if (envelope_has_sender(frame->body, frame->size))
        return "a message in another's name";
    if (!incoming) { /* it has ended, and the other does not know yet */
        if (envelope_is_message(frame->body, frame->size))
            trunk_send(side, CHANNEL_RETURN, frame->id, frame->body, frame->size);
        return NULL;
    }
    if (!incoming->is_open)
        return "a message before the hello of who is meant";
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

/* What had been taken over for the mailbox still goes there. */
static void leave(struct incoming *incoming)
{
    char way[WAY_MAX + 1];

    way_of(incoming, way);
    if (incoming->is_open)
        partings_take(&incoming->side->board->partings, incoming->conn, way);
    else if (incoming->conn)
        sp_conn_close(incoming->conn, false);
    forget_incoming(incoming);
}

void callees_take_shut(struct switchboard_side *side, const struct channel_frame *frame)
{
    struct incoming *incoming = find_incoming(side, frame->id);

    if (!incoming) { /* it has ended, and this is the answer to that */
        trunk_tell_ended(side, frame->id, "closed");
        return;
    }
    leave(incoming);
}

/* ---- sessions ------------------------------------------------------------------------------- */

void callees_end(struct switchboard_side *side)
{
    struct incoming *incoming, *next;

    HASH_ITER (hh, side->incoming, incoming, next)
        leave(incoming);
}

void callees_drained(struct switchboard_side *side)
{
    for (struct incoming *incoming = side->incoming; incoming; incoming = incoming->hh.next) {
        if (!incoming->is_paused)
            continue;
        incoming->is_paused = false;
        sp_conn_pause(incoming->conn, false);
    }
}

size_t callees_count(const struct switchboard_side *side)
{
    return HASH_COUNT(side->incoming);
}
