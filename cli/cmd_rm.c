#include "cli.h"

#include "control.h"
#include "target.h"

static int run(struct cli *cli)
{
    struct targets targets = {0};
    int status = targets_expand(cli, 0, &targets);

    if (!status)
        status = targets_ask(cli, &targets, CONTROL_REMOVE, false);
    targets_finish(&targets);
    return status;
}

const struct verb verb_rm = {
    .name = "rm",
    .synopsis = "ADDRESS...",
    .line = "stop actors and forget them",
    .text = "Returns when every process of each is gone. Its spec goes too: `troupe why` still "
            "knows how "
            "it ended.",
    .examples = "troupe rm shop/pool/3\tone",
    .min_args = 1,
    .max_args = -1,
    .flags = NEEDS_NODE,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
