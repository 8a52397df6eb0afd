#include "cli.h"

#include "recipient.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static const char *const column_list[] = {"message", "arguments",    "reply", "help",
                                          "format",  "reply_format", NULL};

static void add_types(struct facts *record, const char *key, const char *format)
{
    struct buf text = {0};

    types_write(format, &text);
    cli_check_memory(buf_append(&text, "", 1));
    cli_check_memory(facts_add(record, 's', key, (const char *)buf_front(&text)));
    buf_finish(&text);
}

/* What the actor says of itself, on one line: it is to be read by people, on a terminal. */
static void add_line(struct facts *record, const char *key, const char *said)
{
    size_t length = strlen(said), size = text_escape(said, length, NULL, 0) + 1;
    char *line = cli_alloc(size);

    text_escape(said, length, line, size);
    cli_check_memory(facts_add(record, 's', key, line));
    free(line);
}

static void add_said(struct facts *record, const char *key, const char *said, bool is_escaped)
{
    if (is_escaped)
        add_line(record, key, said);
    else
        cli_check_memory(facts_add(record, 's', key, said));
}

/* JSON has escapes of its own. */
static void record_of(const struct described *message, bool is_escaped, struct facts *record)
{
    add_said(record, "message", message->name, is_escaped);
    add_types(record, "arguments", message->arguments);
    add_types(record, "reply", message->reply);
    add_said(record, "help", message->help, is_escaped);
    cli_check_memory(facts_add(record, 's', "format", message->arguments));
    cli_check_memory(facts_add(record, 's', "reply_format", message->reply));
}

static void write_table(const struct output *out, const struct description *description,
                        struct buf *text)
{
    static const struct grid_column shown[] = {
        {"MESSAGE", false, 0}, {"ARGUMENTS", false, 0}, {"REPLY", false, 0}, {"HELP", false, 16}};
    enum { SHOWN = sizeof shown / sizeof shown[0] };
    struct grid *grid = grid_create(shown, SHOWN);

    for (size_t i = 0; i < description->count; i++) {
        struct facts record = {0};

        record_of(&description->at[i], true, &record);
        for (size_t c = 0; c < SHOWN; c++) {
            const char *cell = facts_get(&record, column_list[c]);

            grid_add(grid, *cell ? cell : "-", COLOUR_NONE);
        }
        facts_finish(&record);
    }
    grid_write(grid, out, text);
    grid_destroy(grid);
}

static void write_records(const struct output *out, const struct description *description,
                          struct buf *text)
{
    bool is_list = out->format == OUTPUT_JSON;
    const char *missing;

    if (is_list)
        json_list_begin("messages", text);
    for (size_t i = 0; i < description->count; i++) {
        struct facts record = {0};

        record_of(&description->at[i], out->format == OUTPUT_COLUMNS, &record);
        if (is_list)
            json_list_add(&record, i, text);
        else if (out->format == OUTPUT_JSONL)
            json_write_line(&record, text);
        else
            bare_write(out, &record, text, &missing);
        if (!is_list)
            buf_append(text, "\n", 1);
        facts_finish(&record);
    }
    if (is_list)
        json_list_end(description->count, text);
}

static void print(struct cli *cli, const struct description *description)
{
    struct buf text = {0};

    if (cli->out.format == OUTPUT_TABLE || cli->out.format == OUTPUT_WIDE)
        write_table(&cli->out, description, &text);
    else
        write_records(&cli->out, description, &text);
    output_write(&text);
    buf_finish(&text);
}

static int run(struct cli *cli)
{
    struct recipient recipient;
    struct description description;
    int status = recipient_find(cli, cli->args[0], &recipient);

    if (!status && recipient.is_program)
        return cli_fail(STATUS_NOT, "%s: a program does not describe its messages",
                        recipient.to.path);
    if (!status)
        status = recipient_describe(cli, &recipient, &description);
    if (status)
        return status;
    print(cli, &description);
    description_finish(&description);
    return STATUS_DONE;
}

const struct verb verb_describe = {
    .name = "describe",
    .synopsis = "ADDRESS",
    .line = "list the messages that an actor understands",
    .text = "One line a message: its name, the types of its arguments and of its answer, and what "
            "the actor says about it. Types are INT32, UINT32, INT64, UINT64, DOUBLE, TEXT and "
            "BYTES. A line with the name * says that all other messages are taken, too, with "
            "arguments that are texts.",
    .examples = "troupe describe shop/counter\twhat it understands\n"
                "troupe describe -o message shop/counter\tthe names alone",
    .options = {{0, "timeout", "DURATION", "give up after this long (5s)"}},
    .min_args = 1,
    .max_args = 1,
    .flags = PICKS_NODE | HAS_OUTPUT,
    .columns = column_list,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
