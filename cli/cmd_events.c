#include "cli.h"

#include "actors.h"
#include "event.h"
#include "place.h"
#include "target.h"
#include "watch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct following {
    struct cli *cli;
    char scope[ADDR_PATH_MAX + 1]; /* only what is at or below it */
    struct watch *watch;
    int status;
    ev_signal on_int, on_term;
};

static bool concerns(const struct following *following, const char *path)
{
    return place_is_within(path, following->scope);
}

static void on_row(void *data, const struct row *row)
{
    struct following *following = data;
    struct facts record = {0};

    if (!concerns(following, row->path))
        return;
    event_of_row(row, &record);
    event_print(&following->cli->out, &record);
    facts_finish(&record);
}

static void on_snapshot(void *data, const char *supervisor)
{
    (void)data;
    (void)supervisor;
    output_flush();
}

static void on_event(void *data, const char *event, const struct facts *facts)
{
    struct following *following = data;
    const char *path = facts_get(facts, "path");
    struct facts record = {0};

    if (!concerns(following, path ? path : ""))
        return;
    event_to_record(event, facts, &record);
    event_print(&following->cli->out, &record);
    facts_finish(&record);
    output_flush();
}

/* The supervisor at the top is gone: perhaps restarted, perhaps the whole node has ended, or the
 * session to it. */
static void on_lost(void *data, const char *supervisor, const char *why)
{
    struct following *following = data;
    bool is_cut_off = client_is_cut_off(why) && place_is_elsewhere(supervisor);

    if (is_cut_off)
        following->status = cli_cut_off(supervisor);
    if (is_cut_off || !rundir_is_alive(&following->cli->client.dir))
        ev_break(following->cli->client.loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

/* Follows until Ctrl-C, or the node's end. An actor's own events come from its supervisor. */
static int follow(struct following *following, const char *top)
{
    static const struct watch_handlers handlers = {on_row, on_event, on_snapshot, on_lost};
    struct client *client = &following->cli->client;

    ev_signal_init(&following->on_int, on_signal, SIGINT);
    ev_signal_init(&following->on_term, on_signal, SIGTERM);
    ev_signal_start(client->loop, &following->on_int);
    ev_signal_start(client->loop, &following->on_term);
    following->watch = watch_create(client, top, true, &handlers, following);
    ev_run(client->loop, 0);
    watch_destroy(following->watch);
    ev_signal_stop(client->loop, &following->on_int);
    ev_signal_stop(client->loop, &following->on_term);
    return following->status;
}

static void print_list(struct cli *cli, const struct actors *actors)
{
    bool is_list = cli->out.format == OUTPUT_JSON;
    struct facts record = {0};
    struct buf text = {0};

    if (is_list)
        json_list_begin("events", &text);
    for (size_t i = 0; i < actors->count; i++) {
        event_of_row(&actors->at[i].row, &record);
        if (is_list)
            json_list_add(&record, i, &text);
        else
            event_print(&cli->out, &record);
        facts_finish(&record);
    }
    if (is_list)
        json_list_end(actors->count, &text);
    output_write(&text);
    buf_finish(&text);
}

/* The first look serves two ends: it is the snapshot, and it tells whether there is such an actor.
 */
static int run(struct cli *cli)
{
    struct following following = {.cli = cli};
    struct addr addr = {0};
    struct actors actors;
    char top[ADDR_PATH_MAX + 1] = "";
    int status = cli->arg_count ? target_parse(cli, cli->args[0], &addr, NULL) : 0;

    if (status)
        return status;
    strcpy(following.scope, addr.path);
    cli_check_memory(actors_collect(&cli->client, addr.path, true, &actors));
    if (actors.refusal.kind != ANSWER_NONE)
        status = cli_answer_status(cli, addr.path, &actors.refusal);
    else if (!place_is_root(addr.path) && !actors.count)
        status = target_unknown(cli, addr.path);
    else if (!cli_option(cli, "follow"))
        print_list(cli, &actors);
    actors_finish(&actors);
    if (status || !cli_option(cli, "follow"))
        return status;
    if (place_is_root(addr.path))
        strcpy(top, addr.path);
    else
        addr_supervisor(addr.path, top, sizeof top);
    return follow(&following, top);
}

const struct verb verb_events = {
    .name = "events",
    .synopsis = "[ADDRESS]",
    .line = "show what happens",
    .text =
        "First a snapshot: one line an actor as it is now. With -f, then every change, as it "
        "happens, until Ctrl-C or the end of the node, or of the session to it. Only what is at or "
        "below ADDRESS, when there is "
        "one.\n"
        "Lines are logfmt: ts, level, path, pid and event first. With -f, json prints one object a "
        "line, as jsonl does.",
    .examples = "troupe events -f\teverything from now on\n"
                "troupe events -f -o jsonl shop\tone application, for a program to read",
    .options = {{'f', "follow", NULL, "go on with every change"}},
    .min_args = 0,
    .max_args = 1,
    .flags = NEEDS_NODE | HAS_OUTPUT,
    .takes = TAKES_ADDRESSES,
    .run = run,
};
