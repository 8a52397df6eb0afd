#include "cli.h"

#include "control.h"
#include "place.h"
#include "target.h"

static int run(struct cli *cli)
{
    struct addr addr = {0};
    struct answer answer;
    struct error err;
    char mailbox[MAILBOX_MAX];
    int status = cli->arg_count ? target_parse(cli, cli->args[0], &addr, NULL) : 0;

    if (status)
        return status;
    client_supervisor(addr.path, mailbox);
    cli_check_memory(client_call(&cli->client, mailbox, CONTROL_COUNTS, NULL, 5000, &answer));
    if (answer.kind != ANSWER_FACTS)
        status = target_answer_status(cli, place_text(addr.path), &answer);
    else if (output_record(&cli->out, "counts", &answer.facts, &err) != 0)
        status = cli_fail(STATUS_USAGE, "%s", err.text);
    answer_finish(&answer);
    return status;
}

const struct verb verb_counts = {
    .name = "counts",
    .synopsis = "[SUPERVISOR]",
    .line = "count a supervisor's children",
    .text = "Specs, active children, supervisors and workers among its direct children. Without a "
            "SUPERVISOR: of the root.",
    .examples = "troupe counts shop\tone supervisor\n"
                "troupe counts -o active shop\tone number",
    .min_args = 0,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
