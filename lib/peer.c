#include "peer.h"

#include "addr.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    FEATURES = 0,
    MAX_MESSAGE = 16 << 20,
    HELLO_PAYLOAD = 8,
    ERROR_MAX = 65536,
};

struct peer {
    struct sp_conn *conn; /* NULL when it is gone */
    struct peer_handlers handlers;
    void *data;
    unsigned depth; /* callbacks that are under way */
    bool is_open;   /* the other's HELLO has come */
    bool is_elsewhere, is_refused; /* in another node, by way of sys/node; which said no */
    uint64_t last_ref;
    struct buf leftover; /* of a mailbox's dialer, while on_close runs */
    uint64_t place, written; /* the same */
    char remote[ENVELOPE_ADDRESS_MAX + 1];
};

/* ---- life --------------------------------------------------------------------------------- */

static struct peer *peer_create(const struct peer_handlers *handlers, void *data)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        return NULL;
    peer->handlers = *handlers;
    peer->data = data;
    return peer;
}

static void enter(struct peer *peer)
{
    peer->depth++;
}

static void leave(struct peer *peer)
{
    if (--peer->depth > 0 || peer->conn)
        return;
    buf_finish(&peer->leftover);
    free(peer);
}

bool peer_is_final(const char *why)
{
    static const char *const heads[] = {"noproc", "timeout", "noconnection", "denied"};
    size_t length = strcspn(why, " :");

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (strlen(heads[i]) == length && strncmp(why, heads[i], length) == 0)
            return true;
    return false;
}

/* Ended by the other side, or for what it sent. Only between enter() and leave(). */
static void lose(struct peer *peer, const char *why)
{
    if (!peer->conn)
        return;
    peer->place = sp_conn_place(peer->conn);
    peer->leftover = sp_conn_leftover(peer->conn);
    peer->written = sp_conn_written(peer->conn);
    sp_conn_close(peer->conn, false);
    peer->conn = NULL;
    /* No sys/node is no way: whether who was meant is there, nobody here knows. */
    if (peer->is_elsewhere && !peer->is_refused && !strcmp(why, "noproc"))
        why = "noconnection";
    if (peer->handlers.on_close)
        peer->handlers.on_close(peer, why);
}

void peer_close(struct peer *peer, bool flush)
{
    struct sp_conn *conn;

    if (!peer || !peer->conn)
        return;
    enter(peer);
    conn = peer->conn;
    peer->conn = NULL;
    sp_conn_close(conn, flush);
    leave(peer);
}

/* ---- what comes --------------------------------------------------------------------------- */

static void on_hello(struct peer *peer, const struct envelope *env)
{
    if (env->payload_size < HELLO_PAYLOAD) {
        lose(peer, "bad hello");
        return;
    }
    envelope_text_copy(env->from, peer->remote, sizeof peer->remote);
    peer->is_open = true;
    sp_conn_settle(peer->conn);
    if (peer->handlers.on_open)
        peer->handlers.on_open(peer);
}

/* sys/node, in place of the mailbox beyond it that it cannot reach: an ERROR of no request says why. */
static bool is_refusal(const struct peer *peer, const struct envelope *env)
{
    return peer->is_elsewhere && !peer->is_open && env->kind == ENVELOPE_ERROR && env->ref == 0;
}

static void on_refusal(struct peer *peer, const struct envelope *env)
{
    char why[256];
    size_t size = env->payload_size < sizeof why - 1 ? env->payload_size : sizeof why - 1;

    memcpy(why, env->payload, size);
    why[size] = '\0';
    peer->is_refused = true;
    lose(peer, why);
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct peer *peer = sp_conn_data(conn);
    struct envelope env;
    const char *why;
    char text[96];

    enter(peer);
    if (envelope_decode(body, size, &env, &why)) {
        snprintf(text, sizeof text, "bad envelope: %s", why);
        lose(peer, text);
    } else if (is_refusal(peer, &env)) {
        on_refusal(peer, &env);
    } else if ((env.kind == ENVELOPE_HELLO) == peer->is_open) {
        lose(peer, peer->is_open ? "a second hello" : "no hello");
    } else if (env.kind == ENVELOPE_HELLO) {
        on_hello(peer, &env);
    } else {
        peer->handlers.on_envelope(peer, &env, fd);
        fd = -1;
    }
    if (fd >= 0)
        close(fd);
    leave(peer);
}

static void on_close(struct sp_conn *conn, const char *why)
{
    struct peer *peer = sp_conn_data(conn);

    enter(peer);
    lose(peer, why);
    leave(peer);
}

static void on_drain(struct sp_conn *conn)
{
    struct peer *peer = sp_conn_data(conn);

    enter(peer);
    if (peer->conn && peer->handlers.on_drain)
        peer->handlers.on_drain(peer);
    leave(peer);
}

/* ---- what goes ---------------------------------------------------------------------------- */

/* to: "", or who in another node is meant. */
static int send_hello(struct peer *peer, const char *self, const char *to)
{
    static const uint32_t words[] = {FEATURES, MAX_MESSAGE};
    uint8_t payload[HELLO_PAYLOAD];
    struct envelope hello = {.kind = ENVELOPE_HELLO,
                             .from = envelope_text(self),
                             .to = envelope_text(to),
                             .payload = payload,
                             .payload_size = sizeof payload};

    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
    return peer_send(peer, &hello, -1);
}

static bool is_too_long(const char *self)
{
    if (strlen(self) <= ENVELOPE_ADDRESS_MAX)
        return false;
    errno = ENAMETOOLONG;
    return true;
}

struct peer *peer_accept_silently(struct sp_conn *conn, const struct peer_handlers *handlers,
                                  void *data)
{
    struct peer *peer = peer_create(handlers, data);

    if (!peer)
        return NULL;
    peer->conn = conn;
    sp_conn_set_data(conn, peer);
    return peer;
}

int peer_say_hello(struct peer *peer, const char *self)
{
    return is_too_long(self) ? -1 : send_hello(peer, self, "");
}

struct peer *peer_accept(struct sp_conn *conn, const char *self,
                         const struct peer_handlers *handlers, void *data)
{
    void *before = sp_conn_data(conn);
    struct peer *peer = peer_accept_silently(conn, handlers, data);

    if (!peer || peer_say_hello(peer, self) == 0)
        return peer;
    sp_conn_set_data(conn, before);
    free(peer);
    return NULL;
}

struct peer *peer_adopt(struct sp_conn *conn, const char *self, const uint8_t *hello, size_t size,
                        const struct peer_handlers *handlers, void *data)
{
    const struct sp_handlers own = peer_sp_handlers(NULL);
    struct envelope env;
    struct peer *peer;
    const char *why;

    if (envelope_decode(hello, size, &env, &why) < 0 || env.kind != ENVELOPE_HELLO ||
        env.payload_size < HELLO_PAYLOAD) {
        errno = EBADMSG;
        return NULL;
    }
    peer = peer_accept(conn, self, handlers, data);
    if (!peer)
        return NULL;
    sp_conn_set_handlers(conn, &own);
    envelope_text_copy(env.from, peer->remote, sizeof peer->remote);
    peer->is_open = true;
    return peer;
}

int peer_greet(struct sp_conn *conn, const char *self)
{
    struct peer greeter = {.conn = conn};

    return send_hello(&greeter, self, "");
}

struct sp_handlers peer_sp_handlers(bool (*on_open)(struct sp_conn *conn))
{
    return (struct sp_handlers){.on_open = on_open,
                                .on_message = on_message,
                                .on_close = on_close,
                                .on_drain = on_drain};
}

static struct peer *dial(struct ev_loop *loop, const char *run_dir, const char *path,
                         const char *self, struct mono deadline, const struct sp_limits *limits,
                         const struct peer_handlers *handlers, void *data)
{
    struct sp_handlers own = peer_sp_handlers(NULL);
    struct peer *peer = is_too_long(self) ? NULL : peer_create(handlers, data);

    if (!peer)
        return NULL;
    peer->is_elsewhere = *addr_node_part(path) != '\0';
    peer->conn = sp_dial(loop, run_dir, peer->is_elsewhere ? PEER_NODE : path, SP_PAIR0, deadline,
                         limits, &own, peer);
    if (peer->conn && !send_hello(peer, self, peer->is_elsewhere ? path : ""))
        return peer;
    if (peer->conn)
        sp_conn_close(peer->conn, false);
    free(peer);
    return NULL;
}

struct peer *peer_dial(struct ev_loop *loop, const char *run_dir, const char *path,
                       const char *self, struct mono deadline, const struct peer_handlers *handlers,
                       void *data)
{
    return dial(loop, run_dir, path, self, deadline, NULL, handlers, data);
}

struct peer *peer_dial_mailbox(struct ev_loop *loop, const char *run_dir, const char *path,
                               const char *self, const struct buf *leftover,
                               const struct peer_handlers *handlers, void *data)
{
    static const struct sp_limits limits = {.again = true};
    struct peer *peer =
        dial(loop, run_dir, path, self, (struct mono){0}, &limits, handlers, data);

    if (!peer || !leftover || !buf_length(leftover) ||
        !sp_conn_send_frames(peer->conn, buf_front(leftover), buf_length(leftover)))
        return peer;
    peer_close(peer, false);
    errno = ENOMEM;
    return NULL;
}

uint64_t peer_place(const struct peer *peer)
{
    return peer->conn ? sp_conn_place(peer->conn) : peer->place;
}

uint64_t peer_written(const struct peer *peer)
{
    return peer->conn ? sp_conn_written(peer->conn) : peer->written;
}

struct buf peer_leftover(struct peer *peer)
{
    struct buf left = peer->leftover;

    peer->leftover = (struct buf){0};
    return left;
}

int peer_send(struct peer *peer, const struct envelope *env, int fd)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct iovec parts[2] = {{header, envelope_encode_header(env, header)},
                             {(void *)env->payload, env->payload_size}};

    if (peer->conn)
        return sp_send(peer->conn, parts, 2, fd);
    errno = ENOTCONN;
    return -1;
}

int peer_frame_append(struct buf *frames, const struct envelope *env)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct iovec parts[2] = {{header, envelope_encode_header(env, header)},
                             {(void *)env->payload, env->payload_size}};

    return sp_frame_append(frames, parts, 2);
}

/* Sends an image as the payload, and frees it. */
static int send_image(struct peer *peer, struct envelope *env, struct wire_image *image, int fd)
{
    int result, code;

    env->payload = image->data;
    env->payload_size = (uint32_t)image->size;
    result = peer_send(peer, env, fd);
    code = errno;
    wire_image_finish(image);
    errno = code;
    return result;
}

static struct envelope envelope_of(enum envelope_kind kind, uint64_t ref, const char *type)
{
    return (struct envelope){.kind = (uint8_t)kind, .ref = ref, .type = envelope_text(type)};
}

static int send_control(struct peer *peer, uint64_t ref, const char *verb, const struct words *words,
                        int fd)
{
    struct envelope env = envelope_of(ENVELOPE_CONTROL, ref, verb);
    struct wire_image image = {0};

    if (words && wire_pack_words(words, &image))
        return -1;
    return send_image(peer, &env, &image, fd);
}

int peer_tell(struct peer *peer, const char *verb, const struct words *words, int fd)
{
    return send_control(peer, 0, verb, words, fd);
}

uint64_t peer_request(struct peer *peer, const char *verb, const struct words *words, int fd)
{
    return send_control(peer, peer->last_ref + 1, verb, words, fd) == 0 ? ++peer->last_ref : 0;
}

uint64_t peer_request_values(struct peer *peer, const char *verb, const char *format,
                             const union wire_value *values)
{
    struct envelope env = envelope_of(ENVELOPE_CONTROL, peer->last_ref + 1, verb);
    struct wire_image image = {0};

    env.flags = ENVELOPE_TYPED;
    if (wire_pack_values(format, values, &image) || send_image(peer, &env, &image, -1))
        return 0;
    return ++peer->last_ref;
}

void peer_break(struct peer *peer)
{
    if (peer->conn)
        sp_conn_break(peer->conn);
}

static int send_words(struct peer *peer, struct envelope env, const struct words *words, int fd)
{
    struct wire_image image = {0};

    if (words && wire_pack_words(words, &image))
        return -1;
    return send_image(peer, &env, &image, fd);
}

static int send_facts(struct peer *peer, struct envelope env, const struct facts *facts)
{
    struct wire_image image;

    return wire_pack_facts(facts, &image) || send_image(peer, &env, &image, -1) ? -1 : 0;
}

static int send_rows(struct peer *peer, struct envelope env, const struct rows *rows)
{
    struct wire_image image;

    return wire_pack_rows(rows, &image) || send_image(peer, &env, &image, -1) ? -1 : 0;
}

/* Who asked would wait for ever for an answer that there was no room for: the end of the connection
 * is an answer, too. */
static int or_break(struct peer *peer, int result)
{
    if (result && peer->conn) {
        int code = errno;

        sp_conn_break(peer->conn);
        errno = code;
    }
    return result;
}

int peer_reply_words(struct peer *peer, uint64_t ref, const struct words *words, int fd)
{
    return or_break(peer, send_words(peer, envelope_of(ENVELOPE_CONTROL_REPLY, ref, "words"), words, fd));
}

int peer_reply_facts(struct peer *peer, uint64_t ref, const struct facts *facts)
{
    return or_break(peer, send_facts(peer, envelope_of(ENVELOPE_CONTROL_REPLY, ref, "facts"), facts));
}

int peer_reply_rows(struct peer *peer, uint64_t ref, const struct rows *rows)
{
    return or_break(peer, send_rows(peer, envelope_of(ENVELOPE_CONTROL_REPLY, ref, "rows"), rows));
}

int peer_reply_error(struct peer *peer, uint64_t ref, const char *format, ...)
{
    struct envelope env = envelope_of(ENVELOPE_ERROR, ref, "");
    int length, result, code;
    va_list args;
    char *text;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        errno = ENOMEM;
        return or_break(peer, -1);
    }
    env.payload = text;
    env.payload_size = length < ERROR_MAX ? (uint32_t)length : ERROR_MAX;
    result = peer_send(peer, &env, -1);
    code = errno;
    free(text);
    errno = code;
    return or_break(peer, result);
}

int peer_event_words(struct peer *peer, uint64_t ref, const char *type, const struct words *words)
{
    return send_words(peer, envelope_of(ENVELOPE_EVENT, ref, type), words, -1);
}

int peer_event_facts(struct peer *peer, uint64_t ref, const char *type, const struct facts *facts)
{
    return send_facts(peer, envelope_of(ENVELOPE_EVENT, ref, type), facts);
}

int peer_event_rows(struct peer *peer, uint64_t ref, const char *type, const struct rows *rows)
{
    return send_rows(peer, envelope_of(ENVELOPE_EVENT, ref, type), rows);
}

void peer_pause(struct peer *peer, bool paused)
{
    if (peer->conn)
        sp_conn_pause(peer->conn, paused);
}

void peer_set_idle_close(struct peer *peer, int64_t ms)
{
    if (peer->conn)
        sp_conn_set_idle_close(peer->conn, ms);
}

/* ---- what may be asked -------------------------------------------------------------------- */

void *peer_data(const struct peer *peer)
{
    return peer->data;
}

void peer_set_data(struct peer *peer, void *data)
{
    peer->data = data;
}

void peer_hand_over(struct peer *peer, const struct peer_handlers *handlers, void *data)
{
    peer->handlers = *handlers;
    peer->data = data;
}

const struct ucred *peer_creds(const struct peer *peer)
{
    static const struct ucred nobody = {.uid = (uid_t)-1, .gid = (gid_t)-1};

    return peer->conn ? sp_conn_creds(peer->conn) : &nobody;
}

const char *peer_remote(const struct peer *peer)
{
    return peer->remote;
}

size_t peer_queued(const struct peer *peer)
{
    return peer->conn ? sp_conn_queued(peer->conn) : 0;
}

bool peer_is_unread(const struct peer *peer)
{
    return peer->conn && sp_conn_is_unread(peer->conn);
}

void peer_flush(struct peer *peer)
{
    if (peer->conn)
        sp_conn_flush(peer->conn);
}

void peer_poll(struct peer *peer)
{
    enter(peer);
    if (peer->conn)
        sp_conn_poll(peer->conn);
    leave(peer);
}

void peer_ask_drain(struct peer *peer, size_t below)
{
    if (peer->conn)
        sp_conn_ask_drain(peer->conn, below);
}
