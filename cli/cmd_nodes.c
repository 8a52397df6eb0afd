#include "cli.h"

#include "control.h"
#include "event.h"
#include "mesh.h"
#include "mono.h"
#include "peer.h"
#include "place.h"
#include "records.h"
#include "sessions.h"
#include "target.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

static const char *const column_list[] = {"name",       "state",   "up",     "url", "rtt_us",
                                          "generation", "since",   "queue",  "in",  "out",
                                          "channels",   "members", "reason", NULL};

static const struct record_column shown[] = {
    {.name = "name", .header = "NAME", .shrinks_to = 8},
    {.name = "state", .header = "STATE"},
    {.name = "up", .header = "UP", .is_right = true},
    {.name = "url", .header = "URL", .shrinks_to = 16},
    {.name = "rtt_us", .header = "RTT", .is_right = true, .unit = "us"},
    {.name = "generation", .header = "GENERATION", .is_wide = true},
    {.name = "since", .header = "SINCE", .is_wide = true},
    {.name = "queue", .header = "QUEUE", .is_right = true, .is_wide = true},
    {.name = "in", .header = "IN", .is_right = true, .is_wide = true},
    {.name = "out", .header = "OUT", .is_right = true, .is_wide = true},
    {.name = "channels", .header = "CHANNELS", .is_right = true, .is_wide = true},
    {.name = "members", .header = "MEMBERS", .is_right = true, .is_wide = true},
    {.name = "reason", .header = "REASON", .is_wide = true, .shrinks_to = 16},
    {0},
};

/* ---- as they are ------------------------------------------------------------------------ */

/* In the order of CONTROL_NODES_COLUMNS. */
enum { NAME, STATE, URL, GENERATION, SINCE, RTT, QUEUE, IN, OUT, CHANNELS, MEMBERS, REASON };

static void add_up(struct facts *record, const char *since)
{
    int64_t us = *since ? wall_now_us() - strtoll(since, NULL, 10) : 0;

    if (*since)
        cli_check_memory(facts_addf(record, 'd', "up", "%" PRId64, us > 0 ? us / 1000 : 0));
    else
        cli_check_memory(facts_add(record, 'd', "up", ""));
}

static void make_record(char *const *words, struct facts *record)
{
    static const struct {
        const char *key;
        char type;
        int at;
    } rest[] = {
        {"url", 's', URL},       {"rtt_us", 'n', RTT},        {"generation", 's', GENERATION},
        {"since", 't', SINCE},   {"queue", 'z', QUEUE},       {"in", 'z', IN},
        {"out", 'z', OUT},       {"channels", 'n', CHANNELS}, {"members", 'n', MEMBERS},
        {"reason", 's', REASON},
    };
    int failed = facts_add(record, 's', "name", words[NAME]);

    failed |= facts_add(record, 's', "state", words[STATE]);
    add_up(record, words[SINCE]);
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        failed |= facts_add(record, rest[i].type, rest[i].key, words[rest[i].at]);
    cli_check_memory(failed);
}

static int list(struct cli *cli, const char *place)
{
    struct records records = {0};
    struct words words;
    int status = mesh_look(cli, place, CONTROL_NODES, NULL, &words);

    if (status)
        return status;
    for (size_t i = 0; i + CONTROL_NODES_COLUMNS <= words.count; i += CONTROL_NODES_COLUMNS)
        make_record(words.at + i, records_add(&records));
    records_print(&cli->out, cli_option(cli, "wide") != NULL, "nodes", shown, &records);
    records_finish(&records);
    words_finish(&words);
    return STATUS_DONE;
}

/* ---- as they come and go ---------------------------------------------------------------- */

struct following {
    struct cli *cli;
    int status;
};

static void tell(const struct following *following, const char *level, const char *node,
                 const char *event, const char *reason)
{
    struct facts record = {0};
    int failed = facts_addf(&record, 't', "ts", "%" PRId64, wall_now_us());

    failed |= facts_add(&record, 's', "level", level);
    failed |= facts_addf(&record, 's', "path", "@%s", node);
    failed |= facts_add(&record, 's', "event", event);
    if (reason)
        failed |= facts_add(&record, 's', "reason", reason);
    cli_check_memory(failed);
    event_print(&following->cli->out, &record);
    facts_finish(&record);
    output_flush();
}

static void on_up(void *data, const char *node, bool is_snapshot)
{
    tell(data, "info", node, is_snapshot ? "snapshot" : "node.up", NULL);
}

static void on_down(void *data, const char *node, const char *reason)
{
    tell(data, "warn", node, "node.down", reason);
}

static void on_over(void *data, const struct answer *answer)
{
    struct following *following = data;

    if (rundir_is_alive(&following->cli->client.dir))
        following->status = cli_answer_status(following->cli, PEER_NODE, answer);
    ev_break(following->cli->client.loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static int follow(struct cli *cli)
{
    static const struct sessions_handlers handlers = {on_up, on_down, on_over};
    struct following following = {.cli = cli};
    struct ev_loop *loop = cli->client.loop;
    struct sessions *sessions;
    ev_signal on_int, on_term;

    ev_signal_init(&on_int, on_signal, SIGINT);
    ev_signal_init(&on_term, on_signal, SIGTERM);
    ev_signal_start(loop, &on_int);
    ev_signal_start(loop, &on_term);
    sessions = sessions_follow(&cli->client, &handlers, &following);
    ev_run(loop, 0);
    sessions_destroy(sessions);
    ev_signal_stop(loop, &on_int);
    ev_signal_stop(loop, &on_term);
    return following.status;
}

/* ---- the verb --------------------------------------------------------------------------- */

static int run(struct cli *cli)
{
    struct addr addr = {0};
    int status = cli->arg_count ? target_parse(cli, cli->args[0], &addr, NULL) : 0;

    if (!status && !place_is_root(addr.path))
        status = cli_fail(STATUS_USAGE, "%s: expected a node, such as @west", cli->args[0]);
    if (!status && cli_option(cli, "follow") && *addr.path)
        status = cli_fail(STATUS_USAGE, "-f follows the sessions of this node");
    if (status)
        return status;
    return cli_option(cli, "follow") ? follow(cli) : list(cli, addr.path);
}

const struct verb verb_nodes = {
    .name = "nodes",
    .synopsis = "[@NODE]",
    .line = "list the other nodes that this one knows",
    .text =
        "STATE is up when there is a session, dialling when one is sought, unwanted after "
        "`troupe disconnect`; UP is how long the session has lasted, RTT a round trip on it in "
        "microseconds. With -w also its generation, what waits to be sent to it, bytes received "
        "and "
        "sent, channels between actors of both, members of groups there, and why it is not up.\n"
        "With an @NODE: those that that node knows.\n"
        "With -f: a line for each session that there is, then one for each that begins (node.up) "
        "or "
        "ends (node.down, with the reason), until Ctrl-C or the node's end; logfmt, or with json "
        "one object a line.",
    .examples = "troupe nodes\twho is there\n"
                "troupe nodes -o name,state,reason\twhy is it not\n"
                "troupe nodes -f\twho comes and goes",
    .options = {{'w', "wide", NULL, "also generation, bytes, channels, members and reason"},
                {'f', "follow", NULL, "go on with every session that begins or ends"}},
    .min_args = 0,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .columns = column_list,
    .takes = TAKES_NODES,
    .run = run,
};
