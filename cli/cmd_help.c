#include "cli.h"

static int run(struct cli *cli)
{
    struct buf text = {0};
    const struct verb *verb;
    const char *nearest;

    if (cli_option(cli, "mdoc")) {
        help_mdoc(&text);
    } else if (cli->arg_count == 0) {
        help_overview(&text);
    } else {
        verb = verb_find(cli->args[0]);
        nearest = verb_nearest(cli->args[0]);
        if (!verb)
            return cli_fail(STATUS_USAGE, "no verb \"%s\"%s%s%s", cli->args[0],
                            nearest ? "; did you mean " : "", nearest ? nearest : "",
                            nearest ? "?" : "");
        help_verb(verb, &text);
    }
    output_write(&text);
    buf_finish(&text);
    return STATUS_DONE;
}

const struct verb verb_help = {
    .name = "help",
    .synopsis = "[VERB]",
    .line = "list the verbs, or explain one",
    .text = "`troupe VERB --help` shows the same.",
    .examples = "troupe help ps\tone verb",
    .options = {{0, "mdoc", NULL, "print the manual page's section on verbs"}},
    .min_args = 0,
    .max_args = 1,
    .flags = 0,
    .takes = TAKES_VERBS,
    .run = run,
};
