#include "whereabouts.h"

#include "control.h"
#include "place.h"
#include "storage.h"

#include <stdio.h>
#include <string.h>

enum { ASK_MS = 1500 };

static bool may_be_shared(struct cli *cli, const char *path)
{
    const char *run_dir = cli->client.dir.path;

    return !place_is_elsewhere(path) &&
           (rundir_is_of_service(run_dir, path) || rundir_may_be_elsewhere(run_dir, path));
}

bool whereabouts_find(struct cli *cli, const char *path, char node[ADDR_PART_MAX + 1])
{
    char service[ADDR_PATH_MAX + 1];
    struct answer answer;

    *node = '\0';
    if (!may_be_shared(cli, path) || addr_parent(path, service, sizeof service) < 0)
        return false;
    cli_check_memory(client_call_values(
        &cli->client, "sys/store", CONTROL_PLACE_READ, "ss",
        (union wire_value[]){storage_text(service), storage_text(addr_name(path))}, ASK_MS,
        &answer));
    if (answer.kind == ANSWER_VALUES && strcmp(answer.format, "ssI") == 0)
        snprintf(node, ADDR_PART_MAX + 1, "%s", answer.values[0].bytes.at);
    answer_finish(&answer);
    return *node;
}
