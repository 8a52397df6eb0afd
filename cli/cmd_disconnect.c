#include "cli.h"

#include "control.h"
#include "mesh.h"

static int run(struct cli *cli)
{
    char *name = cli->args[0] + (cli->args[0][0] == '@');
    const struct words words = {1, &name};

    return mesh_order(cli, cli->args[0], CONTROL_DISCONNECT, &words);
}

const struct verb verb_disconnect = {
    .name = "disconnect",
    .synopsis = "NODE",
    .line = "end the session with another node",
    .text = "It is not dialled any more, and refused when it dials, until `troupe connect` names "
            "its URL. What was watched or linked across the session ends with noconnection.",
    .examples = "troupe disconnect west\tuntil further notice",
    .min_args = 1,
    .max_args = 1,
    .flags = NEEDS_NODE,
    .takes = TAKES_NODES,
    .run = run,
};
