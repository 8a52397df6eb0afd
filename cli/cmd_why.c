#include "cli.h"

#include "control.h"
#include "target.h"

static int run(struct cli *cli)
{
    struct target target;
    struct answer answer;
    int status = target_ask(cli, cli->args[0], CONTROL_WHY, &answer, &target);

    if (status)
        return status;
    if (answer.kind == ANSWER_WORDS)
        output_words(&cli->out, "why", &answer.words);
    else
        status = cli_answer_status(cli, target.path, &answer);
    answer_finish(&answer);
    return status;
}

const struct verb verb_why = {
    .name = "why",
    .synopsis = "ADDRESS",
    .line = "say why an actor is in the state that it is in",
    .text =
        "The chain of causes in words, with the last crash and its frames. Names that are gone are "
        "remembered for their supervisor's last 100 ends.",
    .examples = "troupe why shop/web\twhy it is down, or was restarted",
    .min_args = 1,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
