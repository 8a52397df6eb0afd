#include "cli.h"

#include "control.h"
#include "place.h"
#include "target.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

enum { SPEC_MAX = 1 << 20 };

/* A child spec as text, with where it is from. */
struct source {
    char *text;
    char label[PATH_MAX];  /* stands for the file in messages */
    char folder[PATH_MAX]; /* relative paths start here */
};

/* Everything that the stream holds, to be freed; NULL with errno. */
static char *read_all(FILE *stream)
{
    char *text = cli_alloc(SPEC_MAX + 1);
    size_t length = fread(text, 1, SPEC_MAX, stream);

    if (!ferror(stream) && feof(stream))
        return text;
    errno = length == SPEC_MAX ? EFBIG : errno;
    free(text);
    return NULL;
}

static int read_stdin(struct source *source)
{
    source->text = read_all(stdin);
    snprintf(source->label, sizeof source->label, "standard input");
    if (!source->text || !getcwd(source->folder, sizeof source->folder))
        return cli_fail(STATUS_USAGE, "standard input: %s", strerror(errno));
    return 0;
}

static int read_file(const char *file, struct source *source)
{
    FILE *stream = fopen(file, "re");
    char *slash;

    if (stream) {
        source->text = read_all(stream);
        fclose(stream);
    }
    if (!source->text || !realpath(file, source->folder))
        return cli_fail(STATUS_USAGE, "%s: %s", file, strerror(errno));
    snprintf(source->label, sizeof source->label, "%s", file);
    slash = strrchr(source->folder, '/');
    slash[slash == source->folder] = '\0';
    return 0;
}

static int read_argument(const char *text, struct source *source)
{
    source->text = cli_strdup(text);
    snprintf(source->label, sizeof source->label, "command line");
    if (!getcwd(source->folder, sizeof source->folder))
        return cli_fail(STATUS_USAGE, "the present folder: %s", strerror(errno));
    return 0;
}

/* A child spec is a YAML map with a name; a template's arguments are plain words. */
static bool is_spec(const char *text)
{
    text += strspn(text, " \t\r\n");
    return *text == '{' || strncmp(text, "name:", 5) == 0 || strstr(text, "\nname:");
}

/* On another host our folder and our environment mean nothing, and the latter is nobody's business
 * there. */
static int make_spec(const struct source *source, const char *supervisor, struct words *words)
{
    bool is_elsewhere = place_is_elsewhere(supervisor);
    int failed = words_append(words, source->text);

    failed |= words_append(words, source->label);
    failed |= words_append(words, is_elsewhere ? "/" : source->folder);
    for (char **entry = environ; *entry && !is_elsewhere; entry++)
        failed |= words_append(words, *entry);
    return failed;
}

/* The path of the child, as a place. */
static void print_added(struct cli *cli, const char *supervisor, struct words *words)
{
    char place[ADDR_PATH_MAX + 1];

    for (size_t i = 0; i < words->count; i++) {
        if (place_make(words->at[i], place_node(supervisor), place) != 0)
            continue;
        free(words->at[i]);
        words->at[i] = cli_strdup(place);
    }
    output_words(&cli->out, "added", words);
}

static int ask(struct cli *cli, const char *supervisor, const char *verb, const struct words *words)
{
    char mailbox[MAILBOX_MAX];
    struct answer answer;
    int status = 0;

    client_supervisor(supervisor, mailbox);
    cli_check_memory(client_call(&cli->client, mailbox, verb, words, 0, &answer));
    if (answer.kind == ANSWER_WORDS)
        print_added(cli, supervisor, &answer.words);
    else
        status = target_answer_status(cli, place_text(supervisor), &answer);
    answer_finish(&answer);
    return status;
}

static int add_spec(struct cli *cli, const char *supervisor, const char *file)
{
    struct source source = {0};
    struct words words = {0};
    int status;

    if (file && cli->arg_count > 1)
        return cli_fail(STATUS_USAGE,
                        "add: a spec comes from -f or from the command line, not both");
    if (!file)
        status = read_argument(cli->args[1], &source);
    else
        status = strcmp(file, "-") == 0 ? read_stdin(&source) : read_file(file, &source);
    if (!status) {
        cli_check_memory(make_spec(&source, supervisor, &words));
        status = ask(cli, supervisor, CONTROL_ADD, &words);
    }
    words_finish(&words);
    free(source.text);
    return status;
}

static int add_of_template(struct cli *cli, const char *supervisor)
{
    const char *name = cli_option(cli, "name");
    struct words words = {0};
    int status;

    cli_check_memory(words_append(&words, name ? name : ""));
    for (int i = 1; i < cli->arg_count; i++)
        cli_check_memory(words_append(&words, cli->args[i]));
    status = ask(cli, supervisor, CONTROL_ADD_TEMPLATE, &words);
    words_finish(&words);
    return status;
}

static int run(struct cli *cli)
{
    const char *file = cli_option(cli, "file");
    struct addr addr;
    int status = target_parse(cli, cli->args[0], &addr, NULL);

    if (status)
        return status;
    if (file || (cli->arg_count == 2 && is_spec(cli->args[1]) && !cli_option(cli, "name")))
        return add_spec(cli, addr.path, file);
    return add_of_template(cli, addr.path);
}

const struct verb verb_add = {
    .name = "add",
    .synopsis = "SUPERVISOR [SPEC|ARG...]",
    .line = "add a child to a supervisor, and print its path",
    .text = "A SPEC is a child spec in YAML, as in a config file: a map that begins with a brace "
            "or its "
            "name. It may also come from a file or from standard input.\n"
            "A supervisor with a template takes ARGs instead: words that are appended to the "
            "template's "
            "command, or KEY=VALUE for a module. Without --name the child is given a number.\n"
            "In another node relative paths start at /, and variables are those of its own "
            "environment.\n"
            "Returns when the child is ready.",
    .examples = "troupe add shop '{name: job, exec: [sleep, 60]}'\ta spec\n"
                "troupe add shop -f job.yaml\tfrom a file\n"
                "troupe add shop/pool --name blue 8080\tby a template",
    .options = {{'f', "file", "FILE", "read the spec from FILE; - is standard input"},
                {0, "name", "NAME", "the name of a template's child"}},
    .min_args = 1,
    .max_args = -1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
