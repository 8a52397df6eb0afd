#include "cli.h"

#include "control.h"
#include "mesh.h"

static int run(struct cli *cli)
{
    const struct words words = {1, cli->args};

    return mesh_order(cli, cli->args[0], CONTROL_CONNECT, &words);
}

const struct verb verb_connect = {
    .name = "connect",
    .synopsis = "URL",
    .line = "connect this node with another one",
    .text = "Returns when the node will be dialled: again and again, until it is there, and again "
            "when its session ends. `troupe nodes` says how far it is. It ends with 1 when this "
            "node has no cookie_file in its config.",
    .examples = "troupe connect tls+tcp://west.example.org:4730\tadd a node\n"
                "troupe connect tcp://127.0.0.1:4731\tanother one on this host",
    .min_args = 1,
    .max_args = 1,
    .flags = NEEDS_NODE,
    .takes = TAKES_NOTHING,
    .run = run,
};
