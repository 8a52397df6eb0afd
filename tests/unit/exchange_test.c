/*
 * Two nodes in one process, with a transport that holds back what the test wants held back:
 * snapshots, changes, a queue that is full, and what a peer may not say.
 */
#include "../../cluster/exchange.h"
#include "../../cluster/exchange_wire.h"
#include "../../cluster/outbound.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>

enum { OWN = 1, MANY = 1000000 };

struct end {
    struct auth_self self;
    struct peers *peers;
    struct groups *groups;
    struct exchange *exchange;
    struct end *other;
    uint64_t conn;
    struct buf wire; /* to the other */
    bool is_stuck;   /* what it sends is not taken */
    unsigned ups, downs;
    size_t queued;
    char why[128];
};

static int64_t now_ms = 1;
static struct end east, west;

/* ---- the transport ----------------------------------------------------------------------- */

static int64_t now_us(void *data)
{
    (void)data;
    return now_ms * 1000;
}

static void give_random(void *data, void *out, size_t size)
{
    static uint8_t counter;

    (void)data;
    memset(out, ++counter, size);
}

static void dial(void *data, uint64_t conn, const char *url)
{
    struct end *end = data;

    (void)url;
    end->conn = conn;
}

static void send_bytes(void *data, uint64_t conn, const void *bytes, size_t size)
{
    struct end *end = data;

    (void)conn;
    buf_append(&end->wire, bytes, size);
}

static void close_end(void *data, uint64_t conn, bool last_words)
{
    struct end *end = data;

    (void)conn;
    (void)last_words;
    end->conn = 0;
}

/* ---- a node ------------------------------------------------------------------------------ */

static void on_up(void *data, const struct auth_identity *peer, bool is_tls)
{
    struct end *end = data;

    end->ups++;
    exchange_up(end->exchange, peer, is_tls);
}

static void on_down(void *data, const struct auth_identity *peer, const char *why)
{
    struct end *end = data;

    end->downs++;
    snprintf(end->why, sizeof end->why, "%s", why);
    exchange_down(end->exchange, peer);
}

static const char *on_message(void *data, const struct auth_identity *peer, const uint8_t *bytes,
                              size_t size)
{
    struct end *end = data;

    return exchange_message(end->exchange, peer, bytes, size);
}

static void on_refused(void *data, const char *remote, const char *name, const char *why,
                       bool is_told)
{
    (void)data;
    tap_note("%s (%s) refused: %s%s", remote, name, why, is_told ? ", as it says" : "");
}

static void on_event(void *data, uint64_t subscriber, uint64_t ref,
                     const struct groups_event *event)
{
    (void)data;
    (void)subscriber;
    (void)ref;
    (void)event;
}

static void on_local(void *data, const struct groups_event *event)
{
    struct end *end = data;

    exchange_local(end->exchange, event);
}

static void start(struct end *end, const char *name, uint64_t number, struct end *other)
{
    static const struct peers_transport transport = {now_us, give_random, dial, send_bytes,
                                                     close_end};
    static const struct peers_handlers on_peers = {on_up, on_down, on_message, on_refused};
    static const struct groups_handlers on_groups = {on_event, on_local};

    *end = (struct end){.other = other};
    end->self = (struct auth_self){.identity = {.generation = number, .instance = number},
                                   .version_min = 1,
                                   .version_max = 1,
                                   .key = {"cookie", 6}};
    snprintf(end->self.identity.name, sizeof end->self.identity.name, "%s", name);
    end->peers = peers_create(&end->self, true, &transport, &on_peers, end);
    end->groups = groups_create(&on_groups, end);
    end->exchange = exchange_create(end->peers, end->groups);
    groups_open(end->groups, OWN, "", "", MANY);
    groups_snapshot_begin(end->groups, OWN);
    groups_snapshot_end(end->groups, OWN);
}

static void finish(struct end *end)
{
    peers_destroy(end->peers);
    exchange_destroy(end->exchange);
    groups_destroy(end->groups);
    buf_finish(&end->wire);
}

/* All that one has said arrives. */
static bool carry(struct end *end)
{
    struct buf bytes = end->wire;

    exchange_catch_up(end->exchange);
    peers_flush(end->peers);
    if (end->is_stuck || !buf_length(&end->wire))
        return false;
    bytes = end->wire;
    end->wire = (struct buf){0};
    peers_received(end->other->peers, end->other->conn, buf_front(&bytes), buf_length(&bytes));
    peers_written(end->peers, end->conn);
    buf_finish(&bytes);
    return true;
}

static void settle(void)
{
    while (carry(&east) | carry(&west))
        ;
}

/* west dials east. */
static void meet(void)
{
    start(&east, "east", 1, &west);
    start(&west, "west", 2, &east);
    peers_connect(west.peers, "tcp://east:1");
    peers_tick(west.peers);
    east.conn = peers_accepted(east.peers, "west", false);
    peers_connected(east.peers, east.conn);
    peers_connected(west.peers, west.conn);
}

static void part(void)
{
    finish(&east);
    finish(&west);
}

static void join(struct end *end, unsigned actor, const char *group)
{
    char address[32];
    const char *list[1] = {address};

    snprintf(address, sizeof address, "app/a%u#1", actor);
    groups_join(end->groups, OWN, "s", group, list, 1);
}

/* In one event, which is longer than what is read at once. */
static void join_often(struct end *end, unsigned times)
{
    const char **list = calloc(times, sizeof *list);

    for (unsigned i = 0; i < times; i++)
        list[i] = "app/a1#1";
    groups_join(end->groups, OWN, "s", "g", list, times);
    free((void *)list);
}

static void count(void *data, const char *scope, const char *group,
                  const struct groups_actor *actor, size_t n)
{
    (void)scope;
    (void)group;
    (void)actor;
    *(size_t *)data += n;
}

static size_t members(const struct end *end, const char *group)
{
    size_t n = 0;

    groups_members(end->groups, GROUPS_ALL, "s", group, count, &n);
    return n;
}

static void see_queue(void *ctx, const struct peers_row *row)
{
    *(size_t *)ctx = row->queued;
}

/* ---- what must come of it ---------------------------------------------------------------- */

static void check_snapshot_and_changes(void)
{
    meet();
    join(&east, 1, "g");
    join(&east, 1, "g");
    settle();
    CHECK(east.ups == 1 && west.ups == 1, "two nodes have a session");
    tap_is_int((long long)members(&west, "g"), 2, "a session begins with a snapshot");
    join(&west, 7, "g");
    groups_ended(east.groups, OWN, "app/a1#1");
    settle();
    tap_is_int((long long)members(&west, "g"), 1, "then come changes");
    tap_is_int((long long)members(&east, "g"), 1, "both ways");
    peers_disconnect(west.peers, "east");
    settle();
    tap_is_text(east.why, "disconnected by order", "an end by order is told as that");
    tap_is_int((long long)members(&east, "g"), 0, "and takes the other's members with it");
    CHECK(peers_send(east.peers, "west", 0, NULL, 0) < 0 && errno == ENOTCONN,
          "without a session nothing is sent");
    part();
}

static void check_long_change(void)
{
    meet();
    settle();
    join_often(&east, 70000);
    settle();
    CHECK(west.ups == 1 && !*west.why, "a change longer than a message is no reason to part");
    tap_is_int((long long)members(&west, "g"), 70000, "and comes as a whole");
    part();
}

/* A peer that takes nothing: changes are not heaped up for it, and it has all of them in the end.
 */
static void check_overload(void)
{
    size_t queued = 0;
    char group[300];

    meet();
    settle();
    east.is_stuck = true;
    memset(group, 'g', 200);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(group + 200, sizeof group - 200, "%u", i % 1000);
        join(&east, i, group);
        if (i % 3 == 0)
            peers_flush(east.peers);
    }
    peers_each(east.peers, see_queue, &queued);
    CHECK(queued <= OUTBOUND_LIMIT && queued > OUTBOUND_LIMIT / 2,
          "its queue is full, and no more");
    exchange_catch_up(east.exchange);
    peers_each(east.peers, see_queue, &queued);
    CHECK(queued <= OUTBOUND_LIMIT, "nor when the snapshot is tried in vain");
    east.is_stuck = false;
    settle();
    tap_is_int((long long)groups_counts(west.groups).memberships, 100000,
               "once it takes something it has everything");
    CHECK(west.downs == 0 && east.downs == 0, "in the same session");
    part();
}

static void check_liveness(void)
{
    meet();
    settle();
    for (int i = 0; i < 100; i++) {
        now_ms += 500;
        peers_tick(east.peers);
        peers_tick(west.peers);
        settle();
    }
    CHECK(east.downs == 0 && west.downs == 0, "an idle session lives by its beats");
    west.is_stuck = true;
    for (int i = 0; i < 11; i++) {
        now_ms += 500;
        peers_tick(east.peers);
        peers_tick(west.peers);
        settle();
    }
    tap_is_text(east.why, "no sign of life", "without a byte for 5 s it has ended");
    part();
}

/* From a proven peer: a message that is none. */
static void check_malformed(void)
{
    static const uint8_t wrong[] = {EXCHANGE_JOIN, 200, 0, 'x'};
    const struct iovec parts = {(void *)wrong, sizeof wrong};

    meet();
    settle();
    peers_send(west.peers, "east", 0, &parts, 1);
    settle();
    tap_is_text(east.why, "a message that is none", "what cannot be read ends the session");
    part();
    meet();
    settle();
    peers_send(west.peers, "east", 0, &(struct iovec){(void *)"\x63", 1}, 1);
    settle();
    tap_is_text(east.why, "a message that is none", "so does what is of no kind");
    part();
}

static void check_foreign_member(void)
{
    struct buf message = {0};
    struct iovec parts;

    meet();
    settle();
    exchange_put_byte(&message, EXCHANGE_JOIN);
    exchange_put_text(&message, "s");
    exchange_put_text(&message, "g");
    exchange_put_text(&message, "app/a@north");
    parts = (struct iovec){buf_front(&message), buf_length(&message)};
    peers_send(west.peers, "east", 0, &parts, 1);
    settle();
    CHECK(members(&east, "g") == 0 && east.downs == 1, "P09: nobody speaks for another's actors");
    buf_finish(&message);
    part();
}

int main(void)
{
    check_snapshot_and_changes();
    check_long_change();
    check_overload();
    check_liveness();
    check_malformed();
    check_foreign_member();
    return tap_done();
}
