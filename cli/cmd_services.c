#include "cli.h"

#include "control.h"
#include "records.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ASK_MS = 1000, ASK_WINDOW = 64 };

static const char *const column_list[] = {
    "service",  "module",  "instances",  "max",  "rate",      "activations", "idle_stops",
    "failures", "refused", "overloaded", "idle", "placement", NULL};

static const struct record_column shown[] = {
    {.name = "service", .header = "SERVICE", .shrinks_to = 16},
    {.name = "module", .header = "MODULE", .is_wide = true},
    {.name = "instances", .header = "INSTANCES", .is_right = true},
    {.name = "max", .header = "MAX", .is_right = true},
    {.name = "rate", .header = "RATE", .is_right = true, .unit = "/s"},
    {.name = "activations", .header = "ACTIVATIONS", .is_right = true},
    {.name = "idle_stops", .header = "IDLE-STOPS", .is_right = true},
    {.name = "failures", .header = "FAILURES", .is_right = true},
    {.name = "refused", .header = "REFUSED", .is_right = true},
    {.name = "overloaded", .header = "OVERLOADED", .is_right = true, .is_wide = true},
    {.name = "idle", .header = "IDLE", .is_right = true, .is_wide = true},
    {.name = "placement", .header = "PLACEMENT"},
    {0},
};

/* The services of this node, as their marks in the run directory say. */
struct survey {
    struct ask *asks;
    size_t count;
};

static void add(struct survey *survey, const char *path)
{
    survey->asks = realloc(survey->asks, (survey->count + 1) * sizeof *survey->asks);
    cli_check_memory(!survey->asks);
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): it was looked at */
    survey->asks[survey->count] = (struct ask){.verb = CONTROL_SERVICE};
    client_supervisor(path, survey->asks[survey->count++].mailbox);
}

/* Takes fd over. A service has no supervisors below it that others ask. */
static void walk(struct survey *survey, int fd, const char *path)
{
    char below[ADDR_PATH_MAX + 1];
    struct dirent *entry;
    DIR *dir;
    int child;

    if (faccessat(fd, RUNDIR_SERVICE, F_OK, 0) == 0) {
        add(survey, path);
        close(fd);
        return;
    }
    dir = fdopendir(fd);
    while (dir && (entry = readdir(dir))) {
        if (!addr_is_part(entry->d_name, strlen(entry->d_name)) ||
            (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
            addr_join(path, entry->d_name, below, sizeof below) != 0)
            continue;
        child = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            walk(survey, child, below);
    }
    if (dir)
        closedir(dir);
    else
        close(fd);
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct ask *)a)->mailbox, ((const struct ask *)b)->mailbox);
}

static void print(const struct cli *cli, const struct survey *survey)
{
    struct records records = {0};

    for (size_t i = 0; i < survey->count; i++) {
        const struct facts *facts = &survey->asks[i].answer.facts;
        struct facts *record;

        if (survey->asks[i].answer.kind != ANSWER_FACTS)
            continue;
        record = records_add(&records);
        for (size_t f = 0; f < facts->count; f++)
            cli_check_memory(
                facts_add(record, facts->at[f].type, facts->at[f].key, facts->at[f].value));
    }
    records_print(&cli->out, cli_option(cli, "wide") != NULL, "services", shown, &records);
    records_finish(&records);
}

/* A service whose supervisor is silent is named, and the status says that something is missing. */
static int complain(struct cli *cli, const struct survey *survey)
{
    int status = STATUS_DONE;

    for (size_t i = 0; i < survey->count; i++)
        if (survey->asks[i].answer.kind != ANSWER_FACTS)
            status = cli_fail(STATUS_NOT, "%.*s: its supervisor does not answer",
                              (int)(strlen(survey->asks[i].mailbox) - sizeof RUNDIR_SUPERVISOR),
                              survey->asks[i].mailbox);
    (void)cli;
    return status;
}

static int run(struct cli *cli)
{
    struct survey survey = {0};
    int fd = open(cli->client.dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;

    if (fd >= 0)
        walk(&survey, fd, "");
    if (survey.count) {
        qsort(survey.asks, survey.count, sizeof *survey.asks, compare);
        cli_check_memory(
            client_gather(&cli->client, survey.asks, survey.count, ASK_WINDOW, ASK_MS));
    }
    print(cli, &survey);
    status = complain(cli, &survey);
    for (size_t i = 0; i < survey.count; i++)
        answer_finish(&survey.asks[i].answer);
    free(survey.asks);
    return status;
}

const struct verb verb_services = {
    .name = "services",
    .synopsis = "",
    .line = "list the services, and how many actors they have",
    .text =
        "Of each service of this node: the actors that live now and how many may, activations "
        "per second (of the last nine) and since its supervisor began, actors that stopped "
        "because nobody sent them anything, failures, and how often an actor was refused "
        "because it had failed too often. Activations that were refused because there are as many "
        "as may be are told with -w.",
    .examples = "troupe services\tall\n"
                "troupe services -o service,instances\ttwo columns",
    .options = {{'w', "wide", NULL, "all columns"}},
    .min_args = 0,
    .max_args = 0,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .columns = column_list,
    .takes = TAKES_NOTHING,
    .run = run,
};
