#include "cli.h"

#include "control.h"
#include "target.h"

static int run(struct cli *cli)
{
    return targets_order(cli, CONTROL_REMOVE);
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
