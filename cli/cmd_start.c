#include "cli.h"

#include "control.h"
#include "target.h"

static int run(struct cli *cli)
{
    return targets_order(cli, CONTROL_START);
}

const struct verb verb_start = {
    .name = "start",
    .synopsis = "ADDRESS...",
    .line = "start what is stopped, exited or failed",
    .text =
        "Returns when each is ready. Several are started at the same time, unless --one-by-one.",
    .examples = "troupe start shop/db\tone\n"
                "troupe start --one-by-one 'shop/farm.*'\tone after the other, each ready first",
    .options = {{0, "one-by-one", NULL,
                 "the next only when the one before is done; ends at a failure"}},
    .min_args = 1,
    .max_args = -1,
    .flags = NEEDS_NODE,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
