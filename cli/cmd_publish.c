#include "cli.h"

#include "errand.h"
#include "mesh.h"
#include "spread.h"

#include <stdlib.h>

static const char *node_of(void *data, size_t i)
{
    const struct mesh_members *members = data;

    return members->at[i].addr.node;
}

static size_t chance(size_t n)
{
    return (size_t)(((uint64_t)arc4random() * n) >> 32);
}

static int read_spread(struct cli *cli, enum spread *spread)
{
    static const char *const names[] = {
        [SPREAD_ONE] = "one", [SPREAD_ONE_PER_NODE] = "one-per-node", [SPREAD_NEAREST] = "nearest"};
    unsigned given = 0;

    *spread = SPREAD_ALL;
    for (enum spread s = SPREAD_ONE; s <= SPREAD_NEAREST; s++)
        if (cli_option(cli, names[s])) {
            *spread = s;
            given++;
        }
    if (given > 1)
        return cli_fail(STATUS_USAGE, "expected one of --one, --one-per-node and --nearest");
    return 0;
}

static int send_each(struct cli *cli, const struct mesh_members *members, const size_t chosen[],
                     size_t count)
{
    char text[ADDR_TEXT_MAX + 1];
    int worst = 0, status;

    for (size_t i = 0; i < count; i++) {
        addr_format(&members->at[chosen[i]].addr, text, sizeof text);
        status = errand_send(cli, text);
        worst = status > worst ? status : worst;
    }
    return worst;
}

static int run(struct cli *cli)
{
    struct mesh_members members;
    struct group_name group;
    enum spread spread;
    size_t *chosen, count;
    int status = read_spread(cli, &spread);

    if (!status)
        status = mesh_read_group(cli->args[0], &group);
    if (!status)
        status = mesh_find_members(cli, "all", &group, &members);
    if (status)
        return status;
    chosen = cli_alloc((members.count + 1) * sizeof *chosen);
    count = spread_choose(spread, members.count, node_of, &members, chance, chosen);
    if (count)
        status = send_each(cli, &members, chosen, count);
    else
        status = cli_fail(STATUS_NOPROC, "%s: nobody is in this group", cli->args[0]);
    free(chosen);
    mesh_members_finish(&members);
    return status;
}

const struct verb verb_publish = {
    .name = "publish",
    .synopsis = "GROUP MESSAGE [ARG...]",
    .line = "send a message to the members of a process group",
    .text =
        "To each member of all nodes once, however often it has joined, as `troupe send` does: the "
        "arguments are packed as that member describes its messages. The status is the worst; 3 "
        "when nobody is in the group.\n"
        "With --one to one by chance; with --one-per-node to one of each node; with --nearest to "
        "one of this node, or of any when there is none here.",
    .examples = "troupe publish pages flush\tto all\n"
                "troupe publish --one workers add 5\tto one of them",
    .options = {{0, "one", NULL, "to one of them, by chance"},
                {0, "one-per-node", NULL, "to one of each node"},
                {0, "nearest", NULL, "to one, of this node if there is any"},
                {0, "timeout", "DURATION", "give up after this long with each (5s)"}},
    .min_args = 2,
    .max_args = -1,
    .flags = NEEDS_NODE | OPTIONS_FIRST,
    .takes = TAKES_GROUP,
    .run = run,
};
