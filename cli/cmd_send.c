#include "cli.h"

#include "errand.h"

static int run(struct cli *cli)
{
    return errand_run(cli, NULL, NULL);
}

const struct verb verb_send = {
    .name = "send",
    .synopsis = "ADDRESS MESSAGE [ARG...]",
    .line = "send an actor a message, without an answer",
    .text =
        "The arguments are checked and packed as `troupe call` does. Returns when the actor has "
        "begun to listen and everything is written; whether it is handled nobody knows.\n"
        "To a quoted pattern it goes to each actor that matches, one after the other; the status "
        "is "
        "the worst.\n"
        "With --raw standard input is the whole body, or MESSAGE's only argument.",
    .examples = "troupe send shop/echo say hello\tone text\n"
                "troupe send 'shop/farm.*' flush\tto each\n"
                "printf 'say\\thello' | troupe send --raw shop/echo\ta raw line",
    .options = {{0, "timeout", "DURATION", "give up after this long (5s)"},
                {0, "raw", NULL, "take the body, or MESSAGE's argument, from standard input"}},
    .min_args = 1,
    .max_args = -1,
    .flags = PICKS_NODE | OPTIONS_FIRST,
    .takes = TAKES_MESSAGE,
    .run = run,
};
