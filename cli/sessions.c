#include "sessions.h"

#include "control.h"
#include "output.h"
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A sys/node that is not there may be started at any time. */
static const double again_s = 0.05;

struct sessions {
    struct client *client;
    struct sessions_handlers handlers;
    void *data;
    struct exchange *exchange;
    struct words up; /* with whom */
    ev_timer again;
};

static void ask(struct sessions *sessions);

static void over(struct sessions *sessions, const struct answer *answer)
{
    sessions->handlers.on_over(sessions->data, answer);
}

/* ---- who is there ----------------------------------------------------------------------- */

static void note_up(struct sessions *sessions, const char *node, bool is_snapshot)
{
    cli_check_memory(words_append(&sessions->up, node));
    sessions->handlers.on_up(sessions->data, node, is_snapshot);
}

static void note_down(struct sessions *sessions, const char *node, const char *reason)
{
    struct words *up = &sessions->up;

    for (size_t i = 0; i < up->count; i++) {
        if (strcmp(up->at[i], node) != 0)
            continue;
        sessions->handlers.on_down(sessions->data, node, reason);
        free(up->at[i]);
        up->at[i] = up->at[--up->count];
        return;
    }
}

static void note_all_down(struct sessions *sessions)
{
    while (sessions->up.count) {
        char *node = cli_strdup(sessions->up.at[0]);

        note_down(sessions, node, PEER_NODE " has ended");
        free(node);
    }
}

/* ---- what is heard ---------------------------------------------------------------------- */

static void try_again(struct sessions *sessions)
{
    static const struct answer ended = {.kind = ANSWER_CLOSED, .text = "the node has ended"};

    exchange_destroy(sessions->exchange);
    sessions->exchange = NULL;
    if (!rundir_is_alive(&sessions->client->dir)) {
        over(sessions, &ended);
        return;
    }
    ev_timer_set(&sessions->again, again_s, 0);
    ev_timer_start(sessions->client->loop, &sessions->again);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    ask(container_of(timer, struct sessions, again));
}

static void on_answer(struct exchange *exchange, struct answer *answer)
{
    struct sessions *sessions = exchange_data(exchange);

    if (answer->kind == ANSWER_CLOSED) {
        try_again(sessions);
        return;
    }
    if (answer->kind != ANSWER_WORDS) {
        over(sessions, answer);
        return;
    }
    for (size_t i = 0; i < answer->words.count; i++)
        note_up(sessions, answer->words.at[i], true);
}

static void on_event(struct exchange *exchange, const struct envelope *env)
{
    struct sessions *sessions = exchange_data(exchange);
    struct words words;

    if (wire_unpack_words(env->payload, env->payload_size, &words) != 0)
        return;
    if (envelope_text_equals(env->type, EVENT_NODE_UP) && words.count >= 1)
        note_up(sessions, words.at[0], false);
    else if (envelope_text_equals(env->type, EVENT_NODE_DOWN) && words.count >= 2)
        note_down(sessions, words.at[0], words.at[1]);
    words_finish(&words);
}

static void on_end(struct exchange *exchange)
{
    struct sessions *sessions = exchange_data(exchange);

    note_all_down(sessions);
    try_again(sessions);
}

/* ---- life ------------------------------------------------------------------------------- */

static void ask(struct sessions *sessions)
{
    static const struct exchange_handlers handlers = {on_answer, on_event, on_end};

    sessions->exchange =
        exchange_start(sessions->client, PEER_NODE, CONTROL_NODE_WATCH, NULL, &handlers, sessions);
    cli_check_memory(!sessions->exchange);
}

struct sessions *sessions_follow(struct client *client, const struct sessions_handlers *handlers,
                                 void *data)
{
    struct sessions *sessions = cli_alloc(sizeof *sessions);

    *sessions = (struct sessions){.client = client, .handlers = *handlers, .data = data};
    ev_timer_init(&sessions->again, on_again, again_s, 0);
    ask(sessions);
    return sessions;
}

void sessions_destroy(struct sessions *sessions)
{
    if (!sessions)
        return;
    ev_timer_stop(sessions->client->loop, &sessions->again);
    exchange_destroy(sessions->exchange);
    words_finish(&sessions->up);
    free(sessions);
}
