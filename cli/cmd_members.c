#include "cli.h"

#include "mesh.h"
#include "place.h"
#include "records.h"

#include <inttypes.h>

static const char *const column_list[] = {"path", "incarnation", "times", NULL};

static const struct record_column shown[] = {
    {.name = "path", .header = "PATH", .shrinks_to = 16},
    {.name = "incarnation", .header = "INCARNATION", .is_right = true},
    {.name = "times", .header = "TIMES", .is_right = true},
    {0},
};

static void print(const struct output *out, const struct mesh_members *members)
{
    struct records records = {0};
    char place[ADDR_PATH_MAX + 1];

    for (size_t i = 0; i < members->count; i++) {
        const struct mesh_member *member = &members->at[i];
        struct facts *record = records_add(&records);
        int failed = place_make(member->addr.path, member->addr.node, place);

        failed |= facts_add(record, 's', "path", place);
        failed |= facts_addf(record, 'n', "incarnation", "%" PRIu64, member->addr.incarnation);
        failed |= facts_addf(record, 'n', "times", "%u", member->times);
        cli_check_memory(failed);
    }
    records_print(out, false, "members", shown, &records);
    records_finish(&records);
}

static int run(struct cli *cli)
{
    const char *which = cli_option(cli, "local") ? "local" : "all";
    struct mesh_members members;
    struct group_name group;
    int status = mesh_read_group(cli->args[0], &group);

    if (!status)
        status = mesh_find_members(cli, which, &group, &members);
    if (status)
        return status;
    print(&cli->out, &members);
    mesh_members_finish(&members);
    return STATUS_DONE;
}

const struct verb verb_members = {
    .name = "members",
    .synopsis = "GROUP",
    .line = "list the members of a process group",
    .text = "Of all nodes that this one has a session with: those of other nodes as PATH@NODE. "
            "TIMES says how often a member has joined. GROUP is a name, or SCOPE:NAME. A group "
            "without members is an empty list.",
    .examples = "troupe members pages\tall of them\n"
                "troupe members -o path --local rooms:42\tthe paths of those of this node",
    .options = {{0, "local", NULL, "of this node only"}},
    .min_args = 1,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .columns = column_list,
    .takes = TAKES_GROUP,
    .run = run,
};
