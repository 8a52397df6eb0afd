#include "watch.h"

#include "control.h"
#include "output.h"
#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* A supervisor that went away is looked for again this often. */
static const double again_s = 0.05;

struct source {
    struct watch *watch;
    char path[ADDR_PATH_MAX + 1];
    struct exchange *exchange; /* NULL: waits for its next try */
    bool is_answered;
    bool is_told_of; /* by its parent, after it was asked */
    ev_timer again;
    UT_hash_handle hh;
};

struct watch {
    struct client *client;
    struct watch_handlers handlers;
    void *data;
    bool is_deep;
    struct source *top;
    struct source *by_path;
};

static void follow(struct watch *watch, const char *path);

static void destroy(struct source *source)
{
    HASH_DEL(source->watch->by_path, source);
    ev_timer_stop(source->watch->client->loop, &source->again);
    exchange_destroy(source->exchange);
    free(source);
}

static void try_again(struct source *source)
{
    exchange_destroy(source->exchange);
    source->exchange = NULL;
    source->is_answered = false;
    ev_timer_set(&source->again, again_s, 0);
    ev_timer_start(source->watch->client->loop, &source->again);
}

static void lose(struct source *source, const char *why)
{
    struct watch *watch = source->watch;
    bool is_top = source == watch->top;

    /* In another node this is how we learn that it is gone; but it may have come meanwhile. */
    if (!is_top && !source->is_told_of && place_is_elsewhere(source->path) &&
        strcmp(why, CONTROL_E_NOPROC) == 0) {
        destroy(source);
        return;
    }
    try_again(source);
    if (is_top && watch->handlers.on_lost)
        watch->handlers.on_lost(watch->data, source->path, why);
}

/* Not of the answer's own memory, which ends with the exchange. */
static const char *why_not(const struct answer *answer)
{
    const char *text = answer->kind == ANSWER_ERROR ? answer->head : answer->text;
    static char why[256];

    snprintf(why, sizeof why, "%s", text ? text : "an answer of another shape than expected");
    return why;
}

static void on_answer(struct exchange *exchange, struct answer *answer)
{
    struct source *source = exchange_data(exchange);
    struct watch *watch = source->watch;

    if (answer->kind != ANSWER_ROWS) {
        lose(source, why_not(answer));
        return;
    }
    source->is_answered = true;
    for (size_t i = 0; i < answer->rows.count; i++) {
        watch->handlers.on_row(watch->data, &answer->rows.at[i]);
        if (watch->is_deep && row_supervises(&answer->rows.at[i]))
            follow(watch, answer->rows.at[i].path);
    }
    if (watch->handlers.on_snapshot)
        watch->handlers.on_snapshot(watch->data, source->path);
}

/* What another node tells of one of its paths is of a place here. */
static void place_event(struct facts *facts, const char *node)
{
    char place[ADDR_PATH_MAX + 1];

    for (size_t i = 0; *node && i < facts->count; i++) {
        struct fact *fact = &facts->at[i];

        if (strcmp(fact->key, "path") != 0 || place_make(fact->value, node, place) != 0)
            continue;
        free(fact->value);
        fact->value = cli_strdup(place);
    }
}

/* Whether there is a mailbox can be seen in this node only (follow()). */
static bool may_supervise(const struct facts *facts, const char *place)
{
    const char *kind = facts_get(facts, "kind");

    return !place_is_elsewhere(place) ||
           (kind && (strcmp(kind, row_kind_text(ROW_SUPERVISOR)) == 0 ||
                     strcmp(kind, row_kind_text(ROW_SERVICE)) == 0));
}

static void on_event(struct exchange *exchange, const struct envelope *env)
{
    struct source *source = exchange_data(exchange);
    struct watch *watch = source->watch;
    struct facts facts = {0};
    const char *path;
    char name[256];

    if (envelope_text_copy(env->type, name, sizeof name) != 0 ||
        wire_unpack_facts(env->payload, env->payload_size, &facts) != 0)
        return;
    place_event(&facts, exchange_node(exchange));
    path = facts_get(&facts, "path");
    watch->handlers.on_event(watch->data, name, &facts);
    if (watch->is_deep && path && may_supervise(&facts, path))
        follow(watch, path);
    facts_finish(&facts);
}

static void on_end(struct exchange *exchange)
{
    lose(exchange_data(exchange), "the connection ended");
}

static void subscribe(struct source *source)
{
    static const struct exchange_handlers handlers = {on_answer, on_event, on_end};
    char mailbox[MAILBOX_MAX];

    client_supervisor(source->path, mailbox);
    source->is_told_of = false;
    source->exchange =
        exchange_start(source->watch->client, mailbox, CONTROL_EVENTS, NULL, &handlers, source);
    if (!source->exchange)
        try_again(source);
}

/* A nested supervisor whose mailbox is gone is forgotten: an event of its parent brings it back. In
 * another node only asking can tell. */
static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct source *source = container_of(timer, struct source, again);
    char mailbox[MAILBOX_MAX];

    (void)loop;
    (void)events;
    client_supervisor(source->path, mailbox);
    if (place_is_elsewhere(source->path) || client_has_mailbox(source->watch->client, mailbox))
        subscribe(source);
    else if (source == source->watch->top)
        lose(source, "its mailbox is gone");
    else
        destroy(source);
}

static struct source *add(struct watch *watch, const char *path)
{
    struct source *source = cli_alloc(sizeof *source);

    source->watch = watch;
    snprintf(source->path, sizeof source->path, "%s", path);
    ev_timer_init(&source->again, on_again, again_s, 0);
    HASH_ADD_STR(watch->by_path, path, source);
    return source;
}

/* Subscribes at the supervisor at path, if there is one and it is not followed yet. */
static void follow(struct watch *watch, const char *path)
{
    struct source *source;
    char mailbox[MAILBOX_MAX];

    HASH_FIND_STR(watch->by_path, path, source);
    if (source) {
        source->is_told_of = true;
        return;
    }
    client_supervisor(path, mailbox);
    if (place_is_elsewhere(path) || client_has_mailbox(watch->client, mailbox))
        subscribe(add(watch, path));
}

struct watch *watch_create(struct client *client, const char *scope, bool is_deep,
                           const struct watch_handlers *handlers, void *data)
{
    struct watch *watch = cli_alloc(sizeof *watch);

    watch->client = client;
    watch->handlers = *handlers;
    watch->data = data;
    watch->is_deep = is_deep;
    watch->top = add(watch, scope);
    subscribe(watch->top);
    return watch;
}

void watch_destroy(struct watch *watch)
{
    struct source *source, *next;

    if (!watch)
        return;
    HASH_ITER (hh, watch->by_path, source, next)
        destroy(source);
    free(watch);
}

bool watch_is_settled(const struct watch *watch)
{
    struct source *source, *next;

    HASH_ITER (hh, watch->by_path, source, next)
        if (source->exchange && !source->is_answered)
            return false;
    return true;
}
