#include "reach.h"

#include "channel.h"
#include "exchange_wire.h"
#include "fanout.h"
#include "losses.h"
#include "mono.h"
#include "outbound.h"
#include "peer.h"
#include "reminding.h"
#include "services.h"
#include "switchboard.h"
#include "url.h"
#include "visitors.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANES = 1, /* the first that is not the nodes' own */
    FULL = OUTBOUND_LIMIT / 2,
    OWED_MAX = 128 << 20, /* answers are never refused: a peer that asks on and reads none is no peer */
};

/* A session, as processes see it. */
struct link {
    struct reach *reach;
    struct switchboard_side side;
    int64_t since_us; /* wall clock */
    UT_hash_handle hh;
    char node[ADDR_PART_MAX + 1];
};

struct reach {
    struct reach_options options;
    struct switchboard board;
    struct visitors visitors;
    struct fanout fanout;
    struct services *services; /* or NULL */
    struct reminding *reminding;
    struct losses losses;
    struct link *links; /* by node */
    size_t full;        /* of them, whose queues are */
};

static struct link *find(const struct reach *reach, const char *node)
{
    struct link *link;

    HASH_FIND_STR(reach->links, node, link);
    return link;
}

/* ---- messages -------------------------------------------------------------------------------- */

static int send_message(struct switchboard_side *side, const struct switchboard_message *message)
{
    struct link *link = container_of(side, struct link, side);
    struct peers *peers = link->reach->options.peers;
    int result =
        message->must
            ? peers_insist(peers, link->node, message->lane + LANES, message->parts, message->count)
            : peers_send(peers, link->node, message->lane + LANES, message->parts, message->count);

    if (!side->is_full && peers_queued(peers, link->node) > FULL) {
        side->is_full = true;
        link->reach->full++;
    }
    return result;
}

static void on_visit(void *data, struct sp_conn *conn, const uint8_t *hello, size_t size)
{
    struct reach *reach = data;

    visitors_receive(&reach->visitors, conn, hello, size);
}

bool reach_message(struct reach *reach, const struct auth_identity *peer, const uint8_t *bytes,
                   size_t size, const char **why)
{
    struct link *link = find(reach, peer->name);

    *why = NULL;
    if (size && bytes[0] >= REGISTRY_CONFIRM && bytes[0] <= PLACES_HOSTED) {
        if (reach->services)
            *why = services_message(reach->services, peer->name, bytes, size);
        return true;
    }
    if (size == 0 || bytes[0] < CHANNEL_OPEN)
        return false;
    if (link && switchboard_receive(&link->side, bytes, size, why) == 0 &&
        peers_queued(reach->options.peers, link->node) > OWED_MAX)
        *why = "asking, and reading no answers";
    return true;
}

void reach_catch_up(struct reach *reach)
{
    visitors_catch_up(&reach->visitors);
    for (struct link *link = reach->full ? reach->links : NULL; link; link = link->hh.next)
        if (link->side.is_full && peers_queued(reach->options.peers, link->node) < FULL / 2) {
            reach->full--;
            switchboard_drained(&link->side);
        }
}

/* ---- sessions -------------------------------------------------------------------------------- */

void reach_up(struct reach *reach, const struct auth_identity *peer)
{
    struct link *link = calloc(1, sizeof *link);

    if (!link)
        abort(); /* as for all that a session needs (memory.h) */
    link->reach = reach;
    link->since_us = wall_now_us();
    snprintf(link->node, sizeof link->node, "%s", peer->name);
    HASH_ADD_STR(reach->links, node, link);
    switchboard_begin(&reach->board, &link->side, link->node);
    visitors_on_node(&reach->visitors, link->node, NULL);
    if (reach->services)
        services_up(reach->services, link->node);
}

void reach_down(struct reach *reach, const struct auth_identity *peer, const char *why)
{
    struct link *link = find(reach, peer->name);

    if (!link)
        return;
    HASH_DEL(reach->links, link);
    reach->full -= link->side.is_full;
    switchboard_end(&link->side);
    visitors_on_node(&reach->visitors, link->node, why);
    if (reach->services)
        services_down(reach->services, link->node);
    free(link);
}

void reach_group_event(struct reach *reach, uint64_t subscriber, uint64_t ref,
                       const struct groups_event *event)
{
    visitors_on_group(&reach->visitors, subscriber, ref, event);
}

/* ---- what visitors ask of the mesh ----------------------------------------------------------- */

static void add_number(struct words *words, uint64_t number)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRIu64, number);
    words_append(words, text);
}

/* A node that is known, while its row is written. */
struct node_list {
    const struct reach *reach;
    struct words *words;
};

/* CONTROL_NODES_COLUMNS of control.h. */
static void add_session(void *ctx, const struct peers_row *row)
{
    const struct node_list *list = ctx;
    const struct link *link = find(list->reach, row->identity.name);
    struct switchboard_counts channels = {0};
    char generation[20];

    if (link)
        channels = switchboard_counts(&link->side);
    snprintf(generation, sizeof generation, "%016" PRIx64, row->identity.generation);
    words_append(list->words, row->identity.name);
    words_append(list->words, "up");
    words_append(list->words, row->identity.url);
    words_append(list->words, generation);
    add_number(list->words, link ? (uint64_t)link->since_us : 0);
    if (row->round_trip_us < 0) /* no ping was answered yet */
        words_append(list->words, "");
    else
        add_number(list->words, (uint64_t)row->round_trip_us);
    add_number(list->words, row->queued);
    add_number(list->words, row->bytes_in);
    add_number(list->words, row->bytes_out);
    add_number(list->words, channels.outgoing + channels.incoming);
    add_number(list->words, exchange_members(list->reach->options.exchange, row->identity.name));
    words_append(list->words, "");
}

/* One that is dialled, or was disconnected by order. */
static void add_target(void *ctx, const struct peers_target *target)
{
    const struct node_list *list = ctx;

    words_append(list->words, target->name);
    words_append(list->words, target->is_unwanted ? "unwanted" : "dialling");
    words_append(list->words, target->url);
    for (int i = 0; i < 8; i++)
        words_append(list->words, "");
    words_append(list->words, target->why);
}

static void list_nodes(void *data, struct words *out)
{
    struct node_list list = {data, out};

    peers_each(list.reach->options.peers, add_session, &list);
    peers_each_target(list.reach->options.peers, add_target, &list);
}

static void list_connected(void *data, struct words *out)
{
    const struct reach *reach = data;

    for (const struct link *link = reach->links; link; link = link->hh.next)
        words_append(out, link->node);
}

static const char *connect_node(void *data, const char *text)
{
    struct reach *reach = data;
    struct url url;
    const char *why;

    if (!reach->options.can_connect)
        return "this node has no cookie_file (node:, in its config)";
    if (url_parse(text, &url, &why) < 0)
        return why;
    if (!reach->options.is_trusted_network && !url_is_private(&url))
        return "clear text beyond this host needs trusted_network: true (node:, in its config)";
    if (peers_connect(reach->options.peers, text) < 0)
        return "that is this node itself";
    return NULL;
}

static const char *disconnect_node(void *data, const char *node)
{
    struct reach *reach = data;

    if (!addr_is_part(node, strlen(node)))
        return "no name of a node";
    peers_disconnect(reach->options.peers, node);
    return NULL;
}

/* ---- services ---------------------------------------------------------------------------------- */

static bool on_request(void *data, const char *verb, const struct visit *visit)
{
    const struct reach *reach = data;

    return reminding_visit(reach->reminding, verb, visit) ||
           (reach->services && services_visit(reach->services, verb, visit));
}

static void on_gone(void *data, uint64_t number)
{
    const struct reach *reach = data;

    if (reach->services)
        services_gone(reach->services, number);
}

/* What nodes that run services tell each other is little, and each of it is told again: it waits for nobody. */
static bool send_to_node(void *data, const char *node, const void *bytes, size_t size)
{
    const struct reach *reach = data;
    const struct iovec part = {(void *)bytes, size};

    return peers_send(reach->options.peers, node, 0, &part, 1) == 0;
}

static void start_services(struct reach *reach)
{
    const struct reach_options *options = &reach->options;

    if (options->lease_ms)
        reach->services = services_create(&(struct services_options){
            .loop = options->loop,
            .run_dir = options->run_dir,
            .node = options->node,
            .url = options->url,
            .self = options->self,
            .generation = options->generation,
            .lease_ms = options->lease_ms,
            .limits = options->limits,
            .visitors = &reach->visitors,
            .send = send_to_node,
            .data = reach,
        });
}

static size_t list_rows(void *data, const struct node_row **rows)
{
    const struct reach *reach = data;

    return services_nodes(reach->services, rows);
}

static void start_reminding(struct reach *reach)
{
    const struct reach_options *options = &reach->options;

    reach->reminding = reminding_create(&(struct reminding_options){
        .loop = options->loop,
        .run_dir = options->run_dir,
        .node = options->node,
        .self = options->self,
        .path = PEER_NODE,
        .nodes = reach->services ? list_rows : NULL,
        .data = reach,
    });
}

void reach_leave(struct reach *reach)
{
    if (reach->services)
        services_leave(reach->services);
}

bool reach_has_left(const struct reach *reach)
{
    return !reach->services || services_have_left(reach->services);
}

static void on_settled(void *data, uint64_t visitor, uint64_t ref)
{
    visitors_on_settled(data, visitor, ref);
}

/* ---- life ------------------------------------------------------------------------------------ */

static const struct visitors_hooks hooks = {.nodes = list_nodes,
                                            .connected = list_connected,
                                            .connect = connect_node,
                                            .disconnect = disconnect_node,
                                            .visit = on_request,
                                            .gone = on_gone};

struct reach *reach_create(const struct reach_options *options)
{
    struct reach *reach = calloc(1, sizeof *reach);

    if (!reach)
        return NULL;
    reach->options = *options;
    losses_init(&reach->losses, options->loop, options->on_lost);
    reach->fanout = (struct fanout){.loop = options->loop,
                                    .run_dir = options->run_dir,
                                    .self = options->self,
                                    .losses = &reach->losses,
                                    .settled = on_settled,
                                    .data = &reach->visitors};
    reach->visitors = (struct visitors){.run_dir = options->run_dir,
                                        .node = options->node,
                                        .self = options->self,
                                        .rights = options->rights,
                                        .groups = options->groups,
                                        .fanout = &reach->fanout,
                                        .hooks = &hooks,
                                        .data = reach};
    reach->board = (struct switchboard){.loop = options->loop,
                                        .run_dir = options->run_dir,
                                        .node = options->node,
                                        .rights = options->rights,
                                        .grant = options->grant,
                                        .hooks = {send_message, on_visit},
                                        .losses = &reach->losses,
                                        .data = reach};
    if (switchboard_start(&reach->board, options->mailbox_fd, options->descriptors) < 0) {
        free(reach);
        return NULL;
    }
    start_services(reach);
    start_reminding(reach);
    return reach;
}

void reach_destroy(struct reach *reach)
{
    if (!reach)
        return;
    reminding_destroy(reach->reminding);
    services_destroy(reach->services);
    reach->services = NULL;
    visitors_finish(&reach->visitors); /* their connections are of the switchboard's listener */
    switchboard_finish(&reach->board);
    fanout_finish(&reach->fanout);
    losses_finish(&reach->losses);
    while (reach->links) {
        struct link *link = reach->links;

        HASH_DEL(reach->links, link);
        free(link);
    }
    free(reach);
}
