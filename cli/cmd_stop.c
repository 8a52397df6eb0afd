#include "cli.h"

#include "control.h"
#include "target.h"

static int run(struct cli *cli)
{
    return targets_order(cli, CONTROL_STOP);
}

const struct verb verb_stop = {
    .name = "stop",
    .synopsis = "ADDRESS...",
    .line = "stop actors, and keep them stopped",
    .text = "Returns when every process of each is gone. What a person has stopped stays stopped, "
            "whatever its restart type is, until it is started again.",
    .examples = "troupe stop shop/db\tone\n"
                "troupe stop 'shop/farm.*'\tall that the pattern matches, at the same time",
    .options = {{0, "one-by-one", NULL,
                 "the next only when the one before is done; ends at a failure"}},
    .min_args = 1,
    .max_args = -1,
    .flags = NEEDS_NODE,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
