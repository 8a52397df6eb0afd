#include "cli.h"

#include "control.h"
#include "place.h"
#include "tail.h"
#include "target.h"

#include <string.h>

enum { LAST_LINES = 5 };

static int print(struct cli *cli, const struct facts *facts)
{
    struct error err;

    if (output_record(&cli->out, "status", facts, &err) != 0)
        return cli_fail(STATUS_USAGE, "%s", err.text);
    return STATUS_DONE;
}

static int print_actor(struct cli *cli, const struct facts *facts)
{
    const char *state = facts_get(facts, "state");
    int status = print(cli, facts);

    if (status)
        return status;
    return state && strcmp(state, row_state_text(ROW_READY)) == 0 ? STATUS_DONE : STATUS_NOT;
}

static int print_node(struct cli *cli, const char *root, struct answer *answer)
{
    char mailbox[MAILBOX_MAX];
    int status;

    client_supervisor(root, mailbox);
    cli_check_memory(client_call(&cli->client, mailbox, CONTROL_NODE, NULL, 5000, answer));
    status = answer->kind == ANSWER_FACTS ? print(cli, &answer->facts)
                                          : cli_answer_status(cli, place_text(root), answer);
    answer_finish(answer);
    return status;
}

/* What it printed last, as one value of several lines. */
static void add_last_lines(struct cli *cli, const char *path, struct facts *facts)
{
    struct words lines = {0};
    struct buf text = {0};

    tail_read(&cli->client, path, LAST_LINES, &lines);
    for (size_t i = 0; i < lines.count; i++)
        buf_printf(&text, "%s%s", i ? "\n" : "", lines.at[i]);
    cli_check_memory(buf_append(&text, "", 1));
    cli_check_memory(facts_add(facts, 's', "log", (const char *)buf_front(&text)));
    buf_finish(&text);
    words_finish(&lines);
}

static int run(struct cli *cli)
{
    struct target target;
    struct answer answer;
    struct addr addr;
    int status = target_parse(cli, cli->args[0], &addr, NULL);

    if (status)
        return status;
    if (place_is_root(addr.path))
        return print_node(cli, addr.path, &answer);
    status = target_ask(cli, cli->args[0], CONTROL_STATUS, &answer, &target);
    if (status)
        return status;
    if (answer.kind == ANSWER_FACTS) {
        add_last_lines(cli, target.path, &answer.facts);
        status = print_actor(cli, &answer.facts);
    } else {
        status = cli_answer_status(cli, target.path, &answer);
    }
    answer_finish(&answer);
    return status;
}

const struct verb verb_status = {
    .name = "status",
    .synopsis = "ADDRESS",
    .line = "show one actor in depth",
    .text =
        "Its spec with its place in the config file, its state, last ends, next restart, links, "
        "limits used and last lines of output. `.` is the node itself, `@NODE` another one.\n"
        "Ends with 0 when the actor is ready, else with 1.",
    .examples = "troupe status shop/db\tone actor\n"
                "troupe status -o state,pid shop/db\ttwo of its values\n"
                "troupe status .\tthe node",
    .min_args = 1,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
