#include "cli.h"

#include "columns.h"
#include "control.h"
#include "place.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RIGHTS_MS = 6000 };

int cli_fail(int status, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("troupe: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return status;
}

int cli_usage(const struct verb *verb)
{
    fprintf(stderr, "usage: troupe %s%s%s%s\n", verb->name,
            verb->options[0].name ? " [options]" : "", *verb->synopsis ? " " : "", verb->synopsis);
    fprintf(stderr, "`troupe help %s` says more\n", verb->name);
    return STATUS_USAGE;
}

static struct rlimit given_limit; /* of descriptors, as this program was started with */

/* What is at the other end of the sockets has many descriptors; so may we. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &given_limit) != 0)
        return;
    limit = given_limit;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void cli_restore_limits(void)
{
    if (given_limit.rlim_max)
        setrlimit(RLIMIT_NOFILE, &given_limit);
}

int cli_find_node(struct cli *cli, struct error *err)
{
    if (rundir_find(cli_option(cli, "node"), &cli->client.dir, err) != 0)
        return err->code == ENOENT ? STATUS_NO_NODE : STATUS_USAGE;
    if (rundir_is_alive(&cli->client.dir))
        return 0;
    error_set(err, ENOENT, "no node is running in %s", cli->client.dir.path);
    return STATUS_NO_NODE;
}

int cli_open_node(struct cli *cli)
{
    struct error err;
    int status = cli_find_node(cli, &err);

    return status ? cli_fail(status, "%s", err.text) : 0;
}

void cli_supervisord_path(char *out, size_t size)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash;

    snprintf(out, size, "troupe-supervisord");
    if (length <= 0)
        return;
    self[length] = '\0';
    slash = strrchr(self, '/');
    slash[1] = '\0';
    snprintf(out, size, "%stroupe-supervisord", self);
    if (access(out, X_OK) != 0)
        snprintf(out, size, "troupe-supervisord");
}

/* The exit status of an error's head (lib/control.h). */
static int status_of_head(const char *head)
{
    static const struct {
        const char *head;
        int status;
    } heads[] = {
        {"noproc", STATUS_NOPROC},     {"denied", STATUS_DENIED},
        {"config", STATUS_CONFIG},     {"refused", STATUS_NOT},
        {"stopping", STATUS_NOT},      {"starting", STATUS_NOT},
        {"failed", STATUS_NOT},        {"unknown_request", STATUS_USAGE},
        {"bad_request", STATUS_USAGE}, {"noconnection", STATUS_NO_NODE},
    };

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        if (strcmp(head, heads[i].head) == 0)
            return heads[i].status;
    return STATUS_ACTOR;
}

/* Its length without the newlines at its end. */
static size_t length_of_lines(const char *text)
{
    size_t n = strlen(text);

    while (n && text[n - 1] == '\n')
        n--;
    return n;
}

/* Most texts begin with the path already, as its own node calls it. */
static int say_text(int status, const char *what, const char *text)
{
    char path[ADDR_PATH_MAX + 1];
    size_t length;

    place_path(what, path);
    length = strlen(path);
    if (length && strncmp(text, path, length) == 0)
        return cli_fail(status, "%s%s", what, text + length);
    return cli_fail(status, "%s: %s", what, text);
}

int cli_cut_off(const char *place)
{
    return cli_fail(STATUS_NO_NODE, "%s: no session to %s", place, place_node(place));
}

static int say_error(const char *what, const struct answer *answer)
{
    int status = status_of_head(answer->head);

    if (client_is_cut_off(answer->head) && place_is_elsewhere(what))
        return cli_cut_off(what);
    if (status == STATUS_CONFIG) { /* many lines, each with its place */
        fflush(stdout);
        fprintf(stderr, "%.*s\n", (int)length_of_lines(answer->text), answer->text);
        return status;
    }
    return say_text(status, what, *answer->text ? answer->text : answer->head);
}

static int say_closed(struct cli *cli, const char *what, const struct answer *answer)
{
    if (strcmp(answer->text, strerror(EACCES)) == 0 || strcmp(answer->text, strerror(EPERM)) == 0)
        return cli_fail(STATUS_DENIED, "%s: %s", what, answer->text);
    if (!rundir_is_alive(&cli->client.dir))
        return cli_fail(STATUS_NO_NODE, "%s: the node in %s has ended", what, cli->client.dir.path);
    if (client_is_cut_off(answer->text) && place_is_elsewhere(what))
        return cli_cut_off(what);
    if (strncmp(answer->text, CONTROL_E_DENIED, strlen(CONTROL_E_DENIED)) == 0)
        return cli_fail(STATUS_DENIED, "%s: %s", what, answer->text);
    if (strcmp(answer->text, "noproc") == 0)
        return cli_fail(STATUS_NOPROC, "%s: its supervisor is not there", what);
    if (strcmp(answer->text, "timeout") == 0)
        return cli_fail(STATUS_TIMEOUT, "%s: its supervisor does not answer", what);
    return cli_fail(STATUS_NOT, "%s: its supervisor went away before it answered: %s", what,
                    answer->text);
}

int cli_answer_status(struct cli *cli, const char *what, const struct answer *answer)
{
    if (answer->kind == ANSWER_ERROR)
        return say_error(what, answer);
    if (answer->kind == ANSWER_CLOSED)
        return say_closed(cli, what, answer);
    if (answer->kind == ANSWER_NONE)
        return cli_fail(STATUS_TIMEOUT, "%s: its supervisor does not answer", what);
    return cli_fail(STATUS_NOT, "%s: an answer of another shape than expected", what);
}

int cli_check_rights(struct cli *cli)
{
    struct answer answer;
    struct stat st;
    int status = 0;

    if (geteuid() == 0 || stat(cli->client.dir.path, &st) != 0 || st.st_uid == geteuid())
        return 0;
    cli_check_memory(
        client_call(&cli->client, RUNDIR_SUPERVISOR, CONTROL_PS_BRIEF, NULL, RIGHTS_MS, &answer));
    if (answer.kind == ANSWER_CLOSED && rundir_is_alive(&cli->client.dir))
        status = cli_fail(STATUS_DENIED, "%s: not allowed to uid %u", cli->client.dir.path,
                          (unsigned)geteuid());
    else if (answer.kind != ANSWER_ROWS)
        status = cli_answer_status(cli, cli->client.dir.path, &answer);
    answer_finish(&answer);
    return status;
}

static int run(struct cli *cli)
{
    struct error err;
    int status;

    if (output_init(&cli->out, cli_option(cli, "output"), cli_option(cli, "ascii") != NULL,
                    cli->verb->flags & HAS_COLUMNS ? column_names() : cli->verb->columns,
                    &err) != 0)
        return cli_fail(STATUS_USAGE, "%s", err.text);
    if (client_init(&cli->client) != 0)
        return cli_fail(STATUS_NOT, "cannot make an event loop: %s", strerror(errno));
    if (cli->verb->flags & NEEDS_NODE) {
        status = cli_open_node(cli);
        if (!status)
            status = cli_check_rights(cli);
        if (status)
            return status;
    }
    return cli->verb->run(cli);
}

static int unknown_verb(const char *name)
{
    const char *nearest = verb_nearest(name);

    if (nearest)
        return cli_fail(STATUS_USAGE, "no verb \"%s\"; did you mean %s?", name, nearest);
    return cli_fail(STATUS_USAGE, "no verb \"%s\"; `troupe help` lists them", name);
}

static const char *verb_name(char **argv)
{
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return "help";
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
        return "version";
    return argv[1];
}

static int dispatch(struct cli *cli, int argc, char **argv)
{
    int status;

    cli->verb = verb_find(verb_name(argv));
    if (!cli->verb)
        return unknown_verb(argv[1]);
    status = options_parse(cli, argc - 1, argv + 1);
    if (status)
        return status;
    if (cli_option(cli, "help")) {
        struct buf text = {0};

        help_verb(cli->verb, &text);
        output_write(&text);
        buf_finish(&text);
        return STATUS_DONE;
    }
    if (cli->arg_count < cli->verb->min_args ||
        (cli->verb->max_args >= 0 && cli->arg_count > cli->verb->max_args))
        return cli_usage(cli->verb);
    return run(cli);
}

/* Whoever started us may have ignored SIGCHLD, which takes the ends of our own children from us, or
 * blocked what is to interrupt us. What else it ignores (nohup) stays so. */
static void set_signals(void)
{
    sigset_t none;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct buf text = {0};
    int status;

    set_signals();
    raise_descriptor_limit();
    if (argc < 2) {
        help_overview(&text);
        fwrite(buf_front(&text), 1, buf_length(&text), stderr);
        buf_finish(&text);
        return STATUS_USAGE;
    }
    status = dispatch(&cli, argc, argv);
    if (output_flush() != 0)
        status = cli_fail(STATUS_NOT, "cannot write: %s", strerror(errno));
    output_finish(&cli.out);
    client_finish(&cli.client);
    free(cli.args);
    free(cli.given);
    return status;
}
