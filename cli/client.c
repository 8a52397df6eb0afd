#include "client.h"

#include "peer.h"
#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long a connect may take: only a full listen queue or a restarting owner uses it up. */
enum { DIAL_MS = 5000 };

struct exchange {
    struct peer *peer; /* NULL once the connection has ended */
    uint64_t ref;
    bool is_answered;
    char node[ADDR_PART_MAX + 1];
    struct answer answer;
    struct exchange_handlers handlers;
    void *data;
};

int client_init(struct client *client)
{
    client->loop = loop_create();
    snprintf(client->self, sizeof client->self, "troupe.%d", (int)getpid());
    return client->loop ? 0 : -1;
}

void client_finish(struct client *client)
{
    if (client->loop)
        ev_loop_destroy(client->loop);
    client->loop = NULL;
}

void client_supervisor(const char *place, char out[MAILBOX_MAX])
{
    addr_mailbox(place, RUNDIR_SUPERVISOR, out, MAILBOX_MAX); /* there is room for every place */
}

bool client_has_mailbox(const struct client *client, const char *mailbox)
{
    char path[PATH_MAX + MAILBOX_MAX];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", client->dir.path, mailbox);
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

void answer_finish(struct answer *answer)
{
    words_finish(&answer->words);
    facts_finish(&answer->facts);
    rows_finish(&answer->rows);
    if (answer->values)
        wire_values_finish(answer->format, answer->values);
    free(answer->values);
    free(answer->text);
    *answer = (struct answer){0};
}

/* ---- one exchange ----------------------------------------------------------------------- */

static void settle(struct exchange *exchange)
{
    exchange->is_answered = true;
    exchange->handlers.on_answer(exchange, &exchange->answer);
}

static void settle_closed(struct exchange *exchange, const char *why)
{
    exchange->answer.kind = ANSWER_CLOSED;
    exchange->answer.text = strdup(why);
    settle(exchange);
}

static void read_error(struct answer *answer, const struct envelope *env)
{
    const char *bytes = env->payload;
    size_t size = env->payload_size, head;

    answer->kind = ANSWER_ERROR;
    answer->text = strndup(size ? bytes : "", size);
    head = strcspn(answer->text, " \n");
    snprintf(answer->head, sizeof answer->head, "%.*s", (int)head, answer->text);
    if (answer->text[head])
        head++;
    memmove(answer->text, answer->text + head, strlen(answer->text + head) + 1);
}

/* What another node calls `shop/db` is `shop/db@west` here. */
static int place_rows(struct rows *rows, const char *node)
{
    char place[ADDR_PATH_MAX + 1];

    for (size_t i = 0; *node && i < rows->count; i++) {
        if (place_make(rows->at[i].path, node, place) != 0)
            return -1;
        free(rows->at[i].path);
        rows->at[i].path = strdup(place);
        if (!rows->at[i].path)
            return -1;
    }
    return 0;
}

static int read_values(struct answer *answer, const struct envelope *env)
{
    answer->kind = ANSWER_VALUES;
    if (wire_format_of(env->payload, env->payload_size, answer->format) != 0)
        return env->payload_size ? -1 : 0;
    answer->values = calloc(strlen(answer->format) + 1, sizeof *answer->values);
    if (answer->values &&
        wire_unpack_values(answer->format, env->payload, env->payload_size, answer->values) == 0)
        return 0;
    free(answer->values);
    answer->values = NULL;
    return -1;
}

static int read_reply(struct answer *answer, const char *node, const struct envelope *env)
{
    if (envelope_text_equals(env->type, "words")) {
        answer->kind = ANSWER_WORDS;
        return wire_unpack_words(env->payload, env->payload_size, &answer->words);
    }
    if (envelope_text_equals(env->type, "facts")) {
        answer->kind = ANSWER_FACTS;
        return wire_unpack_facts(env->payload, env->payload_size, &answer->facts);
    }
    if (envelope_text_equals(env->type, "rows")) {
        answer->kind = ANSWER_ROWS;
        if (wire_unpack_rows(env->payload, env->payload_size, &answer->rows) != 0)
            return -1;
        return place_rows(&answer->rows, node);
    }
    if (envelope_text_equals(env->type, "values"))
        return read_values(answer, env);
    return -1;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct exchange *exchange = peer_data(peer);

    if (fd >= 0)
        close(fd);
    if (env->ref != exchange->ref)
        return;
    if (env->kind == ENVELOPE_EVENT) {
        if (exchange->handlers.on_event)
            exchange->handlers.on_event(exchange, env);
        return;
    }
    if (exchange->is_answered)
        return;
    if (env->kind == ENVELOPE_ERROR) {
        read_error(&exchange->answer, env);
        settle(exchange);
    } else if (env->kind == ENVELOPE_CONTROL_REPLY) {
        if (read_reply(&exchange->answer, exchange->node, env) == 0)
            settle(exchange);
        else
            settle_closed(exchange, "the answer could not be read");
    }
}

static void on_close(struct peer *peer, const char *why)
{
    struct exchange *exchange = peer_data(peer);

    exchange->peer = NULL;
    if (!exchange->is_answered)
        settle_closed(exchange, why);
    else if (exchange->handlers.on_end)
        exchange->handlers.on_end(exchange);
}

/* A connection without a request yet. NULL with errno. */
static struct exchange *exchange_open(struct client *client, const char *mailbox,
                                      const struct exchange_handlers *handlers, void *data)
{
    static const struct peer_handlers peer_handlers = {
        .on_envelope = on_envelope,
        .on_close = on_close,
    };
    struct exchange *exchange = calloc(1, sizeof *exchange);

    if (!exchange)
        return NULL;
    exchange->handlers = *handlers;
    exchange->data = data;
    snprintf(exchange->node, sizeof exchange->node, "%s", place_node(mailbox));
    exchange->peer = peer_dial(client->loop, client->dir.path, mailbox, client->self,
                               mono_add_ms(mono_now(), DIAL_MS), &peer_handlers, exchange);
    if (exchange->peer)
        return exchange;
    free(exchange);
    return NULL;
}

struct exchange *exchange_start(struct client *client, const char *mailbox, const char *verb,
                                const struct words *words, const struct exchange_handlers *handlers,
                                void *data)
{
    struct exchange *exchange = exchange_open(client, mailbox, handlers, data);

    if (!exchange)
        return NULL;
    exchange->ref = peer_request(exchange->peer, verb, words, -1);
    if (exchange->ref)
        return exchange;
    exchange_destroy(exchange);
    return NULL;
}

static int send_values(struct exchange *exchange, const struct ask *ask, int64_t timeout_ms)
{
    struct wire_image image = {0};
    struct envelope env = {.kind = ENVELOPE_CONTROL,
                           .flags = ENVELOPE_TYPED,
                           .ref = exchange->ref = 1,
                           .type = envelope_text(ask->verb)};
    int result;

    if (wire_pack_values(ask->format, ask->values, &image) < 0)
        return -1;
    if (timeout_ms > 0)
        env.deadline_us = (uint64_t)mono_add_ms(mono_now(), timeout_ms).us;
    env.payload = image.data;
    env.payload_size = (uint32_t)image.size;
    result = peer_send(exchange->peer, &env, -1);
    wire_image_finish(&image);
    return result;
}

static struct exchange *start_asking(struct client *client, const struct ask *ask, int64_t timeout_ms,
                                     const struct exchange_handlers *handlers, void *data)
{
    struct exchange *exchange;

    if (!ask->format)
        return exchange_start(client, ask->mailbox, ask->verb, &ask->words, handlers, data);
    exchange = exchange_open(client, ask->mailbox, handlers, data);
    if (!exchange || send_values(exchange, ask, timeout_ms) == 0)
        return exchange;
    exchange_destroy(exchange);
    return NULL;
}

void exchange_destroy(struct exchange *exchange)
{
    if (!exchange)
        return;
    peer_close(exchange->peer, false);
    answer_finish(&exchange->answer);
    free(exchange);
}

int exchange_tell(struct exchange *exchange, const char *verb, const struct words *words)
{
    if (exchange->peer)
        return peer_request(exchange->peer, verb, words, -1) ? 0 : -1;
    errno = ENOTCONN;
    return -1;
}

void exchange_flush(struct exchange *exchange)
{
    if (exchange->peer)
        peer_flush(exchange->peer);
}

void *exchange_data(const struct exchange *exchange)
{
    return exchange->data;
}

const char *exchange_node(const struct exchange *exchange)
{
    return exchange->node;
}

/* ---- many at once ----------------------------------------------------------------------- */

struct gather;

struct running {
    struct gather *gather;
    struct ask *ask; /* NULL: this place is free */
    struct exchange *exchange;
    ev_timer timer;
};

struct gather {
    struct client *client;
    struct ask *asks;
    size_t count, next, done;
    int64_t timeout_ms;
    struct running *running;
};

static void start_next(struct running *running);

static void finish(struct running *running)
{
    struct gather *gather = running->gather;

    ev_timer_stop(gather->client->loop, &running->timer);
    exchange_destroy(running->exchange);
    running->exchange = NULL;
    running->ask = NULL;
    gather->done++;
    start_next(running);
    if (gather->done == gather->count)
        ev_break(gather->client->loop, EVBREAK_ONE);
}

static void gather_on_answer(struct exchange *exchange, struct answer *answer)
{
    struct running *running = exchange_data(exchange);

    running->ask->answer = *answer;
    *answer = (struct answer){0};
    finish(running);
}

static void gather_on_timeout(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    finish(container_of(timer, struct running, timer));
}

/* Takes the next request that can be made; one that cannot is answered CLOSED right here. */
static void start_next(struct running *running)
{
    static const struct exchange_handlers handlers = {.on_answer = gather_on_answer};
    struct gather *gather = running->gather;
    struct ask *ask;

    while (gather->next < gather->count) {
        ask = &gather->asks[gather->next++];
        running->exchange =
            start_asking(gather->client, ask, gather->timeout_ms, &handlers, running);
        if (running->exchange) {
            running->ask = ask;
            ev_timer_init(&running->timer, gather_on_timeout, (double)gather->timeout_ms / 1000, 0);
            if (gather->timeout_ms > 0)
                ev_timer_start(gather->client->loop, &running->timer);
            return;
        }
        ask->answer.kind = ANSWER_CLOSED;
        ask->answer.text = strdup(strerror(errno));
        gather->done++;
    }
}

int client_gather(struct client *client, struct ask *asks, size_t count, size_t window,
                  int64_t timeout_ms)
{
    struct gather gather = {client, asks, count, 0, 0, timeout_ms, NULL};
    size_t places = window < count ? window : count;

    if (count == 0)
        return 0;
    gather.running = calloc(places, sizeof *gather.running);
    if (!gather.running)
        return -1;
    ev_now_update(client->loop);
    for (size_t i = 0; i < places; i++) {
        gather.running[i].gather = &gather;
        start_next(&gather.running[i]);
    }
    while (gather.done < gather.count)
        ev_run(client->loop, 0);
    free(gather.running);
    return 0;
}

static int call_one(struct client *client, const char *mailbox, struct ask *ask, int64_t timeout_ms,
                    struct answer *answer)
{
    snprintf(ask->mailbox, sizeof ask->mailbox, "%s", mailbox);
    *answer = (struct answer){0};
    if (client_gather(client, ask, 1, 1, timeout_ms) != 0)
        return -1;
    *answer = ask->answer;
    return 0;
}

int client_call(struct client *client, const char *mailbox, const char *verb,
                const struct words *words, int64_t timeout_ms, struct answer *answer)
{
    struct ask ask = {.verb = verb};

    if (words)
        ask.words = *words; /* lent for the call: the asker frees them */
    return call_one(client, mailbox, &ask, timeout_ms, answer);
}

int client_call_values(struct client *client, const char *mailbox, const char *verb, const char *format,
                       const union wire_value *values, int64_t timeout_ms, struct answer *answer)
{
    struct ask ask = {.verb = verb, .format = format, .values = values};

    return call_one(client, mailbox, &ask, timeout_ms, answer);
}

bool client_is_cut_off(const char *why)
{
    return strcmp(why, "noconnection") == 0;
}

int client_ask_about(struct client *client, const char *place, const char *verb, int64_t timeout_ms,
                     struct answer *answer)
{
    char parent[ADDR_PATH_MAX + 1], mailbox[MAILBOX_MAX], name[ADDR_PATH_MAX + 1];
    char *at[] = {name};
    struct words words = {1, at};

    addr_supervisor(place, parent, sizeof parent);
    place_child_name(place, name);
    client_supervisor(parent, mailbox);
    return client_call(client, mailbox, verb, &words, timeout_ms, answer);
}
