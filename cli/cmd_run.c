#include "cli.h"

#include "attachment.h"
#include "command.h"
#include "control.h"
#include "group_name.h"
#include "mesh.h"
#include "newborn.h"
#include "reason.h"
#include "target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATUS_NOT_EXECUTED = 126, STATUS_NOT_FOUND = 127 };

struct link {
    char mode[16]; /* as the line has it: "PEER" */
    char path[ADDR_PATH_MAX + 1];
};

struct running {
    struct cli *cli;
    char path[ADDR_PATH_MAX + 1]; /* --name; "" when the root is to choose */
    struct link *links;
    size_t link_count, links_made;
    struct group_name *groups;
    size_t group_count, groups_joined;
    struct attachment *attachment;
    struct addr self; /* what it was attached as */
    char node[ADDR_PART_MAX + 1];
    struct command command;
    bool is_started, is_over;
    char end[REASON_MAX]; /* what ends it is not the command's own: this is its reason */
    int status;
};

static void end(struct running *running, int status)
{
    running->is_over = true;
    running->status = status;
    ev_break(running->cli->client.loop, EVBREAK_ONE);
}

/* The command could not be started: that is nobody's end, also not of those it is linked to by now.
 */
static void withdraw(struct running *running, int status)
{
    attachment_say(running->attachment, CTL_EXIT, "normal");
    end(running, status);
}

/* ---- the command ------------------------------------------------------------------------- */

/* In the child: it is the actor, and nothing of one that we may have been started by. */
static void set_environment(void *data)
{
    const struct running *running = data;
    char incarnation[24];

    newborn_forget_environment();
    unsetenv("TROUPE_MAILBOX");
    unsetenv("TROUPE_REPLICA");
    snprintf(incarnation, sizeof incarnation, "%llu",
             (unsigned long long)running->self.incarnation);
    setenv("TROUPE_PATH", running->self.path, 1);
    setenv("TROUPE_NODE", running->node, 1);
    setenv("TROUPE_INCARNATION", incarnation, 1);
    setenv("TROUPE_RUN", running->cli->client.dir.path, 1);
    cli_restore_limits();
}

static void on_command_end(struct command *command)
{
    struct running *running = container_of(command, struct running, command);
    char reason[REASON_MAX];

    reason_of_status(command->wait_status, command->is_stopping, SIGTERM, command->is_killed,
                     reason);
    if (*running->end)
        snprintf(reason, sizeof reason, "%s", running->end);
    attachment_say(running->attachment, CTL_EXIT, "%s", reason);
    end(running, *running->end ? STATUS_ACTOR : command_exit_status(command));
}

/* The end of others, which is ours as well. */
static void end_with(struct running *running, const char *reason)
{
    if (*running->end || running->command.is_stopping)
        return;
    snprintf(running->end, sizeof running->end, "%s", reason);
    cli_fail(STATUS_ACTOR, "%s: %s: stopping %s", running->self.path, reason,
             running->cli->args[0]);
    if (running->is_started)
        command_stop(&running->command);
}

static void start(struct running *running)
{
    char **argv = running->cli->args;

    if (command_start(&running->command, running->cli->client.loop, argv, set_environment, running,
                      on_command_end) == 0) {
        running->is_started = true;
        attachment_say(running->attachment, CTL_READY, "%s", "");
        return;
    }
    running->command.pid = 0;
    withdraw(running, cli_fail(errno == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTED, "%s: %s",
                               argv[0], strerror(errno)));
}

/* ---- what the supervisor says ------------------------------------------------------------ */

static void start_if_settled(struct running *running)
{
    if (running->links_made == running->link_count &&
        running->groups_joined == running->group_count)
        start(running);
}

static void ask_for_links(struct running *running)
{
    for (size_t i = 0; i < running->link_count; i++)
        attachment_say(running->attachment, CTL_LINK, "%s %s", running->links[i].mode,
                       running->links[i].path);
    for (size_t i = 0; i < running->group_count; i++)
        attachment_say(running->attachment, CTL_JOIN, "%s %s", running->groups[i].scope,
                       running->groups[i].group);
    start_if_settled(running);
}

static void on_attached(void *data, const char *address)
{
    struct running *running = data;
    const char *why;

    if (addr_parse(address, &running->self, &why) != 0)
        snprintf(running->self.path, sizeof running->self.path, "%s", running->path);
    ask_for_links(running);
}

static void on_linked(struct running *running)
{
    running->links_made++;
    start_if_settled(running);
}

static void on_joined(struct running *running)
{
    running->groups_joined++;
    start_if_settled(running);
}

/* rest: SCOPE GROUP REASON */
static void on_not_joined(struct running *running, char *rest)
{
    const char *scope = ctl_word(&rest), *group = ctl_word(&rest);

    if (!scope || !group || running->is_started || running->is_over)
        return;
    withdraw(running, cli_fail(STATUS_NOT, "%s:%s: not joined: %s", scope, group, rest));
}

/* rest: REF ADDRESS REASON. Only a link that could not be made has the number 0, and nothing else
 * was asked. */
static void on_link_refused(struct running *running, char *rest)
{
    const char *ref = ctl_word(&rest), *path = ctl_word(&rest);
    struct answer answer = {.kind = ANSWER_ERROR};

    if (!ref || !path || running->is_started || running->is_over)
        return;
    answer.text = rest;
    snprintf(answer.head, sizeof answer.head, "%.*s", (int)strcspn(rest, " "), rest);
    withdraw(running, target_answer_status(running->cli, path, &answer));
}

/* rest: ADDRESS#N REASON */
static void on_exit_line(struct running *running, char *rest)
{
    const char *who = ctl_word(&rest);
    char reason[REASON_MAX];

    reason_cascade(who ? who : "?", rest, reason);
    end_with(running, reason);
}

static void on_stop(struct running *running)
{
    if (running->is_started) {
        command_stop(&running->command);
        return;
    }
    attachment_say(running->attachment, CTL_EXIT, "shutdown");
    end(running, cli_fail(STATUS_NOT, "%s: stopped before it was started", running->self.path));
}

static void on_line(void *data, struct ctl_line *line)
{
    struct running *running = data;

    if (line->verb == CTL_STOP)
        on_stop(running);
    else if (line->verb == CTL_EXIT)
        on_exit_line(running, line->rest);
    else if (line->verb == CTL_LINKED)
        on_linked(running);
    else if (line->verb == CTL_DOWN)
        on_link_refused(running, line->rest);
    else if (line->verb == CTL_JOINED)
        on_joined(running);
    else if (line->verb == CTL_NOT_JOINED)
        on_not_joined(running, line->rest);
    else if (line->verb == CTL_PING)
        attachment_say(running->attachment, CTL_HEARTBEAT, "%s", "");
}

/* Without its supervisor nobody hears of its end, nor it of others': who is linked ends. */
static void on_lost(void *data, const struct answer *answer)
{
    struct running *running = data;
    const char *path = *running->path ? running->path : ".";

    if (!running->is_started)
        end(running, cli_answer_status(running->cli, path, answer));
    else if (running->link_count)
        end_with(running, "noconnection");
    else
        cli_fail(STATUS_NOT, "%s: no longer attached: its supervisor has gone", running->self.path);
}

/* ---- the command line -------------------------------------------------------------------- */

static int read_link(struct running *running, const char *text, struct link *link)
{
    static const char *const modes[] = {"monitor", "notify", "peer"};
    const char *colon = strchr(text, ':');
    struct addr addr;
    int status;

    for (size_t i = 0; colon && i < sizeof modes / sizeof modes[0]; i++) {
        size_t length = strlen(modes[i]);

        if ((size_t)(colon - text) != length || strncasecmp(text, modes[i], length) != 0)
            continue;
        for (size_t k = 0; k <= length; k++)
            link->mode[k] = (char)(modes[i][k] ? modes[i][k] - 'a' + 'A' : '\0');
        status = target_parse(running->cli, colon + 1, &addr, NULL);
        if (!status)
            addr_format(&addr, link->path, sizeof link->path);
        return status;
    }
    return cli_fail(STATUS_USAGE,
                    "--link %s: expected MONITOR:ADDRESS, NOTIFY:ADDRESS or PEER:ADDRESS", text);
}

static int read_links(struct running *running)
{
    const char *text;
    int status = 0;

    running->links = cli_alloc(running->cli->given_count * sizeof *running->links);
    while (!status && (text = cli_option_nth(running->cli, "link", running->link_count)))
        status = read_link(running, text, &running->links[running->link_count++]);
    return status;
}

static int read_groups(struct running *running)
{
    const char *text;
    int status = 0;

    running->groups = cli_alloc(running->cli->given_count * sizeof *running->groups);
    while (!status && (text = cli_option_nth(running->cli, "join", running->group_count)))
        status = mesh_read_group(text, &running->groups[running->group_count++]);
    return status;
}

static int read_name(struct running *running)
{
    const char *text = cli_option(running->cli, "name");
    struct addr addr;
    int status;

    if (!text)
        return 0;
    status = target_parse_here(running->cli, text, &addr);
    if (!status && (!*addr.path || addr.incarnation))
        return cli_fail(STATUS_USAGE, "--name %s: expected a path such as shop/job", text);
    if (!status)
        snprintf(running->path, sizeof running->path, "%s", addr.path);
    return status;
}

static void follow(struct running *running)
{
    static const struct attachment_handlers handlers = {on_attached, on_line, on_lost};
    struct client *client = &running->cli->client;

    running->attachment = attachment_create(client, running->path, &handlers, running);
    if (!running->attachment) {
        running->status = cli_fail(STATUS_NOT, "cannot attach: %s", strerror(errno));
        return;
    }
    while (!running->is_over)
        ev_run(client->loop, 0);
    command_finish(&running->command);
    attachment_destroy(running->attachment);
}

static int run(struct cli *cli)
{
    struct running running = {.cli = cli};

    running.status = read_name(&running);
    if (!running.status)
        running.status = read_links(&running);
    if (!running.status)
        running.status = read_groups(&running);
    if (!running.status)
        running.status = mesh_own_node(cli, running.node);
    if (!running.status)
        follow(&running);
    free(running.links);
    free(running.groups);
    return running.status;
}

const struct verb verb_run = {
    .name = "run",
    .synopsis = "COMMAND [ARG...]",
    .line = "run a command as an actor of the node",
    .text =
        "The command is attached to the tree while it runs, as run/PID or under the name that is "
        "given: ps, status and why know it, others may link to it and watch it, `troupe stop` asks "
        "it to end. It is never restarted. It finds its path, its node and the run directory in "
        "TROUPE_PATH, TROUPE_NODE and TROUPE_RUN.\n"
        "A link joins it to another actor, before it is started: MONITOR ends the command when "
        "that actor ends abnormally, NOTIFY ends that actor when the command does, PEER both. The "
        "command is not started when a link is refused, as when there is no such actor (3); what "
        "is "
        "not started ends nobody.\n"
        "With --join it is a member of a process group while it runs, before it is started: "
        "`troupe members` knows it on every node.\n"
        "Signals go on to the command's process group. What ends it sends SIGTERM to that group "
        "and "
        "to what has left it, as daemons do, and SIGKILL after 5 seconds; so is stopped what the "
        "command leaves behind when it ends by itself, before its end is told. The status is the "
        "command's own, or 128 and the signal that "
        "killed it; 8 when a link ended it, with the reason on standard error; 127 and 126 when it "
        "is not found, or cannot be executed.",
    .examples = "troupe run --link PEER:shop/db -- ./job\tends with the database, and it with the "
                "job\n"
                "troupe run --name shop/batch -- make\tas shop/batch\n"
                "troupe run --join workers -- ./job\tas a member of workers",
    .options = {{0, "link", "MODE:ADDRESS", "link it to an actor; may be given several times"},
                {0, "join", "GROUP", "make it a member of a group; may be given several times"},
                {0, "name", "PATH", "its path: that of a supervisor, and one part more"}},
    .min_args = 1,
    .max_args = -1,
    .flags = NEEDS_NODE | OPTIONS_FIRST,
    .takes = TAKES_COMMAND,
    .run = run,
};
