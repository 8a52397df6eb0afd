#include "cli.h"

#include "actors.h"
#include "control.h"
#include "mono.h"
#include "place.h"
#include "tail.h"
#include "target.h"
#include "text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A log that restarts is asked again; what it had said already is left out. */
static const double again_s = 0.1;
static const char again_count[] = "1000";
enum { LOOK_MS = 5000 };

struct reading {
    struct cli *cli;
    struct addr addr;
    struct exchange *exchange;
    bool follows, is_again, is_missing;
    bool is_several; /* lines carry their actor's path */
    int status;
    char mailbox[MAILBOX_MAX]; /* of sys/log */
    uint64_t lines;
    int64_t last_us;
    ev_timer again;
    struct buf json; /* the list, for -o json without -f */
};

static void make_record(char *const words[LOG_WORDS_A_LINE], struct facts *record)
{
    int failed = facts_add(record, 't', "ts", words[2]);

    failed |= facts_add(record, 's', "path", words[0]);
    failed |= facts_add(record, 's', "stream", words[1]);
    failed |= facts_add(record, 's', "text", words[3]);
    cli_check_memory(failed);
}

/* A terminal must not be driven by what an actor prints; a pipe gets the bytes. */
static void print_text(struct reading *reading, char *const words[LOG_WORDS_A_LINE])
{
    size_t size = 4 * strlen(words[3]) + 1;
    char *safe;

    if (reading->is_several || strcmp(words[0], reading->addr.path) != 0)
        printf("%s | ", words[0]);
    if (!reading->cli->out.is_terminal) {
        printf("%s\n", words[3]);
        return;
    }
    safe = cli_alloc(size);
    text_escape(words[3], strlen(words[3]), safe, size);
    printf("%s\n", safe);
    free(safe);
}

static void print_line(struct reading *reading, char *const words[LOG_WORDS_A_LINE])
{
    const struct output *out = &reading->cli->out;
    struct facts record = {0};
    struct buf text = {0};
    const char *missing;

    if (out->format == OUTPUT_TABLE || out->format == OUTPUT_WIDE) {
        print_text(reading, words);
        return;
    }
    make_record(words, &record);
    if (out->format == OUTPUT_JSON && !reading->follows) {
        json_list_add(&record, reading->lines, &reading->json);
        facts_finish(&record);
        return;
    }
    if (out->format == OUTPUT_COLUMNS && bare_write(out, &record, &text, &missing) != 0)
        buf_append(&text, "-", 1);
    else if (out->format == OUTPUT_PATHS)
        buf_printf(&text, "%s", words[0]);
    else if (out->format != OUTPUT_COLUMNS)
        json_write_line(&record, &text);
    buf_append(&text, "\n", 1);
    output_write(&text);
    buf_finish(&text);
    facts_finish(&record);
}

/* A line of an actor of that node. */
static void print_place(struct reading *reading, char *const words[LOG_WORDS_A_LINE],
                        const char *node)
{
    char *placed[LOG_WORDS_A_LINE], place[ADDR_PATH_MAX + 1];

    memcpy(placed, words, sizeof placed);
    if (place_make(words[0], node, place) == 0)
        placed[0] = place;
    print_line(reading, placed);
}

static void on_event(struct exchange *exchange, const struct envelope *env)
{
    struct reading *reading = exchange_data(exchange);
    struct words words;
    int64_t wall_us;

    if (wire_unpack_words(env->payload, env->payload_size, &words) != 0)
        return;
    for (size_t i = 0; i + LOG_WORDS_A_LINE <= words.count; i += LOG_WORDS_A_LINE) {
        wall_us = strtoll(words.at[i + 2], NULL, 10);
        if (reading->is_again && wall_us <= reading->last_us)
            continue;
        if (wall_us > reading->last_us)
            reading->last_us = wall_us;
        print_place(reading, words.at + i, exchange_node(exchange));
        reading->lines++;
    }
    words_finish(&words);
    output_flush();
}

static void ask(struct reading *reading, const char *count);

/* In another node: with the session all ends. */
static bool is_cut_off(const struct reading *reading, const struct answer *answer)
{
    return answer->kind == ANSWER_CLOSED && client_is_cut_off(answer->text) &&
           place_is_elsewhere(reading->mailbox);
}

static void try_again(struct reading *reading)
{
    struct client *client = &reading->cli->client;

    exchange_destroy(reading->exchange);
    reading->exchange = NULL;
    reading->is_again = true;
    if (!rundir_is_alive(&client->dir)) {
        ev_break(client->loop, EVBREAK_ALL);
        return;
    }
    ev_timer_set(&reading->again, again_s, 0);
    ev_timer_start(client->loop, &reading->again);
}

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    ask(container_of(timer, struct reading, again), again_count);
}

static void on_answer(struct exchange *exchange, struct answer *answer)
{
    struct reading *reading = exchange_data(exchange);
    struct client *client = &reading->cli->client;

    if (answer->kind == ANSWER_CLOSED && reading->is_again && !is_cut_off(reading, answer)) {
        try_again(reading);
        return;
    }
    if (answer->kind == ANSWER_ERROR && strcmp(answer->head, CONTROL_E_NOPROC) == 0)
        reading->is_missing = true;
    else if (answer->kind == ANSWER_ERROR || answer->kind == ANSWER_CLOSED)
        reading->status = cli_answer_status(reading->cli, reading->mailbox, answer);
    if (!reading->follows || reading->status || reading->is_missing)
        ev_break(client->loop, EVBREAK_ALL);
}

static void on_end(struct exchange *exchange)
{
    try_again(exchange_data(exchange));
}

static void ask(struct reading *reading, const char *count)
{
    static const struct exchange_handlers handlers = {on_answer, on_event, on_end};
    struct words words = {0};
    char path[ADDR_PATH_MAX + 1];
    int failed;

    place_path(reading->addr.path, path);
    failed = words_append(&words, path);
    failed |= words_append(&words, count);
    failed |= words_append(&words, reading->follows ? "1" : "0");
    cli_check_memory(failed);
    reading->exchange = exchange_start(&reading->cli->client, reading->mailbox, CONTROL_LOG, &words,
                                       &handlers, reading);
    cli_check_memory(!reading->exchange);
    words_finish(&words);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

/* No line at all: is that an actor that has said nothing, or no actor? */
static int check_known(struct reading *reading)
{
    struct actors actors;
    size_t count;
    int status = 0;

    if (place_is_root(reading->addr.path) || reading->lines || reading->status)
        return reading->status;
    cli_check_memory(actors_collect(&reading->cli->client, reading->addr.path, true, &actors));
    count = actors.count;
    if (actors.refusal.kind != ANSWER_NONE)
        status = cli_answer_status(reading->cli, reading->addr.path, &actors.refusal);
    actors_finish(&actors);
    if (status)
        return status;
    return count ? 0 : target_unknown(reading->cli, reading->addr.path);
}

static int read_log(struct reading *reading, const char *count)
{
    struct ev_loop *loop = reading->cli->client.loop;
    ev_signal on_int;

    ev_signal_init(&on_int, on_signal, SIGINT);
    ev_signal_start(loop, &on_int);
    ev_timer_init(&reading->again, on_again, again_s, 0);
    ask(reading, count);
    ev_run(loop, 0);
    ev_timer_stop(loop, &reading->again);
    ev_signal_stop(loop, &on_int);
    exchange_destroy(reading->exchange);
    return reading->follows ? reading->status : check_known(reading);
}

/* In another node there is only asking. */
static bool supervises(struct cli *cli, const char *place)
{
    char mailbox[MAILBOX_MAX];
    struct answer answer;
    bool result;

    if (place_is_root(place))
        return true;
    client_supervisor(place, mailbox);
    if (!place_is_elsewhere(place))
        return client_has_mailbox(&cli->client, mailbox);
    cli_check_memory(client_ask_about(&cli->client, place, CONTROL_PS_BRIEF, LOOK_MS, &answer));
    result = answer.kind == ANSWER_ROWS && answer.rows.count == 1 &&
             row_supervises(&answer.rows.at[0]);
    answer_finish(&answer);
    return result;
}

static int check_columns(struct cli *cli)
{
    static const char *const known[] = {"ts", "path", "stream", "text", NULL};
    const char *nearest;
    size_t k;

    for (size_t i = 0; i < cli->out.column_count; i++) {
        for (k = 0; known[k] && strcmp(known[k], cli->out.columns[i]) != 0; k++)
            ;
        if (known[k])
            continue;
        nearest = text_nearest(cli->out.columns[i], known);
        return cli_fail(STATUS_USAGE, "-o %s: no such column; %s%s", cli->out.columns[i],
                        nearest ? "did you mean " : "there are ts, path, stream, text",
                        nearest ? nearest : "");
    }
    return 0;
}

static int run(struct cli *cli)
{
    struct reading reading = {.cli = cli, .follows = cli_option(cli, "follow") != NULL};
    const char *count = cli_option(cli, "lines");
    uint64_t number;
    int status = check_columns(cli);

    if (!status && count && text_unsigned(count, 0, 1000000000, &number) != 0)
        status = cli_fail(STATUS_USAGE, "-n %s: expected a number of lines", count);
    if (!status && cli->arg_count)
        status = target_parse(cli, cli->args[0], &reading.addr, NULL);
    if (status)
        return status;
    tail_mailbox(reading.addr.path, reading.mailbox);
    /* Following something that does not exist would wait for ever without a word. */
    if (reading.follows && !place_is_root(reading.addr.path)) {
        status = check_known(&reading);
        if (status)
            return status;
    }
    reading.is_several = supervises(cli, reading.addr.path);
    if (cli->out.format == OUTPUT_JSON && !reading.follows)
        json_list_begin("lines", &reading.json);
    status = read_log(&reading, count ? count : "20");
    if (buf_length(&reading.json)) {
        json_list_end(reading.lines, &reading.json);
        output_write(&reading.json);
    }
    buf_finish(&reading.json);
    return status;
}

const struct verb verb_log = {
    .name = "log",
    .synopsis = "[ADDRESS]",
    .line = "show what actors print",
    .text = "The last lines of an actor, of everything below a supervisor, or of all; each line "
            "with its "
            "actor's path before it when there may be several.",
    .examples = "troupe log shop/db\tthe last 20 lines of one actor\n"
                "troupe log -f -n 0 shop\twhat a whole application prints from now on",
    .options = {{'f', "follow", NULL, "go on with what comes"},
                {'n', "lines", "N", "so many lines of history (20)"}},
    .min_args = 0,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
