/*
 * troupe-node, `sys/node` in the tree: this node's sessions with other nodes, and the groups. One
 * loop; nng's threads do no more than wake it (streams.h). What it sees goes to its standard output
 * as lines of logfmt: node.listen, node.up, node.down, node.refused, node.lost, and of its guests
 * gateway.listen, gateway.refused.
 */
#include "exchange.h"
#include "gateway.h"
#include "groups.h"
#include "last_port.h"
#include "logline.h"
#include "mono.h"
#include "orders.h"
#include "peers.h"
#include "reach.h"
#include "settings.h"
#include "streams.h"
#include "url.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FD_MAILBOX = 3 }; /* LISTEN_FDS */
enum { LEAVE_MS = 2000, LEAVE_LOOK_MS = 20 };

/* Of what is spoken after the handshake; the tests build nodes of later ones, too. */
#ifndef NODE_VERSIONS
#define NODE_VERSIONS 1, 1
#endif

struct program {
    struct settings settings;
    struct auth_self self;
    struct ev_loop *loop;
    struct streams *streams;
    struct peers *peers;
    struct groups *groups;
    struct exchange *exchange;
    struct reach *reach;     /* NULL: without a mailbox */
    struct gateway *gateway; /* NULL: none is wanted */
    char address[ADDR_TEXT_MAX + 1];
    struct orders orders;
    ev_signal term, interrupt;
    ev_timer due, leaving;
    struct mono leave_limit;
    ev_check heard;
    ev_prepare turn;
};

static struct program program;

/* By sysexits.h. What is wrong with how it was told stays wrong; what the host refuses may pass. */
enum { EXIT_SETTINGS = 78, EXIT_HOST = 75 };

static _Noreturn void die(int status, const struct error *err)
{
    fprintf(stderr, "node: %s\n", err->text);
    exit(status);
}

/* ---- what is seen ------------------------------------------------------------------------ */

static void write_line(struct buf *line)
{
    if (buf_append(line, "\n", 1) == 0 &&
        write(STDOUT_FILENO, buf_front(line), buf_length(line)) < 0)
        errno = 0; /* nobody listens: not our loss */
    buf_finish(line);
}

static void add_identity(struct buf *line, const struct auth_identity *peer)
{
    char number[17];

    logline_add(line, "node", peer->name);
    snprintf(number, sizeof number, "%016" PRIx64, peer->generation);
    logline_add(line, "generation", number);
    snprintf(number, sizeof number, "%016" PRIx64, peer->instance);
    logline_add(line, "instance", number);
    logline_add(line, "url", peer->url);
}

static void on_up(void *data, const struct auth_identity *peer, bool is_tls)
{
    struct buf line = {0};

    (void)data;
    logline_begin(&line, "info", program.settings.path, "node.up");
    add_identity(&line, peer);
    logline_add(&line, "tls", is_tls ? "yes" : "no");
    write_line(&line);
    exchange_up(program.exchange, peer, is_tls);
    if (program.reach)
        reach_up(program.reach, peer);
    if (program.gateway)
        gateway_on_node(program.gateway, peer->name, NULL);
}

static void on_down(void *data, const struct auth_identity *peer, const char *why)
{
    struct buf line = {0};

    (void)data;
    logline_begin(&line, "warn", program.settings.path, "node.down");
    add_identity(&line, peer);
    logline_add(&line, "reason", why);
    write_line(&line);
    exchange_down(program.exchange, peer);
    if (program.reach)
        reach_down(program.reach, peer, why);
    if (program.gateway)
        gateway_on_node(program.gateway, peer->name, why);
}

static void on_refused(void *data, const char *remote, const char *name, const char *why,
                       bool is_told)
{
    struct buf line = {0};

    (void)data;
    logline_begin(&line, "warn", program.settings.path, "node.refused");
    logline_add(&line, "remote", remote);
    logline_add(&line, "node", name);
    logline_add(&line, "by", is_told ? "peer" : "us");
    logline_add(&line, "reason", why);
    write_line(&line);
}

static void on_guest_refused(void *data, const char *remote, const char *why)
{
    struct buf line = {0};

    (void)data;
    logline_begin(&line, "warn", program.settings.path, "gateway.refused");
    if (*remote)
        logline_add(&line, "remote", remote);
    logline_add(&line, "reason", why);
    write_line(&line);
}

static void on_more_refused(void *data, unsigned count)
{
    struct buf line = {0};
    char number[16];

    (void)data;
    snprintf(number, sizeof number, "%u", count);
    logline_begin(&line, "warn", program.settings.path, "gateway.refused");
    logline_add(&line, "more", number);
    write_line(&line);
}

static void on_lost(uint64_t messages)
{
    struct buf line = {0};
    char number[24];

    snprintf(number, sizeof number, "%" PRIu64, messages);
    logline_begin(&line, "warn", program.settings.path, "node.lost");
    logline_add(&line, "messages", number);
    write_line(&line);
}

static const char *on_message(void *data, const struct auth_identity *peer, const uint8_t *bytes,
                              size_t size)
{
    const char *why;

    (void)data;
    if (program.reach && reach_message(program.reach, peer, bytes, size, &why))
        return why;
    return exchange_message(program.exchange, peer, bytes, size);
}

static void on_event(void *data, uint64_t subscriber, uint64_t ref,
                     const struct groups_event *event)
{
    (void)data;
    if (program.reach)
        reach_group_event(program.reach, subscriber, ref, event);
}

static void on_local(void *data, const struct groups_event *event)
{
    (void)data;
    exchange_local(program.exchange, event);
}

/* ---- the transport, with the streams as its data ----------------------------------------- */

static int64_t now_us(void *data)
{
    (void)data;
    return mono_now().us;
}

static void give_random(void *data, void *out, size_t size)
{
    (void)data;
    streams_random(program.streams, out, size);
}

static void dial(void *data, uint64_t conn, const char *url)
{
    (void)data;
    streams_dial(program.streams, conn, url);
}

static void send_bytes(void *data, uint64_t conn, const void *bytes, size_t size)
{
    (void)data;
    streams_send(program.streams, conn, bytes, size);
}

static void close_stream(void *data, uint64_t conn, bool last_words)
{
    (void)data;
    streams_close(program.streams, conn, last_words);
}

static uint64_t accepted(void *data, const char *remote, bool is_tls)
{
    (void)data;
    return peers_accepted(program.peers, remote, is_tls);
}

static void connected(void *data, uint64_t conn)
{
    (void)data;
    peers_connected(program.peers, conn);
}

static void received(void *data, uint64_t conn, const void *bytes, size_t size)
{
    (void)data;
    peers_received(program.peers, conn, bytes, size);
}

static void written(void *data, uint64_t conn)
{
    (void)data;
    peers_written(program.peers, conn);
}

static void ended(void *data, uint64_t conn, const char *why)
{
    (void)data;
    peers_ended(program.peers, conn, why);
}

static const struct streams_handlers on_stream = {accepted, connected, received, written, ended};

/* ---- the loop ---------------------------------------------------------------------------- */

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events;
    peers_tick(program.peers);
}

static void send_all(void)
{
    exchange_catch_up(program.exchange);
    if (program.reach)
        reach_catch_up(program.reach);
    peers_flush(program.peers);
}

/* When all was heard that had come: other nodes are told before those are answered who are of this one, and who
 * would then have the processor. */
static void on_heard(struct ev_loop *loop, ev_check *check, int events)
{
    (void)loop;
    (void)check;
    (void)events;
    send_all();
}

/* At the end of each turn: what was sent in it goes out, and the next time is looked up. */
static void on_turn(struct ev_loop *loop, ev_prepare *prepare, int events)
{
    int64_t due_ms, in_ms;

    (void)prepare;
    (void)events;
    send_all();
    due_ms = peers_due_ms(program.peers);
    ev_timer_stop(loop, &program.due);
    if (due_ms == INT64_MAX)
        return;
    in_ms = due_ms - now_us(NULL) / 1000;
    ev_now_update(loop);
    ev_timer_set(&program.due, in_ms > 0 ? (double)in_ms / 1000.0 + 0.001 : 0., 0.);
    ev_timer_start(loop, &program.due);
}

/* Until the other nodes know that no services are to be looked for here, but not for long. */
static void on_leaving(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)events;
    if (!reach_has_left(program.reach) && mono_diff_ms(program.leave_limit, mono_now()) > 0)
        return;
    ev_timer_stop(loop, timer);
    ev_break(loop, EVBREAK_ALL);
}

static void stop(struct ev_loop *loop)
{
    if (!program.reach || ev_is_active(&program.leaving)) {
        ev_break(loop, EVBREAK_ALL);
        return;
    }
    reach_leave(program.reach);
    program.leave_limit = mono_add_ms(mono_now(), LEAVE_MS);
    ev_timer_init(&program.leaving, on_leaving, 0., LEAVE_LOOK_MS / 1000.);
    ev_timer_start(loop, &program.leaving);
}

static void on_stop_order(void *data)
{
    (void)data;
    stop(program.loop);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)signal;
    (void)events;
    stop(loop);
}

static void start_watchers(struct ev_loop *loop)
{
    ev_init(&program.due, on_due);
    ev_init(&program.leaving, on_leaving);
    ev_check_init(&program.heard, on_heard);
    ev_set_priority(&program.heard, EV_MINPRI + 1); /* sp.h writes at the lowest */
    ev_check_start(loop, &program.heard);
    ev_prepare_init(&program.turn, on_turn);
    ev_prepare_start(loop, &program.turn);
    ev_signal_init(&program.term, on_signal, SIGTERM);
    ev_signal_start(loop, &program.term);
    ev_signal_init(&program.interrupt, on_signal, SIGINT);
    ev_signal_start(loop, &program.interrupt);
    orders_init(&program.orders, on_stop_order, NULL);
    orders_start(&program.orders, loop);
}

/* ---- the start --------------------------------------------------------------------------- */

/* A wildcard is no address for others. */
static bool is_reachable(const char *url)
{
    return !strstr(url, "//0.0.0.0:") && !strstr(url, "//*:") && !strstr(url, "//[::]:") &&
           !strstr(url, "//:");
}

static void say_listening(const char *event, const char *url)
{
    struct buf line = {0};

    logline_begin(&line, "info", program.settings.path, event);
    logline_add(&line, "url", url);
    write_line(&line);
}

static uint16_t port_of(const char *text)
{
    struct url url;
    const char *why;

    return url_parse(text, &url, &why) == 0 ? url.port : 0;
}

/* The port that it had before, if it may have any: others know it. If somebody has it now, another is
 * better than none. */
static bool listen_again(char url[AUTH_URL_MAX + 1])
{
    const struct settings *settings = &program.settings;
    uint16_t port = settings->run_dir ? last_port_read(settings->run_dir) : 0;
    struct error ignored = {0};

    if (!port)
        return false;
    snprintf(url, AUTH_URL_MAX + 1, "%.*s:%u", (int)(strrchr(settings->listen, ':') - settings->listen),
             settings->listen, port);
    return streams_listen(program.streams, url, &ignored) == 0;
}

static void listen_anywhere(char url[AUTH_URL_MAX + 1], struct error *err)
{
    const struct settings *settings = &program.settings;

    if (listen_again(url))
        return;
    snprintf(url, AUTH_URL_MAX + 1, "%s", settings->listen);
    if (streams_listen(program.streams, url, err) < 0)
        die(EXIT_HOST, err);
    if (settings->run_dir && last_port_write(settings->run_dir, port_of(url)) < 0)
        fprintf(stderr, "node: the port is not remembered: %s\n", strerror(errno));
}

static void start_listening(struct error *err)
{
    struct auth_identity *own = &program.self.identity;
    char url[AUTH_URL_MAX + 1] = "";

    if (!program.settings.listen)
        return;
    snprintf(url, sizeof url, "%s", program.settings.listen);
    if (!port_of(url))
        listen_anywhere(url, err);
    else if (streams_listen(program.streams, url, err) < 0)
        die(EXIT_HOST, err);
    if (program.settings.advertise)
        snprintf(own->url, sizeof own->url, "%s", program.settings.advertise);
    else if (is_reachable(url))
        memcpy(own->url, url, sizeof own->url);
    say_listening("node.listen", url);
}

static uint64_t some_number(void)
{
    uint64_t number;

    do
        streams_random(NULL, &number, sizeof number);
    while (!number);
    return number;
}

static void make_self(void)
{
    static const uint16_t versions[] = {NODE_VERSIONS}; /* from, to */
    const struct settings *settings = &program.settings;
    struct auth_identity *own = &program.self.identity;

    snprintf(own->name, sizeof own->name, "%s", settings->node);
    own->generation = settings->generation ? settings->generation : some_number();
    own->instance = some_number();
    program.self.version_min = versions[0];
    program.self.version_max = versions[1];
    program.self.key = (struct mac_part){settings->cookie.bytes, settings->cookie.size};
}

/* How many that leaves for connections: the sessions, their threads and what is linked take some, too. */
static unsigned raise_descriptors(void)
{
    enum { OWN = 256, MOST = 131072, LEAST = 512 };
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return LEAST;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur > MOST)
        return MOST - OWN;
    return limit.rlim_cur > LEAST + OWN ? (unsigned)limit.rlim_cur - OWN : LEAST;
}

static void make_reach(void)
{
    const struct settings *settings = &program.settings;
    struct reach_options options = {
        .loop = program.loop,
        .run_dir = settings->run_dir,
        .node = settings->node,
        .self = program.address,
        .rights = {.node_uid = geteuid(),
                   .send_uids = settings->uids,
                   .send_count = settings->uid_count},
        .grant = settings->grant,
        .peers = program.peers,
        .groups = program.groups,
        .exchange = program.exchange,
        .can_connect = settings->cookie_file != NULL,
        .is_trusted_network = settings->is_trusted_network,
        .mailbox_fd = FD_MAILBOX,
        .descriptors = raise_descriptors(),
        .url = program.self.identity.url,
        .generation = program.self.identity.generation,
        .lease_ms = settings->lease_ms,
        .on_lost = on_lost,
        .limits = settings->limits,
    };
    struct error err = {0};
    const char *incarnation = getenv("TROUPE_INCARNATION");

    snprintf(program.address, sizeof program.address, "%s@%s#%s", settings->path, settings->node,
             incarnation ? incarnation : "1");
    program.reach = reach_create(&options);
    if (!program.reach)
        error_set_errno(&err, errno, "the mailbox"), die(EXIT_HOST, &err);
}

/* Of the descriptors, half are for processes here, a quarter for channels of other nodes (switchboard.h). */
static void make_gateway(const struct streams_tls *tls, struct error *err)
{
    enum { PART = 8 }; /* for guests, and the same for the mailboxes that they speak to */
    static const struct gateway_handlers on_guest = {on_guest_refused, on_more_refused};
    const struct settings *settings = &program.settings;
    struct gateway_options options = {
        .loop = program.loop,
        .run_dir = settings->run_dir,
        .self = program.address,
        .gate = {settings->node, settings->gateway_grant, settings->actors, settings->actor_count},
        .publishers = settings->publishers,
        .publisher_count = settings->publisher_count,
        .peers = program.peers,
        .descriptors = raise_descriptors() / PART,
        .tls = *tls,
        .handlers = &on_guest,
    };
    char url[AUTH_URL_MAX + 1];

    if (!settings->gateway)
        return;
    snprintf(url, sizeof url, "%s", settings->gateway);
    program.gateway = gateway_create(&options, url, err);
    if (!program.gateway)
        die(EXIT_HOST, err);
    say_listening("gateway.listen", url);
}

static enum mesh_learning learning(const struct settings *settings)
{
    if (settings->is_isolated)
        return MESH_LEARNS_NONE;
    return settings->is_trusted_network ? MESH_LEARNS_ALL : MESH_LEARNS_PRIVATE;
}

static void make_parts(void)
{
    static const struct peers_transport transport = {now_us, give_random, dial, send_bytes,
                                                     close_stream};
    static const struct peers_handlers on_peers = {on_up, on_down, on_message, on_refused};
    static const struct groups_handlers on_groups = {on_event, on_local};

    program.groups = groups_create(&on_groups, NULL);
    program.peers =
        peers_create(&program.self, learning(&program.settings), &transport, &on_peers, NULL);
    program.exchange = exchange_create(program.peers, program.groups);
    if (program.settings.has_mailbox)
        make_reach();
    for (size_t i = 0; i < program.settings.peer_count; i++)
        peers_connect(program.peers, program.settings.peers[i]);
    if (program.streams)
        streams_serve(program.streams, &on_stream, NULL);
}

static void finish(void)
{
    ev_check_stop(program.loop, &program.heard);
    ev_prepare_stop(program.loop, &program.turn);
    ev_timer_stop(program.loop, &program.due);
    ev_timer_stop(program.loop, &program.leaving); /* who is told twice to end does so while it leaves */
    gateway_destroy(program.gateway);
    program.gateway = NULL;
    reach_destroy(program.reach);
    program.reach = NULL; /* what is written yet turns the loop, and sessions end in it */
    peers_flush(program.peers);
    peers_destroy(program.peers);
    if (program.streams)
        streams_destroy(program.streams);
    exchange_destroy(program.exchange);
    groups_destroy(program.groups);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct streams_tls tls;
    sigset_t mask;

    if (settings_read(&program.settings, argc, argv, &err) < 0)
        die(EXIT_SETTINGS, &err);
    program.loop = loop_create();
    streams_block_signals(&mask);
    tls = (struct streams_tls){program.settings.ca, *program.settings.cert_and_key
                                                        ? program.settings.cert_and_key
                                                        : program.settings.cert};
    if (!program.loop)
        error_set_errno(&err, errno, "an event loop"), die(EXIT_HOST, &err);
    if (program.settings.cookie_file) /* else nng and its threads are not needed for this */
        program.streams = streams_create(program.loop, &tls, &err);
    if (program.settings.cookie_file && !program.streams)
        die(EXIT_HOST, &err);
    make_self();
    start_listening(&err);
    start_watchers(program.loop);
    make_parts();
    make_gateway(&tls, &err);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    orders_say(&program.orders, "READY\n");
    ev_run(program.loop, 0);
    finish();
    fflush(NULL);
    _exit(0); /* nng's threads are not waited for */
}
