#include "cli.h"

#include "control.h"
#include "target.h"

static int run(struct cli *cli)
{
    return targets_order(cli, CONTROL_RESTART);
}

const struct verb verb_restart = {
    .name = "restart",
    .synopsis = "ADDRESS...",
    .line = "stop and start actors",
    .text = "Returns when each is ready again. A restart by order is not counted against its "
            "supervisor's intensity. With --one-by-one each is ready again before the next is "
            "stopped.",
    .examples = "troupe restart shop/web\tone, with everything below it\n"
                "troupe restart --one-by-one 'shop/farm.*'\ta rolling restart",
    .options = {{0, "one-by-one", NULL,
                 "the next only when the one before is done; ends at a failure"}},
    .min_args = 1,
    .max_args = -1,
    .flags = NEEDS_NODE,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
