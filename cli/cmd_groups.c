#include "cli.h"

#include "control.h"
#include "mesh.h"
#include "records.h"

#include <string.h>

enum { WORDS_A_GROUP = 3 }; /* SCOPE GROUP MEMBERS */

static const char *const column_list[] = {"group", "scope", "members", NULL};

static const struct record_column shown[] = {
    {.name = "group", .header = "GROUP", .shrinks_to = 16},
    {.name = "scope", .header = "SCOPE"},
    {.name = "members", .header = "MEMBERS", .is_right = true},
    {0},
};

static void print(const struct output *out, const struct words *words)
{
    struct records records = {0};

    for (size_t i = 0; i + WORDS_A_GROUP <= words->count; i += WORDS_A_GROUP) {
        struct facts *record = records_add(&records);
        int failed = facts_add(record, 's', "group", words->at[i + 1]);

        failed |= facts_add(record, 's', "scope", words->at[i]);
        failed |= facts_add(record, 'n', "members", words->at[i + 2]);
        cli_check_memory(failed);
    }
    records_print(out, false, "groups", shown, &records);
    records_finish(&records);
}

static int run(struct cli *cli)
{
    char *at[] = {cli_option(cli, "local") ? "local" : "all", cli->arg_count ? cli->args[0] : NULL};
    const struct words request = {cli->arg_count ? 2 : 1, at};
    struct words answer;
    int status;

    if (cli->arg_count && !addr_is_part(cli->args[0], strlen(cli->args[0])))
        return cli_fail(STATUS_USAGE, "%s: expected a scope: 1 to 64 letters, digits, _ . -",
                        cli->args[0]);
    status = mesh_look(cli, "", CONTROL_GROUPS, &request, &answer);
    if (status)
        return status;
    print(&cli->out, &answer);
    words_finish(&answer);
    return STATUS_DONE;
}

const struct verb verb_groups = {
    .name = "groups",
    .synopsis = "[SCOPE]",
    .line = "list the process groups that have members",
    .text = "Of all nodes that this one has a session with, and how many members each has. Groups "
            "of a SCOPE only, when there is one; pg is the scope of those that were named without.",
    .examples = "troupe groups\tall\n"
                "troupe groups -o group --local pg\tthe names of those with members here",
    .options = {{0, "local", NULL, "count members of this node only"}},
    .min_args = 0,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .columns = column_list,
    .takes = TAKES_NOTHING,
    .run = run,
};
