#include "cli.h"

#include <stdio.h>

static int run(struct cli *cli)
{
    struct facts facts = {0};
    struct error err;
    int status = STATUS_DONE;

    if (cli->out.format == OUTPUT_TABLE || cli->out.format == OUTPUT_WIDE) {
        printf("troupe %s\n", TROUPE_VERSION);
        return STATUS_DONE;
    }
    cli_check_memory(facts_add(&facts, 's', "version", TROUPE_VERSION));
    if (output_record(&cli->out, "version", &facts, &err) != 0)
        status = cli_fail(STATUS_USAGE, "%s", err.text);
    facts_finish(&facts);
    return status;
}

const struct verb verb_version = {
    .name = "version",
    .synopsis = "",
    .line = "print the version of this program",
    .text = "The version of a running node is in `troupe status .`.",
    .examples = "troupe version",
    .min_args = 0,
    .max_args = 0,
    .flags = HAS_OUTPUT,
    .takes = TAKES_NOTHING,
    .run = run,
};
