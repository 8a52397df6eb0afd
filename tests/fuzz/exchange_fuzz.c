/*
 * Any messages of a proven peer about groups and peers (each: two length bytes, that many bytes):
 * the tables stay whole, and nothing of that peer is left when its session is over.
 */
#include "../../cluster/exchange.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t now_ms(void *data)
{
    (void)data;
    return 1;
}

static void give_random(void *data, void *out, size_t size)
{
    (void)data;
    memset(out, 7, size);
}

static void dial(void *data, uint64_t conn, const char *url)
{
    (void)data;
    (void)conn;
    (void)url;
}

static void send_bytes(void *data, uint64_t conn, const void *bytes, size_t size)
{
    (void)data;
    (void)conn;
    (void)bytes;
    (void)size;
}

static void close_conn(void *data, uint64_t conn, bool last_words)
{
    (void)data;
    (void)conn;
    (void)last_words;
}

static void on_event(void *data, uint64_t subscriber, uint64_t ref,
                     const struct groups_event *event)
{
    (void)data;
    (void)subscriber;
    (void)ref;
    for (size_t i = 0; i < event->count; i++)
        if (strcmp(event->actors[i]->node, "west") != 0)
            abort(); /* it speaks for itself only */
}

static void on_local(void *data, const struct groups_event *event)
{
    (void)data;
    (void)event;
    abort(); /* nothing that a peer says is ours */
}

static void count(void *data, const char *scope, const char *group,
                  const struct groups_actor *actor, size_t n)
{
    (void)scope;
    (void)group;
    if (strcmp(actor->node, "west") != 0)
        abort();
    *(size_t *)data += n;
}

static void say_all(struct exchange *exchange, const struct auth_identity *west,
                    const uint8_t *data, size_t size)
{
    while (size >= 2) {
        size_t n = (size_t)data[0] << 8 | data[1];
        uint8_t *message;

        n = n < size - 2 ? n : size - 2;
        message = malloc(n ? n : 1);
        memcpy(message, data + 2, n);
        exchange_message(exchange, west, message, n);
        free(message);
        data += 2 + n;
        size -= 2 + n;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct peers_transport transport = {now_ms, give_random, dial, send_bytes,
                                                     close_conn};
    static const struct peers_handlers none = {0};
    static const struct groups_handlers handlers = {on_event, on_local};
    static const struct auth_self self = {{"east", 1, 1, ""}, 1, 1, {"cookie", 6}};
    static const struct auth_identity west = {"west", 2, 2, "tcp://west:1"};
    struct peers *peers = peers_create(&self, MESH_LEARNS_ALL, &transport, &none, NULL);
    struct groups *groups = groups_create(&handlers, NULL);
    struct exchange *exchange = exchange_create(peers, groups);
    size_t members = 0;

    exchange_up(exchange, &west, false);
    groups_monitor(groups, 1, 1, "s", NULL, count, &members);
    say_all(exchange, &west, data, size);
    members = 0;
    groups_each(groups, GROUPS_ALL, count, &members);
    if (members != groups_counts(groups).memberships)
        abort();
    exchange_down(exchange, &west);
    groups_unsubscribe(groups, 1);
    if (groups_counts(groups).actors || groups_counts(groups).scopes)
        abort();
    exchange_destroy(exchange);
    groups_destroy(groups);
    peers_destroy(peers);
    return 0;
}
