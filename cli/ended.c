#include "ended.h"

#include "control.h"
#include "output.h"
#include "place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ENDED_MS = 1000 };

struct question {
    struct client *client;
    ev_timer limit;
    bool is_over, is_cut_off;
    char *out; /* REASON_MAX bytes */
};

static void finish(struct question *question)
{
    question->is_over = true;
    ev_break(question->client->loop, EVBREAK_ONE);
}

/* words: TARGET#N REASON … */
static void on_event(struct exchange *exchange, const struct envelope *env)
{
    struct question *question = exchange_data(exchange);
    struct words words;

    if (!envelope_text_equals(env->type, EVENT_DOWN) ||
        wire_unpack_words(env->payload, env->payload_size, &words) != 0)
        return;
    if (words.count >= 2)
        reason_copy(words.at[1], "unknown", question->out);
    words_finish(&words);
    finish(question);
}

/* That the question is heard is no answer to it yet. */
static void on_answer(struct exchange *exchange, struct answer *answer)
{
    struct question *question = exchange_data(exchange);

    question->is_cut_off = answer->kind == ANSWER_CLOSED && client_is_cut_off(answer->text);
    if (answer->kind != ANSWER_WORDS)
        finish(question);
}

static void on_end(struct exchange *exchange)
{
    finish(exchange_data(exchange));
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    finish(container_of(timer, struct question, limit));
}

static struct exchange *ask(struct question *question, const char *place, uint64_t incarnation)
{
    static const struct exchange_handlers handlers = {on_answer, on_event, on_end};
    char parent[ADDR_PATH_MAX + 1], mailbox[MAILBOX_MAX], path[ADDR_PATH_MAX + 1];
    char target[ADDR_TEXT_MAX + 1];
    struct words words = {0};
    struct exchange *exchange;

    if (addr_supervisor(place, parent, sizeof parent) != 0)
        return NULL;
    client_supervisor(parent, mailbox);
    place_path(place, path);
    snprintf(target, sizeof target, "%s#%" PRIu64, path, incarnation);
    cli_check_memory(words_append(&words, CONTROL_WATCH_ENDED));
    cli_check_memory(words_append(&words, question->client->self));
    cli_check_memory(words_append(&words, target));
    exchange =
        exchange_start(question->client, mailbox, CONTROL_WATCH, &words, &handlers, question);
    words_finish(&words);
    return exchange;
}

bool ended_reason(struct client *client, const char *place, uint64_t incarnation,
                  char out[REASON_MAX])
{
    struct question question = {.client = client, .out = out};
    struct exchange *exchange;

    snprintf(out, REASON_MAX, "unknown");
    exchange = ask(&question, place, incarnation);
    if (!exchange)
        return true;
    ev_timer_init(&question.limit, on_limit, ENDED_MS / 1000.0, 0);
    ev_now_update(client->loop);
    ev_timer_start(client->loop, &question.limit);
    while (!question.is_over)
        ev_run(client->loop, 0);
    ev_timer_stop(client->loop, &question.limit);
    exchange_destroy(exchange);
    return !question.is_cut_off;
}
