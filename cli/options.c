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

const char *cli_option_nth(const struct cli *cli, const char *name, size_t n)
{
    for (size_t i = 0; i < cli->given_count; i++)
        if (strcmp(option_at(cli->verb, cli->given[i].index)->name, name) == 0 && n-- == 0)
            return cli->given[i].value;
    return NULL;
}

const char *cli_option(const struct cli *cli, const char *name)
{
    const char *last = NULL, *value;

    for (size_t n = 0; (value = cli_option_nth(cli, name, n)); n++)
        last = value;
    return last;
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

static void give(struct cli *cli, size_t index, const char *value)
{
    cli->given[cli->given_count++] = (struct given){index, value};
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
    give(parser->cli, index, attached ? attached : "");
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
        give(parser->cli, i, "");
    }
    return 0;
}

/* As many as there are letters at most: -fn5 is two. */
static size_t most_options(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++)
        count += strlen(argv[i]);
    return count;
}

int options_parse(struct cli *cli, int argc, char **argv)
{
    struct parser parser = {cli, argc, 1, argv};
    bool ended = false;
    int status;

    cli->args = cli_alloc((size_t)(argc + 1) * sizeof *cli->args);
    cli->given = cli_alloc((most_options(argc, argv) + 1) * sizeof *cli->given);
    for (; parser.at < argc; parser.at++) {
        char *arg = argv[parser.at];

        if (ended || arg[0] != '-' || !arg[1]) {
            cli->args[cli->arg_count++] = arg;
            ended |= (cli->verb->flags & OPTIONS_FIRST) != 0;
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
