#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The reader of configs is troupe-supervisord: this program becomes it. */
static int run(struct cli *cli)
{
    char path[PATH_MAX];
    char **argv = cli_alloc(((size_t)cli->arg_count + 3) * sizeof *argv);
    int status;

    cli_supervisord_path(path, sizeof path);
    argv[0] = path;
    argv[1] = (char *)"--check";
    memcpy(argv + 2, cli->args, (size_t)cli->arg_count * sizeof *argv);
    execvp(path, argv);
    status = cli_fail(STATUS_NOT, "cannot run %s: %s", path, strerror(errno));
    free(argv);
    return status;
}

const struct verb verb_check = {
    .name = "check",
    .synopsis = "FILE...",
    .line = "validate config files and print their tree",
    .text = "Starts nothing and needs no node. All errors of a file come in one go, each with its "
            "file, "
            "line and column; the status is then 7.",
    .examples = "troupe check etc/demo.yaml\tone file\n"
                "troupe check shop.yaml billing.yaml\tfiles that are to run together",
    .min_args = 1,
    .max_args = -1,
    .flags = 0,
    .takes = TAKES_FILES,
    .run = run,
};
