#include "peers_parts.h"

#include <stdio.h>

/* What goes over a session beside the kinds of chunks.h: one byte, and for BYE its reason. */
enum session_kind { SESSION_BEAT = 16, SESSION_PING, SESSION_PONG, SESSION_BYE };

static void say(struct conn *conn, enum session_kind kind)
{
    const uint8_t body[1] = {(uint8_t)kind};

    conn->is_writing = true;
    conn_send_frame(conn, body, sizeof body);
}

void session_begin(struct conn *conn)
{
    conn->is_session = true;
    conn->late_ms = 0;
    conn->frames.limit = CHUNKS_FRAME_MAX;
    conn->since_ms = conn->heard_ms = peers_now(conn->peers);
    conn->round_trip_us = -1;
    chunks_init(&conn->chunks);
    outbound_init(&conn->outbound, 0);
}

void session_finish(struct conn *conn)
{
    chunks_finish(&conn->chunks);
    outbound_finish(&conn->outbound);
}

/* One that takes nothing of what it is sent is owed one answer, not many. */
static void say_or_owe(struct conn *conn, enum session_kind kind, bool *owed)
{
    *owed = conn->is_writing;
    if (!*owed)
        say(conn, kind);
}

void session_ping(struct conn *conn)
{
    say_or_owe(conn, SESSION_PING, &conn->owes_ping);
}

void session_written(struct conn *conn)
{
    if (conn->owes_pong)
        say_or_owe(conn, SESSION_PONG, &conn->owes_pong);
    if (conn->owes_ping)
        say_or_owe(conn, SESSION_PING, &conn->owes_ping);
}

void session_bye(struct conn *conn, enum auth_reason reason)
{
    const uint8_t body[2] = {SESSION_BYE, (uint8_t)reason};

    conn_send_frame(conn, body, sizeof body);
}

static void take_message(struct conn *conn, const uint8_t *body, size_t size)
{
    const uint8_t *message;
    const char *why;
    size_t message_size;
    int result = chunks_receive(&conn->chunks, body, size, &message, &message_size);

    if (result < 0)
        conn_fail(conn, AUTH_MALFORMED, conn->chunks.why);
    if (result != 1)
        return;
    why = conn->peers->handlers.on_message(conn->peers->data, &conn->auth.peer, message,
                                           message_size);
    if (why)
        conn_fail(conn, AUTH_MALFORMED, why);
}

/* The other gave the handshake up before it heard that we had not. */
static void take_refusal(struct conn *conn, const uint8_t *body, size_t size)
{
    if (auth_receive(&conn->auth, body, size) == AUTH_REFUSED)
        conn_fail(conn, conn->auth.reason, auth_reason_text(conn->auth.reason));
}

static void take_bye(struct conn *conn, enum auth_reason reason)
{
    snprintf(conn->bye, sizeof conn->bye, "%s", auth_reason_text(reason));
    conn_fail(conn, reason, conn->bye);
}

void session_frame(struct conn *conn, const uint8_t *body, size_t size)
{
    if (size == 1 && body[0] == SESSION_BEAT)
        return;
    if (size == 1 && body[0] == SESSION_PING)
        say_or_owe(conn, SESSION_PONG, &conn->owes_pong);
    else if (size == 1 && body[0] == SESSION_PONG)
        peers_pong(conn);
    else if (size == 2 && body[0] == SESSION_BYE)
        take_bye(conn, (enum auth_reason)body[1]);
    else if (size && body[0] == AUTH_FIRST_BYTE)
        take_refusal(conn, body, size);
    else
        take_message(conn, body, size);
}

/* The sign of life of an idle session; one that is answered tells how far the other is. */
static void beat(struct conn *conn)
{
    if (!conn->pinged_us)
        conn->pinged_us = peers_now_us(conn->peers);
    say(conn, SESSION_PING);
}

void session_tick(struct conn *conn, int64_t now_ms)
{
    if (now_ms - conn->heard_ms >= PEERS_SILENT_MS)
        conn_fail(conn, AUTH_LATE, "no sign of life");
    else if (now_ms - conn->sent_ms >= PEERS_BEAT_MS && !conn->is_writing)
        beat(conn);
}

int64_t session_due_ms(const struct conn *conn)
{
    int64_t silent_ms = conn->heard_ms + PEERS_SILENT_MS;
    int64_t beat_ms = conn->sent_ms + PEERS_BEAT_MS;

    return conn->is_writing || silent_ms < beat_ms ? silent_ms : beat_ms;
}

void session_flush(struct conn *conn)
{
    struct buf bytes = {0};

    if (conn->is_writing || !conn->outbound.messages)
        return;
    outbound_take(&conn->outbound, &bytes, PEERS_WRITE_MAX);
    conn->is_writing = true;
    conn->sent_ms = peers_now(conn->peers);
    conn->bytes_out += buf_length(&bytes);
    conn->peers->transport.send(conn->peers->data, conn->id, buf_front(&bytes), buf_length(&bytes));
    buf_finish(&bytes);
}
