#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_SOURCE = 1 };

static const char cookie[] = "the cookie of this world", false_cookie[] = "a guess";

void world_complain(struct world *world, const char *format, ...)
{
    va_list args;

    if (world->wrong[0])
        return;
    va_start(args, format);
    vsnprintf(world->wrong, sizeof world->wrong, format, args);
    va_end(args);
}

/* ---- what peers and groups say ----------------------------------------------------------- */

size_t host_of_name(const char *name)
{
    return strtoul(name + 1, NULL, 10);
}

/* SIM_TRACE=n7 prints what that node sees. */
__attribute__((format(printf, 2, 3))) static void trace(const struct host *host, const char *format,
                                                        ...)
{
    const char *wanted = getenv("SIM_TRACE");
    va_list args;

    if (!wanted || strcmp(wanted, host->self.identity.name) != 0)
        return;
    printf("# %lld %s: ", (long long)host->world->now_ms, wanted);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void on_up(void *data, const struct auth_identity *peer, bool is_tls)
{
    struct host *host = data;
    struct world *world = host->world;

    trace(host, "up %s", peer->name);
    world->sessions++;
    if (network_is_attack(world))
        world_complain(world, "%s has a session with an attacker", host->self.identity.name);
    if (host->is_liar)
        world_complain(world, "a liar has a session with %s", peer->name);
    if (peer->instance & 1) /* only liars are odd */
        world_complain(world, "%s has a session with a liar", host->self.identity.name);
    exchange_up(host->exchange, peer, is_tls);
}

static void on_down(void *data, const struct auth_identity *peer, const char *why)
{
    struct host *host = data;

    trace(host, "down %s: %s", peer->name, why);
    if (network_is_attack(host->world))
        world_complain(host->world, "an attacker ends a session of %s: %s",
                       host->self.identity.name, why);
    exchange_down(host->exchange, peer);
}

static const char *on_message(void *data, const struct auth_identity *peer, const uint8_t *bytes,
                              size_t size)
{
    struct host *host = data;
    const char *why = exchange_message(host->exchange, peer, bytes, size);

    if (why)
        world_complain(host->world, "%s cannot read what %s says: %s", host->self.identity.name,
                       peer->name, why);
    return why;
}

static void on_refused(void *data, const char *remote, const char *name, const char *why,
                       bool is_told)
{
    struct host *host = data;

    trace(host, "%s (%s) refused: %s%s", remote, name, why, is_told ? ", as it says" : "");
    host->world->handshakes_refused++;
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
    struct host *host = data;

    if (host->exchange)
        exchange_local(host->exchange, event);
}

/* ---- hosts ------------------------------------------------------------------------------- */

const char *host_address(const struct host *host, unsigned actor)
{
    static char text[64];

    snprintf(text, sizeof text, "app/a%u#%llu", actor,
             (unsigned long long)host->self.identity.generation);
    return text;
}

static const char *group_name(unsigned group)
{
    static const char *const names[GROUPS] = {"one", "two", "three"};

    return names[group];
}

static void change(struct host *host, unsigned group, unsigned actor, bool is_join)
{
    const char *const list[1] = {host_address(host, actor)};

    if (!host->is_up)
        return;
    if (is_join)
        groups_join(host->groups, OWN_SOURCE, "s", group_name(group), list, 1);
    else
        groups_leave(host->groups, OWN_SOURCE, "s", group_name(group), list, 1);
    host_settle(host);
}

void host_join(struct host *host, unsigned group, unsigned actor)
{
    host->joined[group][actor]++;
    change(host, group, actor, true);
}

void host_leave(struct host *host, unsigned group, unsigned actor)
{
    if (!host->joined[group][actor])
        return;
    host->joined[group][actor]--;
    change(host, group, actor, false);
}

/* Its supervisors say what they have, as to a sys/node that was restarted. */
static void restore_members(struct host *host)
{
    groups_open(host->groups, OWN_SOURCE, "", "app", EXCHANGE_OWN_MAX);
    groups_snapshot_begin(host->groups, OWN_SOURCE);
    for (unsigned group = 0; group < GROUPS; group++)
        for (unsigned actor = 0; actor < ACTORS; actor++)
            groups_snapshot_add(host->groups, OWN_SOURCE, "s", group_name(group),
                                host_address(host, actor), host->joined[group][actor]);
    groups_snapshot_end(host->groups, OWN_SOURCE);
}

void host_start(struct host *host)
{
    static const struct peers_handlers on_peers = {on_up, on_down, on_message, on_refused};
    static const struct groups_handlers on_groups = {on_event, on_local};
    char url[32];

    if (host->is_up)
        return;
    host->epoch++;
    host->tick_ms = 0;
    host->self.identity.instance = (chance_next(&host->world->chance) << 1 | 2) + host->is_liar;
    host->groups = groups_create(&on_groups, host);
    host->peers =
        peers_create(&host->self, host->is_transitive ? MESH_LEARNS_ALL : MESH_LEARNS_NONE,
                     &network_transport, &on_peers, host);
    restore_members(host);
    host->exchange = exchange_create(host->peers, host->groups);
    host->is_up = true;
    for (size_t i = 0; i < host->target_count; i++) {
        snprintf(url, sizeof url, "sim://%zu", host->targets[i]);
        peers_connect(host->peers, url);
    }
    host_settle(host);
}

void host_kill(struct host *host)
{
    if (!host->is_up)
        return;
    network_forget(host); /* before: what it would say in the end is not heard */
    host->is_up = false;
    peers_destroy(host->peers);
    exchange_destroy(host->exchange);
    groups_destroy(host->groups);
    host->peers = NULL;
    host->exchange = NULL;
    host->groups = NULL;
}

void host_new_generation(struct host *host)
{
    bool was_up = host->is_up;

    host_kill(host);
    host->self.identity.generation = chance_next(&host->world->chance) >> 16 | 1;
    memset(host->joined, 0, sizeof host->joined);
    if (was_up)
        host_start(host);
}

static void tick(void *what, uint64_t epoch)
{
    struct host *host = what;

    if (!host->is_up || host->epoch != epoch || host->tick_ms > host->world->now_ms)
        return;
    host->tick_ms = 0;
    peers_tick(host->peers);
    host_settle(host);
}

void host_settle(struct host *host)
{
    int64_t due_ms;

    if (!host->is_up)
        return;
    exchange_catch_up(host->exchange);
    peers_flush(host->peers);
    due_ms = peers_due_ms(host->peers);
    if (due_ms == INT64_MAX || (host->tick_ms && host->tick_ms <= due_ms))
        return;
    if (due_ms <= host->world->now_ms)
        due_ms = host->world->now_ms + 1;
    host->tick_ms = due_ms;
    agenda_add(&host->world->agenda, due_ms, tick, host, host->epoch);
}

/* ---- the world --------------------------------------------------------------------------- */

static void make_host(struct world *world, size_t index)
{
    struct host *host = &world->hosts[index];

    host->world = world;
    host->index = index;
    host->self = (struct auth_self){.version_min = 1,
                                    .version_max = 1 + (uint16_t)(index % 2),
                                    .key = {cookie, sizeof cookie - 1}};
    snprintf(host->self.identity.name, sizeof host->self.identity.name, "n%zu", index);
    snprintf(host->self.identity.url, sizeof host->self.identity.url, "sim://%zu", index);
    host->self.identity.generation = chance_next(&world->chance) >> 16 | 1;
}

struct world *world_create(uint64_t seed, size_t hosts)
{
    struct world *world = calloc(1, sizeof *world);

    if (!world)
        abort();
    world->chance.state = seed;
    world->now_ms = 1;
    world->count = hosts;
    world->hosts = calloc(hosts, sizeof *world->hosts);
    for (size_t i = 0; i < hosts; i++)
        make_host(world, i);
    return world;
}

void world_make_liar(struct host *host, const struct host *victim)
{
    host->is_liar = true;
    host->self.identity = victim->self.identity;
    host->self.key = (struct mac_part){false_cookie, sizeof false_cookie - 1};
}

void world_run(struct world *world, int64_t until_ms)
{
    struct item item;

    while (agenda_next(&world->agenda, until_ms, &item)) {
        if (item.at_ms > world->now_ms)
            world->now_ms = item.at_ms;
        item.happen(item.what, item.number);
    }
    world->now_ms = until_ms;
}

void world_destroy(struct world *world)
{
    for (size_t i = 0; i < world->count; i++)
        host_kill(&world->hosts[i]);
    network_finish(world);
    agenda_finish(&world->agenda);
    free(world->hosts);
    free(world);
}
