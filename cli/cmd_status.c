#include "cli.h"

#include "control.h"
#include "target.h"

#include <string.h>

static int print(struct cli *cli, const struct answer *answer)
{
    const char *state = facts_get(&answer->facts, "state");
    struct error err;

    if (output_record(&cli->out, "status", &answer->facts, &err) != 0)
        return cli_fail(STATUS_USAGE, "%s", err.text);
    return state && strcmp(state, row_state_text(ROW_READY)) == 0 ? STATUS_DONE : STATUS_NOT;
}

static int print_node(struct cli *cli, struct answer *answer)
{
    int status;

    cli_check_memory(
        client_call(&cli->client, RUNDIR_SUPERVISOR, CONTROL_NODE, NULL, 5000, answer));
    status = answer->kind == ANSWER_FACTS ? print(cli, answer)
                                          : cli_answer_status(cli, ".", answer);
    answer_finish(answer);
    return status;
}

static int run(struct cli *cli)
{
    struct target target;
    struct answer answer;
    int status;

    if (strcmp(cli->args[0], ".") == 0)
        return print_node(cli, &answer);
    status = target_ask(cli, cli->args[0], CONTROL_STATUS, &answer, &target);
    if (status)
        return status;
    status = answer.kind == ANSWER_FACTS ? print(cli, &answer)
                                         : cli_answer_status(cli, target.path, &answer);
    answer_finish(&answer);
    return status;
}

const struct verb verb_status = {
    .name = "status",
    .synopsis = "ADDRESS",
    .line = "show one actor in depth",
    .text = "Its spec with its place in the config file, its state, last ends, next restart, links, "
            "limits used and last lines of output. `.` is the node itself.\n"
            "Ends with 0 when it is ready, else with 1.",
    .examples = "troupe status shop/db\tone actor\n"
                "troupe status -o state,pid shop/db\ttwo of its values\n"
                "troupe status .\tthe node",
    .min_args = 1,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
