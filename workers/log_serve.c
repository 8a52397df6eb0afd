#include "log_serve.h"
#include "control.h"
#include "control_right.h"
#include "log_follow.h"
#include "log_watch.h"
#include "rights.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum { QUEUED_HISTORY_MAX = 512 << 10, OUTBOX_BYTES = 8 << 20, WATCH_HISTORY = 10000 };

struct client {
    TAILQ_ENTRY(client) entry;
    struct log_server *server;
    struct peer *peer;
    unsigned rights;
    TAILQ_HEAD(past_list, past) pasts;
};

/* A history under way: for `log`, with or without a follower, or for a watch. */
struct past {
    TAILQ_ENTRY(past) entry;
    struct client *client;
    uint64_t ref;
    struct log_job *job;
    struct log_lines lines;
    struct log_follower *follower;
    struct log_watch *watch;
};

struct log_server {
    struct log_server_config config;
    struct sp_listener *listener;
    struct log_reader *reader;
    struct log_followers *followers;
    struct log_watches *watches;
    TAILQ_HEAD(client_list, client) clients;
};

/* ---- histories ------------------------------------------------------------------------------- */

static void past_destroy(struct past *past)
{
    TAILQ_REMOVE(&past->client->pasts, past, entry);
    log_lines_finish(&past->lines);
    free(past);
}

static void send_lines(struct past *past)
{
    struct wire_image image = {0};

    if (past->lines.count == 0)
        return;
    if (log_lines_pack(&past->lines, &image) == 0)
        log_lines_send(past->client->peer, past->ref, &image);
    wire_image_finish(&image);
    log_lines_finish(&past->lines);
}

static void on_past_begin(void *data)
{
    struct past *past = data;

    if (past->follower)
        log_follower_forget(past->follower);
}

static void on_past_line(void *data, const char *path, const char *stream, int64_t wall_us,
                         const char *text)
{
    struct past *past = data;

    log_lines_add(&past->lines, path, stream, wall_us, text);
    if (log_lines_is_full(&past->lines))
        send_lines(past);
}

static bool on_past_pause(void *data)
{
    struct past *past = data;

    return peer_queued(past->client->peer) < QUEUED_HISTORY_MAX;
}

static void on_past_end(void *data)
{
    struct past *past = data;
    struct words none = {0};

    send_lines(past);
    peer_reply_words(past->client->peer, past->ref, &none, -1);
    if (past->follower)
        log_follower_go_live(past->follower);
    past_destroy(past);
}

static const struct log_job_handlers past_handlers = {
    .on_begin = on_past_begin,
    .on_line = on_past_line,
    .on_pause = on_past_pause,
    .on_end = on_past_end,
};

static void on_watch_begin(void *data)
{
    (void)data;
}

static void on_watch_line(void *data, const char *path, const char *stream, int64_t wall_us,
                          const char *text)
{
    struct past *past = data;

    (void)path;
    (void)wall_us;
    if (past->watch && strncmp(stream, "log", 3) != 0 && log_watch_line(past->watch, text))
        past->watch = NULL;
}

static void on_watch_end(void *data)
{
    past_destroy(data);
}

static const struct log_job_handlers watch_handlers = {
    .on_begin = on_watch_begin,
    .on_line = on_watch_line,
    .on_pause = on_past_pause,
    .on_end = on_watch_end,
};

static struct past *past_create(struct client *client, uint64_t ref)
{
    struct past *past = calloc(1, sizeof *past);

    if (!past)
        return NULL;
    past->client = client;
    past->ref = ref;
    TAILQ_INSERT_TAIL(&client->pasts, past, entry);
    return past;
}

/* ---- requests -----------------------------------------------------------------------------------
 */

struct request {
    struct log_server *server;
    struct client *client;
    struct peer *peer;
    uint64_t ref;
    const struct words *words;
    int fd; /* -1 once it is taken */
};

static const char *word(const struct request *request, size_t i)
{
    return i < request->words->count ? request->words->at[i] : "";
}

/* To who has asked: supervisors tell of each child's pipe, and do not wait to hear that it was taken. */
static void reply_done(const struct request *request)
{
    struct words none = {0};

    if (request->ref)
        peer_reply_words(request->peer, request->ref, &none, -1);
}

static void reply_bad(const struct request *request, const char *why)
{
    peer_reply_error(request->peer, request->ref, "%s %s", CONTROL_E_BAD, why);
}

static void do_open(struct request *request)
{
    int kind = log_kind_of_text(word(request, 1)), fd = request->fd;

    if (!addr_is_path(word(request, 0)) || kind < 0) {
        reply_bad(request, "log-open: expected PATH and out, err or both");
        return;
    }
    if (fd < 0) {
        reply_bad(request, "log-open: expected a pipe's read end with the request");
        return;
    }
    request->fd = -1;
    if (log_reader_open(request->server->reader, word(request, 0), kind, fd) < 0) {
        peer_reply_error(request->peer, request->ref, "%s log-open: %s", CONTROL_E_FAILED,
                         strerror(errno));
        return;
    }
    reply_done(request);
}

static void do_close(struct request *request)
{
    if (!addr_is_path(word(request, 0))) {
        reply_bad(request, "log-close: expected PATH");
        return;
    }
    log_reader_close(request->server->reader, word(request, 0));
    reply_done(request);
}

/* The root of the tree is "" or ".". */
static const char *subject(const struct request *request)
{
    const char *path = word(request, 0);

    return strcmp(path, ".") != 0 ? path : "";
}

static void do_log(struct request *request)
{
    const char *path = subject(request);
    bool follow = !strcmp(word(request, 2), "1");
    struct past *past;
    uint64_t count;

    if ((*path && !addr_is_path(path)) ||
        text_unsigned(word(request, 1), 0, UINT32_MAX, &count) < 0) {
        reply_bad(request, "log: expected PATH COUNT FOLLOW");
        return;
    }
    past = past_create(request->client, request->ref);
    if (past && follow)
        past->follower =
            log_follower_add(request->server->followers, request->peer, request->ref, path);
    if (!past || (follow && !past->follower)) {
        peer_reply_error(request->peer, request->ref, "%s log: out of memory", CONTROL_E_FAILED);
        if (past)
            past_destroy(past);
        return;
    }
    if (count == 0) {
        on_past_end(past);
        return;
    }
    past->job =
        log_job_add(request->server->config.jobs, path, false, count, 0, &past_handlers, past);
    if (past->job)
        return;
    peer_reply_error(request->peer, request->ref, "%s log: too many ask at once",
                     CONTROL_E_REFUSED);
    past_destroy(past);
}

/* Looks back in the files as well. */
static void look_back(struct request *request, struct log_watch *watch, int64_t since_us)
{
    struct past *past = past_create(request->client, request->ref);

    if (!past)
        return;
    past->watch = watch;
    past->job = log_job_add(request->server->config.jobs, word(request, 0), true, WATCH_HISTORY,
                            since_us, &watch_handlers, past);
    if (!past->job)
        past_destroy(past);
}

static void do_watch(struct request *request)
{
    uint64_t from[LOG_KINDS] = {0}, since_us = 0, unread[2] = {0};
    const char *path = word(request, 0);
    struct log_watch *watch;
    char why[128];

    if (!addr_is_path(path) || request->words->count < 2 ||
        (request->words->count > 2 &&
         text_unsigned(word(request, 2), 0, INT64_MAX, &since_us) < 0) ||
        (request->words->count > 3 &&
         text_unsigned(word(request, 3), 0, INT64_MAX, &unread[0]) < 0) ||
        (request->words->count > 4 &&
         text_unsigned(word(request, 4), 0, INT64_MAX, &unread[1]) < 0)) {
        reply_bad(request, "log-watch: expected PATH REGEX [SINCE_US [UNREAD [UNREAD_ERR]]]");
        return;
    }
    for (int kind = LOG_OUT; since_us == 0 && kind <= LOG_BOTH; kind++)
        from[kind] = log_reader_offset(request->server->reader, path, kind,
                                       unread[kind == LOG_ERR]);
    watch = log_watch_add(request->server->watches, request->peer, request->ref, path,
                          word(request, 1), from, why);
    if (!watch) {
        peer_reply_error(request->peer, request->ref, "%s log-watch: %s", CONTROL_E_BAD, why);
        return;
    }
    if (since_us > 0)
        look_back(request, watch, (int64_t)since_us);
}

static const struct verb {
    const char *name;
    void (*run)(struct request *request);
} verbs[] = {
    {CONTROL_LOG_OPEN, do_open},
    {CONTROL_LOG_CLOSE, do_close},
    {CONTROL_LOG, do_log},
    {CONTROL_LOG_WATCH, do_watch},
};

static const struct verb *find_verb(struct envelope_text name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (envelope_text_equals(name, verbs[i].name))
            return &verbs[i];
    }
    return NULL;
}

static void dispatch(struct request *request, const struct envelope *env)
{
    const struct verb *verb = find_verb(env->type);
    struct words words = {0};

    if (!verb) {
        peer_reply_error(request->peer, request->ref,
                         "%s expected log, log-open, log-close or log-watch", CONTROL_E_UNKNOWN);
        return;
    }
    if (!(request->client->rights & control_right(verb->name))) {
        peer_reply_error(request->peer, request->ref, "%s %s", CONTROL_E_DENIED, verb->name);
        return;
    }
    if (wire_unpack_words(env->payload, env->payload_size, &words) < 0) {
        reply_bad(request, "expected words");
        return;
    }
    request->words = &words;
    verb->run(request);
    request->words = NULL;
    words_finish(&words);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct client *client = peer_data(peer);
    struct request request = {
        .server = client->server, .client = client, .peer = peer, .ref = env->ref, .fd = fd};

    if (env->kind == ENVELOPE_CONTROL)
        dispatch(&request, env);
    else if (env->kind == ENVELOPE_CALL)
        peer_reply_error(peer, env->ref, "unknown_message sys/log takes control requests only");
    if (request.fd >= 0)
        close(request.fd);
}

static void client_destroy(struct client *client)
{
    struct log_server *server = client->server;
    struct past *past, *next;

    for (past = TAILQ_FIRST(&client->pasts); past; past = next) {
        next = TAILQ_NEXT(past, entry);
        log_job_cancel(past->job);
        past_destroy(past);
    }
    log_followers_remove(server->followers, client->peer);
    log_watches_remove(server->watches, client->peer);
    TAILQ_REMOVE(&server->clients, client, entry);
    free(client);
}

static void on_close(struct peer *peer, const char *why)
{
    (void)why;
    client_destroy(peer_data(peer));
}

static const struct peer_handlers peer_handlers = {
    .on_envelope = on_envelope,
    .on_close = on_close,
};

static bool on_open(struct sp_conn *conn)
{
    struct log_server *server = sp_conn_data(conn);
    const struct ucred *creds = sp_conn_creds(conn);
    struct rights rights = {.node_uid = geteuid()};
    struct client *client;

    if (sp_conn_protocol(conn) != SP_PAIR0)
        return false;
    client = calloc(1, sizeof *client);
    if (!client)
        return false;
    client->server = server;
    TAILQ_INIT(&client->pasts);
    client->rights = rights_of(&rights, creds->uid, creds->gid);
    if (client->rights)
        client->peer = peer_accept(conn, server->config.self, &peer_handlers, client);
    if (!client->peer) {
        free(client);
        return false;
    }
    TAILQ_INSERT_TAIL(&server->clients, client, entry);
    return true;
}

/* ---- life ------------------------------------------------------------------------------------ */

void log_server_chunk(struct log_server *server, const struct log_chunk *chunk)
{
    log_watches_chunk(server->watches, chunk);
    log_followers_chunk(server->followers, chunk);
}

void log_server_set_reader(struct log_server *server, struct log_reader *reader)
{
    server->reader = reader;
}

struct log_server *log_server_create(const struct log_server_config *config)
{
    struct sp_limits limits = {.max_outbox = OUTBOX_BYTES, .max_conns = config->max_conns};
    struct sp_handlers handlers = peer_sp_handlers(on_open);
    struct log_server *server = calloc(1, sizeof *server);

    if (!server)
        return NULL;
    server->config = *config;
    TAILQ_INIT(&server->clients);
    server->followers = log_followers_create(config->loop);
    server->watches = log_watches_create();
    if (server->followers && server->watches)
        server->listener = sp_listen(config->loop, config->listen_fd, &limits, &handlers, server);
    if (server->listener)
        return server;
    log_followers_destroy(server->followers);
    log_watches_destroy(server->watches);
    free(server);
    return NULL;
}

void log_server_destroy(struct log_server *server)
{
    if (!server)
        return;
    while (!TAILQ_EMPTY(&server->clients)) {
        struct client *client = TAILQ_FIRST(&server->clients);

        peer_close(client->peer, false);
        client_destroy(client);
    }
    sp_listener_destroy(server->listener, true);
    log_followers_destroy(server->followers);
    log_watches_destroy(server->watches);
    free(server);
}
