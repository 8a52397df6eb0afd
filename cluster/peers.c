#include "peers_parts.h"

#include "memory.h"
#include "url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t peers_now_us(const struct peers *peers)
{
    return peers->transport.now_us(peers->data);
}

int64_t peers_now(const struct peers *peers)
{
    return peers_now_us(peers) / 1000;
}

static uint32_t random_number(const struct peers *peers)
{
    uint32_t number;

    peers->transport.random(peers->data, &number, sizeof number);
    return number;
}

struct peers *peers_create(const struct auth_self *self, enum mesh_learning learning,
                           const struct peers_transport *transport,
                           const struct peers_handlers *handlers, void *data)
{
    struct peers *peers = memory_zeroed(sizeof *peers);

    peers->self = self;
    peers->transport = *transport;
    peers->handlers = *handlers;
    peers->data = data;
    mesh_init(&peers->mesh, self->identity.name, self->identity.url, learning);
    return peers;
}

/* ---- connections ------------------------------------------------------------------------- */

static struct conn *find_conn(const struct peers *peers, uint64_t id)
{
    struct conn *conn;

    HASH_FIND(hh, peers->conns, &id, sizeof id, conn);
    return conn;
}

static struct conn *make_conn(struct peers *peers, const char *remote, bool is_tls)
{
    struct conn *conn = memory_zeroed(sizeof *conn);

    conn->peers = peers;
    conn->id = ++peers->last_conn;
    conn->is_tls = is_tls;
    conn->late_ms = peers_now(peers) + AUTH_LATE_MS;
    snprintf(conn->remote, sizeof conn->remote, "%s", remote);
    frames_init(&conn->frames, AUTH_MESSAGE_MAX);
    HASH_ADD(hh, peers->conns, id, sizeof conn->id, conn);
    return conn;
}

static void free_conn(struct conn *conn)
{
    session_finish(conn);
    frames_finish(&conn->frames);
    free(conn);
}

/* Nothing more is heard of it; it is freed when no function further out is at work on it. */
static void forget_conn(struct conn *conn)
{
    struct peers *peers = conn->peers;

    conn->is_gone = true;
    peers->unproven -= conn->is_stranger;
    HASH_DELETE(hh, peers->conns, conn);
    DL_APPEND(peers->gone, conn);
}

static void enter(struct peers *peers)
{
    peers->depth++;
}

static void leave(struct peers *peers)
{
    if (--peers->depth)
        return;
    while (peers->gone) {
        struct conn *conn = peers->gone;

        DL_DELETE(peers->gone, conn);
        free_conn(conn);
    }
}

static void send_bytes(struct conn *conn, const void *bytes, size_t size)
{
    conn->sent_ms = peers_now(conn->peers);
    conn->bytes_out += size;
    conn->peers->transport.send(conn->peers->data, conn->id, bytes, size);
}

void conn_send_frame(struct conn *conn, const void *bytes, size_t size)
{
    uint8_t frame[FRAMES_HEADER + AUTH_MESSAGE_MAX];

    frames_write_header(size, frame);
    memcpy(frame + FRAMES_HEADER, bytes, size);
    send_bytes(conn, frame, FRAMES_HEADER + size);
}

/* ---- nodes ------------------------------------------------------------------------------- */

static struct node *find_node(const struct peers *peers, const char *name)
{
    struct node *node;

    HASH_FIND_STR(peers->nodes, name, node);
    return node;
}

static struct node *make_node(struct peers *peers, const char *name)
{
    struct node *node = find_node(peers, name);

    if (node)
        return node;
    node = memory_zeroed(sizeof *node);
    snprintf(node->name, sizeof node->name, "%s", name);
    rivals_init(&node->rivals, strcmp(peers->self->identity.name, name) < 0);
    HASH_ADD_STR(peers->nodes, name, node);
    return node;
}

static void tidy_node(struct peers *peers, struct node *node)
{
    if (node->rivals.count || node->session)
        return;
    HASH_DELETE(hh, peers->nodes, node);
    free(node);
}

static bool has_session(const struct peers *peers, const char *name)
{
    const struct node *node = find_node(peers, name);

    return node && node->session;
}

/* ---- ends -------------------------------------------------------------------------------- */

static void end_session(struct conn *conn, const char *why)
{
    struct peers *peers = conn->peers;
    struct node *node = find_node(peers, conn->auth.peer.name);

    if (!node || node->session != conn)
        return;
    node->session = NULL;
    mesh_session_ended(&peers->mesh, node->name, peers_now(peers), random_number(peers));
    peers->handlers.on_down(peers->data, &conn->auth.peer, why);
}

static void end_handshake(struct conn *conn, enum auth_reason reason, const char *why)
{
    struct peers *peers = conn->peers;
    const char *name = conn->auth.peer.name;

    if (conn->target)
        snprintf(conn->target->why, sizeof conn->target->why, "%s", why);
    if (conn->target)
        mesh_failed(conn->target, reason, conn->is_proven && has_session(peers, name),
                    peers_now(peers), random_number(peers));
    peers->handlers.on_refused(peers->data, conn->remote, name, why, conn->auth.is_told);
}

static void act(struct peers *peers, struct node *node, const struct rivals_actions *actions);

/* The rivals of its name hear of the end. */
static void leave_rivals(struct peers *peers, const char *name, uint64_t id)
{
    struct node *node = find_node(peers, name);
    struct rivals_actions actions;

    if (!node)
        return;
    rivals_gone(&node->rivals, id, &actions);
    act(peers, node, &actions);
}

static void end_conn(struct conn *conn, enum auth_reason reason, const char *why, bool is_closed)
{
    struct peers *peers = conn->peers;

    if (conn->is_gone)
        return;
    if (!is_closed)
        peers->transport.close(peers->data, conn->id, conn->is_session || conn->auth.out_size);
    forget_conn(conn);
    if (conn->is_session)
        end_session(conn, why);
    else
        end_handshake(conn, reason, why);
    if (conn->is_proven)
        leave_rivals(peers, conn->auth.peer.name, conn->id);
}

void conn_fail(struct conn *conn, enum auth_reason reason, const char *why)
{
    end_conn(conn, reason, why, false);
}

/* ---- the handshake ----------------------------------------------------------------------- */

static void follow(struct conn *conn, enum auth_outcome outcome);

static void judge(struct conn *conn)
{
    struct peers *peers = conn->peers;
    const struct auth_identity *peer = &conn->auth.peer;
    struct rivals_actions actions;
    struct node *node;

    conn->is_proven = true;
    peers->unproven -= conn->is_stranger;
    conn->is_stranger = false;
    conn->late_ms = peers_now(peers) + AUTH_LATE_MS;
    if (conn->target)
        mesh_identified(&peers->mesh, conn->target, peer->name);
    if (mesh_is_unwanted(&peers->mesh, peer->name)) {
        follow(conn, auth_refuse(&conn->auth, AUTH_UNWANTED));
        return;
    }
    node = make_node(peers, peer->name);
    rivals_proven(&node->rivals, conn->id, peer->generation, peer->instance, peers_now(peers),
                  &actions);
    act(peers, node, &actions);
}

/* What was the session of that node until now has ended before the new one is told of. */
static void open_session(struct conn *conn)
{
    struct peers *peers = conn->peers;
    struct node *node = make_node(peers, conn->auth.peer.name);
    struct rivals_actions actions;

    session_begin(conn);
    conn->target = NULL;
    rivals_opened(&node->rivals, conn->id, &actions);
    act(peers, node, &actions);
    if (conn->is_gone)
        return;
    node = make_node(peers, conn->auth.peer.name);
    node->session = conn;
    mesh_session(&peers->mesh, node->name);
    peers->handlers.on_up(peers->data, &conn->auth.peer, conn->is_tls);
}

/* What the state machine of the handshake said. */
static void follow(struct conn *conn, enum auth_outcome outcome)
{
    if (conn->auth.out_size)
        conn_send_frame(conn, conn->auth.out, conn->auth.out_size);
    switch (outcome) {
    case AUTH_WAIT:
        break;
    case AUTH_PROVEN:
        judge(conn);
        break;
    case AUTH_OPEN:
        open_session(conn);
        break;
    case AUTH_REFUSED:
        conn_fail(conn, conn->auth.reason, auth_reason_text(conn->auth.reason));
    }
}

/* ---- what the rivals of a name come to --------------------------------------------------- */

static void act_on(struct conn *conn, const struct rivals_action *action)
{
    switch (action->what) {
    case RIVALS_ADMIT:
        conn->late_ms = peers_now(conn->peers) + AUTH_LATE_MS;
        follow(conn, auth_admit(&conn->auth));
        break;
    case RIVALS_REFUSE:
        follow(conn, auth_refuse(&conn->auth, action->reason));
        break;
    case RIVALS_PING:
        if (conn->is_session)
            session_ping(conn);
        break;
    case RIVALS_END:
        if (conn->is_session) {
            session_bye(conn, action->reason);
            conn_fail(conn, action->reason, "replaced by another connection");
        } else {
            follow(conn, auth_refuse(&conn->auth, action->reason));
        }
    }
}

static void act(struct peers *peers, struct node *node, const struct rivals_actions *actions)
{
    char name[ADDR_PART_MAX + 1];

    memcpy(name, node->name, sizeof name);
    for (size_t i = 0; i < actions->count; i++) {
        struct conn *conn = find_conn(peers, actions->at[i].conn);

        if (conn)
            act_on(conn, &actions->at[i]);
    }
    node = find_node(peers, name);
    if (node)
        tidy_node(peers, node);
}

void peers_pong(struct conn *conn)
{
    struct node *node = find_node(conn->peers, conn->auth.peer.name);
    struct rivals_actions actions;

    if (conn->pinged_us)
        conn->round_trip_us = peers_now_us(conn->peers) - conn->pinged_us;
    conn->pinged_us = 0;
    if (!node)
        return;
    rivals_answered(&node->rivals, conn->id, &actions);
    act(conn->peers, node, &actions);
}

/* ---- from the transport ------------------------------------------------------------------ */

/* The first words of either side: the SP header, and a listener's challenge. */
static void greet(struct conn *conn, bool is_dialer)
{
    uint8_t nonce[AUTH_NONCE_SIZE], preface[FRAMES_PREFACE];

    conn->is_connected = true;
    frames_write_preface(preface);
    send_bytes(conn, preface, sizeof preface);
    conn->peers->transport.random(conn->peers->data, nonce, sizeof nonce);
    auth_init(&conn->auth, conn->peers->self, is_dialer, nonce);
    if (conn->auth.out_size)
        conn_send_frame(conn, conn->auth.out, conn->auth.out_size);
}

uint64_t peers_accepted(struct peers *peers, const char *remote, bool is_tls)
{
    struct conn *conn;

    if (peers->unproven >= PEERS_UNPROVEN_MAX)
        return 0;
    conn = make_conn(peers, remote, is_tls);
    conn->is_stranger = true;
    peers->unproven++;
    return conn->id;
}

void peers_connected(struct peers *peers, uint64_t id)
{
    struct conn *conn = find_conn(peers, id);

    if (conn && !conn->is_connected)
        greet(conn, !conn->is_stranger);
}

static void take_frame(struct conn *conn, const uint8_t *body, size_t size)
{
    if (conn->is_session)
        session_frame(conn, body, size);
    else
        follow(conn, auth_receive(&conn->auth, body, size));
}

void peers_received(struct peers *peers, uint64_t id, const void *bytes, size_t size)
{
    struct conn *conn = find_conn(peers, id);
    const uint8_t *body;
    size_t body_size;
    int result = 0;

    if (!conn || !conn->is_connected)
        return;
    enter(peers);
    conn->heard_ms = peers_now(peers);
    conn->bytes_in += size;
    frames_feed(&conn->frames, bytes, size);
    while (!conn->is_gone && (result = frames_next(&conn->frames, &body, &body_size)) == 1)
        take_frame(conn, body, body_size);
    if (!conn->is_gone && result < 0)
        conn_fail(conn, AUTH_MALFORMED, conn->frames.why);
    leave(peers);
}

void peers_written(struct peers *peers, uint64_t id)
{
    struct conn *conn = find_conn(peers, id);

    if (!conn)
        return;
    conn->is_writing = false;
    if (conn->is_session)
        session_written(conn);
}

void peers_ended(struct peers *peers, uint64_t id, const char *why)
{
    struct conn *conn = find_conn(peers, id);

    if (!conn)
        return;
    enter(peers);
    end_conn(conn, AUTH_ENDED, why, true);
    leave(peers);
}

/* ---- time -------------------------------------------------------------------------------- */

static void dial_due(struct peers *peers, int64_t now_ms)
{
    struct mesh_target *target;

    while ((target = mesh_try(&peers->mesh, now_ms))) {
        struct conn *conn = make_conn(peers, target->url, url_is_tls(target->url));

        conn->target = target;
        peers->transport.dial(peers->data, conn->id, target->url);
    }
}

static void tick_conn(struct conn *conn, int64_t now_ms)
{
    if (conn->is_session)
        session_tick(conn, now_ms);
    else if (conn->late_ms && conn->late_ms <= now_ms && conn->is_connected)
        follow(conn, auth_timeout(&conn->auth));
    else if (conn->late_ms && conn->late_ms <= now_ms)
        conn_fail(conn, AUTH_LATE, "connect timeout");
}

void peers_tick(struct peers *peers)
{
    int64_t now_ms = peers_now(peers);
    struct conn *conn, *next_conn;
    struct node *node, *next_node;

    enter(peers);
    for (conn = peers->conns; conn; conn = next_conn) {
        next_conn = conn->hh.next;
        tick_conn(conn, now_ms);
        if (next_conn && next_conn->is_gone)
            next_conn = peers->conns;
    }
    for (node = peers->nodes; node; node = next_node) {
        struct rivals_actions actions;

        next_node = node->hh.next;
        rivals_tick(&node->rivals, now_ms, &actions);
        act(peers, node, &actions);
    }
    dial_due(peers, now_ms);
    leave(peers);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t peers_due_ms(const struct peers *peers)
{
    int64_t due_ms = mesh_due_ms(&peers->mesh);

    for (const struct conn *conn = peers->conns; conn; conn = conn->hh.next)
        due_ms = earlier(due_ms, conn->is_session ? session_due_ms(conn) : conn->late_ms);
    for (const struct node *node = peers->nodes; node; node = node->hh.next)
        if (node->rivals.deadline_ms)
            due_ms = earlier(due_ms, node->rivals.deadline_ms);
    return due_ms;
}

void peers_flush(struct peers *peers)
{
    for (struct conn *conn = peers->conns; conn; conn = conn->hh.next)
        if (conn->is_session)
            session_flush(conn);
}

/* ---- from people, and from the rest of the node ------------------------------------------ */

int peers_connect(struct peers *peers, const char *url)
{
    if (*url && strlen(url) <= AUTH_URL_MAX && mesh_connect(&peers->mesh, url, peers_now(peers)))
        return 0;
    errno = EINVAL;
    return -1;
}

void peers_disconnect(struct peers *peers, const char *name)
{
    struct node *node;

    enter(peers);
    mesh_disconnect(&peers->mesh, name);
    node = find_node(peers, name);
    if (node && node->session) {
        session_bye(node->session, AUTH_UNWANTED);
        conn_fail(node->session, AUTH_UNWANTED, auth_reason_text(AUTH_UNWANTED));
    }
    leave(peers);
}

void peers_learn(struct peers *peers, const char *name, const char *url, bool is_tls)
{
    mesh_learn(&peers->mesh, name, url, is_tls, peers_now(peers), random_number(peers));
    if (has_session(peers, name))
        mesh_session(&peers->mesh, name);
}

size_t peers_queued(const struct peers *peers, const char *name)
{
    const struct node *node = find_node(peers, name);

    return node && node->session ? node->session->outbound.queued : 0;
}

int peers_send(struct peers *peers, const char *name, uint64_t lane, const struct iovec *parts,
               int n)
{
    struct node *node = find_node(peers, name);

    if (node && node->session)
        return outbound_push(&node->session->outbound, lane, parts, n);
    errno = ENOTCONN;
    return -1;
}

bool peers_has_room(const struct peers *peers, const char *name)
{
    const struct node *node = find_node(peers, name);

    return node && node->session && outbound_has_room(&node->session->outbound);
}

int peers_insist(struct peers *peers, const char *name, uint64_t lane, const struct iovec *parts,
                 int n)
{
    struct node *node = find_node(peers, name);

    if (node && node->session)
        return outbound_insist(&node->session->outbound, lane, parts, n);
    errno = ENOTCONN;
    return -1;
}

void peers_each(const struct peers *peers, void (*visit)(void *ctx, const struct peers_row *row),
                void *ctx)
{
    for (const struct node *node = peers->nodes; node; node = node->hh.next) {
        const struct conn *conn = node->session;

        if (conn)
            visit(ctx, &(struct peers_row){.identity = conn->auth.peer,
                                           .is_tls = conn->is_tls,
                                           .since_ms = conn->since_ms,
                                           .heard_ms = conn->heard_ms,
                                           .bytes_in = conn->bytes_in,
                                           .bytes_out = conn->bytes_out,
                                           .queued = conn->outbound.queued,
                                           .round_trip_us = conn->round_trip_us});
    }
}

struct unwanted_visit {
    void (*visit)(void *ctx, const struct peers_target *target);
    void *ctx;
};

static void visit_unwanted(void *data, const char *name)
{
    const struct unwanted_visit *unwanted = data;

    unwanted->visit(unwanted->ctx, &(struct peers_target){name, "", "disconnected", true});
}

void peers_each_target(const struct peers *peers,
                       void (*visit)(void *ctx, const struct peers_target *target), void *ctx)
{
    for (const struct mesh_target *target = peers->mesh.targets; target; target = target->next)
        if (target->dialing.state != DIALING_HELD && target->dialing.state != DIALING_STOPPED)
            visit(ctx, &(struct peers_target){target->name, target->url, target->why, false});
    mesh_each_unwanted(&peers->mesh, visit_unwanted, &(struct unwanted_visit){visit, ctx});
}

static void ignore_ends(void *data, const struct auth_identity *peer, const char *why)
{
    (void)data;
    (void)peer;
    (void)why;
}

static void ignore_refused(void *data, const char *remote, const char *name, const char *why,
                           bool is_told)
{
    (void)data;
    (void)remote;
    (void)name;
    (void)why;
    (void)is_told;
}

void peers_destroy(struct peers *peers)
{
    if (!peers)
        return;
    peers->handlers.on_down = ignore_ends;
    peers->handlers.on_refused = ignore_refused;
    enter(peers);
    while (peers->conns) {
        if (peers->conns->is_session)
            session_bye(peers->conns, AUTH_SHUTDOWN);
        conn_fail(peers->conns, AUTH_SHUTDOWN, auth_reason_text(AUTH_SHUTDOWN));
    }
    leave(peers);
    mesh_finish(&peers->mesh);
    free(peers);
}
