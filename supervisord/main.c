#include "config.h"
#include "module_exec.h"
#include "root.h"
#include "rundir.h"
#include "title.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { OPT_CHECK = 256, OPT_KEYS, OPT_SAMPLE, OPT_MANUAL, OPT_PRINT_NODE, OPT_NODE, OPT_READY,
       OPT_FOREGROUND, OPT_MODULE, OPT_VERSION, OPT_HELP };

static const struct option options[] = {
    {"check", no_argument, NULL, OPT_CHECK},
    {"print-keys", no_argument, NULL, OPT_KEYS},
    {"print-sample", no_argument, NULL, OPT_SAMPLE},
    {"print-manual", no_argument, NULL, OPT_MANUAL},
    {"print-node", no_argument, NULL, OPT_PRINT_NODE},
    {"node", required_argument, NULL, OPT_NODE},
    {"ready-fd", required_argument, NULL, OPT_READY},
    {"foreground", no_argument, NULL, OPT_FOREGROUND},
    {"module", no_argument, NULL, OPT_MODULE},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {0},
};

static const char usage[] =
    "usage: troupe-supervisord [--node NAME] [--foreground] [--ready-fd N] [FILE...]\n"
    "       troupe-supervisord --check FILE...\n"
    "       troupe-supervisord --print-keys | --print-sample | --print-manual\n"
    "       troupe-supervisord --print-node FILE...\n";

static int print(int (*write_to)(struct buf *out))
{
    struct buf out = {0};
    int result = write_to(&out);

    if (result == 0)
        fwrite(buf_front(&out), 1, buf_length(&out), stdout);
    buf_finish(&out);
    return result ? ROOT_FAILED : ROOT_DONE;
}

static int print_tree(const struct spec_tree *tree)
{
    struct buf out = {0};

    config_print_tree(tree, &out);
    fwrite(buf_front(&out), 1, buf_length(&out), stdout);
    buf_finish(&out);
    return ROOT_DONE;
}

static int print_node(const struct spec_tree *tree)
{
    struct rundir dir;
    struct error err;

    if (rundir_resolve(NULL, tree->node.name, &dir, &err) < 0) {
        fprintf(stderr, "troupe-supervisord: %s\n", err.text);
        return ROOT_FAILED;
    }
    printf("%s\n", dir.node);
    for (size_t i = 0; i < tree->application_count; i++)
        printf("application %s\n", tree->applications[i].root.name);
    return ROOT_DONE;
}

/* Reads the files, shows what is wrong with them, and hands them on. Who asks for the node means to
 * add them to it, if it runs; which applications it has, only the node can tell. */
static int with_files(char **files, int count, int (*use)(const struct spec_tree *))
{
    const struct config_context context = {.environment = environ, .partial = use == print_node};
    struct spec_tree tree = {0};
    struct buf messages = {0};
    int result, status = ROOT_CONFIG;

    if (!count) {
        fputs(usage, stderr);
        return ROOT_USAGE;
    }
    result = config_read(files, (size_t)count, &context, NULL, &tree, &messages);
    if (buf_length(&messages))
        fwrite(buf_front(&messages), 1, buf_length(&messages), stderr);
    buf_finish(&messages);
    if (result == 0) {
        status = use(&tree);
        spec_tree_finish(&tree);
    }
    return status;
}

int main(int argc, char **argv)
{
    struct root_options root = {.ready_fd = -1};
    int option;

    title_init(argc, argv);
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1)
        switch (option) {
        case OPT_CHECK:
            return with_files(argv + optind, argc - optind, print_tree);
        case OPT_PRINT_NODE:
            return with_files(argv + optind, argc - optind, print_node);
        case OPT_KEYS:
            return print(config_print_keys);
        case OPT_SAMPLE:
            return print(config_print_sample);
        case OPT_MANUAL:
            return print(config_print_manual);
        case OPT_NODE:
            root.node = optarg;
            break;
        case OPT_READY:
            root.ready_fd = atoi(optarg);
            break;
        case OPT_FOREGROUND:
            root.foreground = true;
            break;
        case OPT_MODULE:
            return module_exec_main(argc - optind, argv + optind);
        case OPT_VERSION:
            puts("troupe-supervisord " TROUPE_VERSION);
            return ROOT_DONE;
        case OPT_HELP:
            fputs(usage, stdout);
            return ROOT_DONE;
        default:
            fputs(usage, stderr);
            return ROOT_USAGE;
        }
    root.files = argv + optind;
    root.file_count = (size_t)(argc - optind);
    return root_run(&root);
}
