#include "cli.h"

#include "errand.h"
#include "results.h"

#include <stdio.h>
#include <string.h>

/* Just the bytes, whatever they are. */
static int print_bytes(const void *bytes, size_t size)
{
    if (size)
        fwrite(bytes, 1, size, stdout);
    return STATUS_DONE;
}

/* How the answers are written: of several, each with the path that it comes from. */
struct answers {
    bool are_many;
    size_t count;
};

static void write_object(const char *path, const struct results *results, struct buf *text)
{
    buf_printf(text, "{\"path\":\"%s\",\"values\":", path); /* a path needs no escapes */
    results_write_json(results, text);
    buf_printf(text, "}");
}

/* One of several. In JSON they are a list, whose ends are written apart. */
static void write_one(struct cli *cli, const char *path, const struct results *results,
                      size_t index, struct buf *text)
{
    if (cli->out.format == OUTPUT_JSON) {
        buf_printf(text, "%s\n    ", index ? "," : "");
        write_object(path, results, text);
        return;
    }
    if (cli->out.format == OUTPUT_JSONL) {
        write_object(path, results, text);
    } else {
        buf_printf(text, "%s:%s", path, *results->format ? " " : "");
        results_write_line(results, text);
    }
    buf_append(text, "\n", 1);
}

static void write_only(struct cli *cli, const struct results *results, struct buf *text)
{
    if (cli->out.format == OUTPUT_JSON) {
        json_value_begin("values", text);
        results_write_json(results, text);
        json_value_end(text);
        return;
    }
    if (cli->out.format == OUTPUT_JSONL)
        results_write_json(results, text);
    else
        results_write_line(results, text);
    if (cli->out.format == OUTPUT_JSONL || *results->format)
        buf_append(text, "\n", 1);
}

static int print_results(struct cli *cli, const struct errand *errand,
                         const struct results *results, struct answers *answers)
{
    struct buf text = {0};

    if (answers->are_many)
        write_one(cli, errand->recipient.to.path, results, answers->count++, &text);
    else
        write_only(cli, results, &text);
    output_write(&text);
    buf_finish(&text);
    return STATUS_DONE;
}

static bool is_plain(const char *format)
{
    return strcmp(format, "B") == 0 || strcmp(format, "s") == 0;
}

static int print_typed(struct cli *cli, const struct errand *errand, const struct reply *reply,
                       struct answers *answers)
{
    const char *format = errand->message->reply;
    struct results results = {0};
    int status = STATUS_DONE;

    if (results_of_payload(format, reply->is_typed, buf_front(&reply->body),
                           buf_length(&reply->body), &results) != 0)
        return cli_fail(STATUS_ACTOR, "%s: %s: its answer is not what it describes",
                        errand->recipient.to.path, errand->message->name);
    if (cli_option(cli, "raw") && is_plain(format))
        status = print_bytes(results.at[0].bytes.at, results.at[0].bytes.size);
    else
        status = print_results(cli, errand, &results, answers);
    results_finish(&results);
    return status;
}

/* +VALUES, !REASON, or what a program says of its own accord. */
static int print_raw_line(struct cli *cli, struct errand *errand, struct reply *reply,
                          struct answers *answers)
{
    const char *line = (const char *)buf_front(&reply->body);
    size_t size = buf_length(&reply->body);
    struct results results = {0};
    int status;

    if (size && *line == '!') {
        reply->failure = strndup(line + 1, size - 1);
        cli_check_memory(!reply->failure);
        return recipient_failed(cli, &errand->recipient, reply);
    }
    if (size && *line == '+') {
        line++;
        size--;
    }
    if (results_of_line(line, size, &results) != 0)
        return print_bytes(line, size);
    status = print_results(cli, errand, &results, answers);
    results_finish(&results);
    return status;
}

static int print_reply(struct cli *cli, struct errand *errand, struct reply *reply, void *data)
{
    if (errand->message)
        return print_typed(cli, errand, reply, data);
    if (cli_option(cli, "raw"))
        return print_bytes(buf_front(&reply->body), buf_length(&reply->body));
    return print_raw_line(cli, errand, reply, data);
}

static int run(struct cli *cli)
{
    struct answers answers = {.are_many = errand_is_to_many(cli)};
    bool is_list = answers.are_many && cli->out.format == OUTPUT_JSON;
    struct buf text = {0};
    int status;

    if (cli->out.format == OUTPUT_COLUMNS || cli->out.format == OUTPUT_PATHS)
        return cli_fail(STATUS_USAGE, "-o %s: values have no names: expected table, json or jsonl",
                        cli_option(cli, "output"));
    if (is_list)
        json_list_begin("answers", &text);
    output_write(&text);
    status = errand_run(cli, print_reply, &answers);
    if (is_list)
        json_list_end(answers.count, &text);
    output_write(&text);
    buf_finish(&text);
    return status;
}

const struct verb verb_call = {
    .name = "call",
    .synopsis = "ADDRESS MESSAGE [ARG...]",
    .line = "send an actor a message, and print its answer",
    .text =
        "The actor is asked what it understands; the arguments are checked against that and packed "
        "accordingly. What does not fit is refused, with the message's signature and status 2. An "
        "actor that does not describe itself gets its arguments as texts, in one raw line. Options "
        "end at ADDRESS, so that arguments may begin with a dash.\n"
        "The values of the answer are printed on one line, a TAB between them, where \\t, \\n and "
        "\\\\ stand for those characters. In JSON they are an array; bytes are text when they are "
        "UTF-8, else an object with the key base64.\n"
        "With --raw standard input is the whole body, and the answer's bytes are printed as they "
        "are; with a MESSAGE it is that message's only argument.\n"
        "A quoted pattern calls each actor that matches, one after the other, and prints a line "
        "`PATH: VALUES` for each answer; in JSON an object with the keys path and values. The "
        "status is the worst.\n"
        "A call waits for an actor that is being restarted. It ends with 8 when the actor answered "
        "with an error, with 6 when the time was up, with 3 when there is no such actor, and with "
        "1 when the actor ended before it answered (down REASON) or has no mailbox "
        "(no_mailbox).",
    .examples = "troupe call shop/counter add 5\tprints the sum\n"
                "troupe call -o json shop/counter value\tas an array\n"
                "troupe call 'shop/farm.*' size\tof each\n"
                "troupe call --timeout 500ms shop/counter add -5\twith less patience",
    .options = {{0, "timeout", "DURATION", "give up after this long (5s)"},
                {0, "raw", NULL, "take the body, or MESSAGE's argument, from standard input"}},
    .min_args = 1,
    .max_args = -1,
    .flags = PICKS_NODE | HAS_OUTPUT | OPTIONS_FIRST,
    .takes = TAKES_MESSAGE,
    .run = run,
};
