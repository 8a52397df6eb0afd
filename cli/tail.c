#include "tail.h"

#include "control.h"
#include "output.h"
#include "place.h"

#include <stdio.h>

static const double patience_s = 1;

struct tail {
    struct client *client;
    struct words *lines;
    ev_timer patience;
};

static void on_event(struct exchange *exchange, const struct envelope *env)
{
    struct tail *tail = exchange_data(exchange);
    struct words words;

    if (wire_unpack_words(env->payload, env->payload_size, &words) != 0)
        return;
    for (size_t i = 0; i + LOG_WORDS_A_LINE <= words.count; i += LOG_WORDS_A_LINE)
        cli_check_memory(words_append(tail->lines, words.at[i + 3]));
    words_finish(&words);
}

static void on_answer(struct exchange *exchange, struct answer *answer)
{
    struct tail *tail = exchange_data(exchange);

    (void)answer;
    ev_break(tail->client->loop, EVBREAK_ONE);
}

static void on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)timer;
    (void)events;
    ev_break(loop, EVBREAK_ONE);
}

void tail_mailbox(const char *place, char out[MAILBOX_MAX])
{
    snprintf(out, MAILBOX_MAX, "sys/log%s", addr_node_part(place));
}

void tail_read(struct client *client, const char *place, unsigned count, struct words *lines)
{
    static const struct exchange_handlers handlers = {on_answer, on_event, NULL};
    struct tail tail = {.client = client, .lines = lines};
    struct words words = {0};
    struct exchange *exchange;
    char number[16], path[ADDR_PATH_MAX + 1], mailbox[MAILBOX_MAX];
    int failed;

    snprintf(number, sizeof number, "%u", count);
    place_path(place, path);
    tail_mailbox(place, mailbox);
    failed = words_append(&words, path);
    failed |= words_append(&words, number);
    failed |= words_append(&words, "0");
    cli_check_memory(failed);
    exchange = exchange_start(client, mailbox, CONTROL_LOG, &words, &handlers, &tail);
    words_finish(&words);
    if (!exchange)
        return;
    ev_timer_init(&tail.patience, on_patience, patience_s, 0);
    ev_timer_start(client->loop, &tail.patience);
    ev_run(client->loop, 0);
    ev_timer_stop(client->loop, &tail.patience);
    exchange_destroy(exchange);
}
