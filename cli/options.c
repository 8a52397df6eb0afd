#include "cli.h"

#include "text.h"

#include <stdio.h>
#include <string.h>

static const struct option output_options[] = {
    {'o', "output", "FORMAT", "table, wide, json, jsonl, paths, or a list of columns"},
    {0, "ascii", NULL, "draw with ASCII characters only"},
};
static const struct option node_option = {0, "node", "NAME", "the node that is meant"};
static const struct option help_option = {'h', "help", NULL, "show this verb's help"};

const struct option *option_at(const struct verb *verb, size_t i)
{
    size_t own = 0;

    while (own < OPTIONS_MAX && verb->options[own].name)
        own++;
    if (i < own)
        return &verb->options[i];
    i -= own;
    if (verb->flags & HAS_OUTPUT) {
        if (i < 2)
            return &output_options[i];
        i -= 2;
    }
    if (verb->flags & (NEEDS_NODE | PICKS_NODE)) {
        if (i < 1)
            return &node_option;
        i--;
    }
    return i == 0 ? &help_option : NULL;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    const struct option *option;

    for (size_t i = 0; (option = option_at(cli->verb, i)); i++)
        if (strcmp(option->name, name) == 0)
            return cli->values[i];
    return NULL;
}

/* ---- parsing ---------------------------------------------------------------------------- */

struct parser {
    struct cli *cli;
    int argc, at;
    char **argv;
};

static int refuse_option(const struct cli *cli, const char *given, const char *name)
{
    const char *names[OPTIONS_MAX * 2 + 1];
    const struct option *option;
    const char *nearest;
    size_t count = 0;

    for (; (option = option_at(cli->verb, count)); count++)
        names[count] = option->name;
    names[count] = NULL;
    nearest = text_nearest(name, names);
    if (nearest)
        return cli_fail(STATUS_USAGE, "%s: no option %s; did you mean --%s?", cli->verb->name,
                        given, nearest);
    return cli_fail(STATUS_USAGE, "%s: no option %s; `troupe help %s` lists them", cli->verb->name,
                    given, cli->verb->name);
}

/* Stores the option's value: what is attached to it, else the next argument. */
static int take(struct parser *parser, size_t index, const char *given, const char *attached)
{
    const struct option *option = option_at(parser->cli->verb, index);

    if (!option->value && attached)
        return cli_fail(STATUS_USAGE, "%s: %s takes no value", parser->cli->verb->name, given);
    if (option->value && !attached) {
        if (parser->at + 1 >= parser->argc)
            return cli_fail(STATUS_USAGE, "%s: %s: expected %s after it", parser->cli->verb->name,
                            given, option->value);
        attached = parser->argv[++parser->at];
    }
    parser->cli->values[index] = attached ? attached : "";
    return 0;
}

static int parse_long(struct parser *parser, char *given)
{
    char *value = strchr(given, '=');
    const struct option *option;

    if (value)
        *value++ = '\0';
    for (size_t i = 0; (option = option_at(parser->cli->verb, i)); i++)
        if (strcmp(option->name, given + 2) == 0)
            return take(parser, i, given, value);
    return refuse_option(parser->cli, given, given + 2);
}

/* -fn5 is -f -n 5. */
static int parse_letters(struct parser *parser, const char *given)
{
    char name[3] = "-?";

    for (const char *letter = given + 1; *letter; letter++) {
        const struct option *option = NULL;
        size_t i = 0;

        for (; (option = option_at(parser->cli->verb, i)); i++)
            if (option->letter == *letter)
                break;
        name[1] = *letter;
        if (!option)
            return refuse_option(parser->cli, name, name + 1);
        if (option->value)
            return take(parser, i, name, letter[1] ? letter + 1 : NULL);
        parser->cli->values[i] = "";
    }
    return 0;
}

int options_parse(struct cli *cli, int argc, char **argv)
{
    struct parser parser = {cli, argc, 1, argv};
    bool ended = false;
    int status;

    cli->args = cli_alloc((size_t)(argc + 1) * sizeof *cli->args);
    for (; parser.at < argc; parser.at++) {
        char *arg = argv[parser.at];

        if (ended || arg[0] != '-' || !arg[1]) {
            cli->args[cli->arg_count++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            ended = true;
            continue;
        }
        status = arg[1] == '-' ? parse_long(&parser, arg) : parse_letters(&parser, arg);
        if (status)
            return status;
    }
    return 0;
}
