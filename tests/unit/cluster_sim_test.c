/*
 * A thousand nodes for a hundred seconds of faults, and then in quiet: see tests/sim/world.h.
 * 10,000 steps of 10 ms; in each something may fail. What must hold always:
 *   - nobody has a session with one that has no cookie, nor loses one to it
 *   - nobody keeps a session with one that it cannot hear
 *   - every member that a node knows belongs to a session that it has, of that session's generation
 * and after the quiet:
 *   - every node has the sessions that it is meant to have, both sides of each agree which it is
 *   - every node's members of a peer are just what that peer's actors have joined
 *
 * SIM_SEEDS=N runs N seeds; SIM_SEED=S one of them; SIM_NODES, SIM_STEPS as said.
 */
#include "../sim/world.h"
#include "tap.h"

#include <stdlib.h>
#include <time.h>

enum { MESH = 30, LIARS = 10, STEP_MS = 10, QUIET_MS = 60000 };

static struct world *world;
static size_t honest;          /* hosts; the liars come after them */
static int64_t sides_since_ms; /* when the partition was last changed */

static uint64_t pick(uint64_t n)
{
    return chance_below(&world->chance, n);
}

/* ---- what a node believes ---------------------------------------------------------------- */

struct belief {
    struct host *host;
    struct auth_identity *sessions; /* by host; name "" when there is none */
    uint64_t *sums;                 /* of the members that it knows of each host */
};

static void believe_session(void *ctx, const struct peers_row *row)
{
    struct belief *belief = ctx;

    belief->sessions[host_of_name(row->identity.name)] = row->identity;
}

/* Adding these up gives the same, whatever the order. */
static uint64_t member_sum(const char *group, const char *address, size_t count)
{
    uint64_t hash = 14695981039346656037u;

    for (const char *at = group; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 1099511628211u;
    for (const char *at = address; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 1099511628211u;
    return (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9u * count;
}

static void believe_member(void *data, const char *scope, const char *group,
                           const struct groups_actor *actor, size_t count)
{
    struct belief *belief = data;
    const char *name = *actor->node ? actor->node : belief->host->self.identity.name;
    const struct auth_identity *session = &belief->sessions[host_of_name(name)];
    uint64_t generation = strtoull(strchr(actor->address, '#') + 1, NULL, 10);

    (void)scope;
    belief->sums[host_of_name(name)] += member_sum(group, actor->address, count);
    if (*actor->node && !*session->name)
        world_complain(world, "%s has a member of %s and no session with it",
                       belief->host->self.identity.name, name);
    else if (*actor->node && generation != session->generation)
        world_complain(world, "%s has a member of a dead generation of %s",
                       belief->host->self.identity.name, name);
}

static struct belief ask(struct host *host)
{
    struct belief belief = {host, calloc(world->count, sizeof *belief.sessions),
                            calloc(world->count, sizeof *belief.sums)};

    peers_each(host->peers, believe_session, &belief);
    groups_each(host->groups, GROUPS_ALL, believe_member, &belief);
    return belief;
}

static void forget(struct belief *belief)
{
    free(belief->sessions);
    free(belief->sums);
}

/* Whoever has not been heard for longer than that is gone. */
static void check_cut(const struct belief *belief)
{
    if (world->now_ms - sides_since_ms < PEERS_SILENT_MS + AUTH_LATE_MS)
        return;
    for (size_t i = 0; i < honest; i++)
        if (*belief->sessions[i].name && network_is_cut(world, belief->host->index, i))
            world_complain(world, "%s has a session with n%zu, of which it hears nothing",
                           belief->host->self.identity.name, i);
}

static void check_host(struct host *host)
{
    struct belief belief;

    if (!host->is_up)
        return;
    belief = ask(host);
    check_cut(&belief);
    forget(&belief);
}

static void check_somebody(void)
{
    check_host(&world->hosts[pick(honest)]);
}

/* ---- after the quiet --------------------------------------------------------------------- */

static bool is_meant(const struct host *a, size_t b)
{
    for (size_t i = 0; i < a->target_count; i++)
        if (a->targets[i] == b)
            return true;
    return a->is_transitive && world->hosts[b].is_transitive && a->index != b;
}

static void compare_session(const struct belief *belief, const struct belief *beliefs, size_t b)
{
    const struct host *host = belief->host;
    const struct host *other = &world->hosts[b];
    const struct auth_identity *session = &belief->sessions[b];
    const char *name = host->self.identity.name;

    if (!*session->name) {
        if (is_meant(host, b) || is_meant(other, host->index))
            world_complain(world, "%s has no session with n%zu", name, b);
        if (belief->sums[b])
            world_complain(world, "%s has members of n%zu", name, b);
        return;
    }
    if (session->generation != other->self.identity.generation ||
        session->instance != other->self.identity.instance)
        world_complain(world, "%s has a session with an n%zu that is gone", name, b);
    if (!*beliefs[b].sessions[host->index].name)
        world_complain(world, "n%zu knows nothing of the session of %s", b, name);
    if (belief->sums[b] != beliefs[b].sums[b])
        world_complain(world, "%s has not the members that n%zu has", name, b);
}

/* A node's own members are what its actors joined. */
static void compare_own(const struct belief *belief)
{
    static const char *const names[GROUPS] = {"one", "two", "three"};
    const struct host *host = belief->host;
    uint64_t sum = 0;

    for (unsigned group = 0; group < GROUPS; group++)
        for (unsigned actor = 0; actor < ACTORS; actor++)
            sum += member_sum(names[group], host_address(host, actor), host->joined[group][actor]);
    if (sum != belief->sums[host->index])
        world_complain(world, "%s has lost members of its own", host->self.identity.name);
}

static void check_all(void)
{
    struct belief *beliefs = calloc(honest, sizeof *beliefs);

    for (size_t i = 0; i < honest; i++)
        beliefs[i] = ask(&world->hosts[i]);
    for (size_t i = 0; i < honest; i++) {
        compare_own(&beliefs[i]);
        for (size_t b = 0; b < honest; b++)
            if (b != i)
                compare_session(&beliefs[i], beliefs, b);
    }
    for (size_t i = 0; i < honest; i++)
        forget(&beliefs[i]);
    free(beliefs);
}

/* ---- the course of things ---------------------------------------------------------------- */

static void add_target(struct host *host, size_t target)
{
    if (target != host->index)
        host->targets[host->target_count++] = target;
}

/* A ring with chords; and apart from it one of a few that are transitive and should all come to
 * know each other; liars dial honest ones, in the name of others. */
static void make_cluster(void)
{
    for (size_t i = 0; i < honest; i++) {
        struct host *host = &world->hosts[i];

        host->is_transitive = i < MESH;
        add_target(host, i < MESH ? (i + 1) % MESH : i + 1 < honest ? i + 1 : MESH);
        if (i >= MESH && chance_one_in(&world->chance, 2))
            add_target(host, MESH + pick(honest - MESH));
    }
    for (size_t i = honest; i < world->count; i++) {
        world_make_liar(&world->hosts[i], &world->hosts[pick(honest)]);
        for (int k = 0; k < 4; k++)
            add_target(&world->hosts[i], pick(honest));
    }
    for (size_t i = 0; i < world->count; i++)
        host_start(&world->hosts[i]);
}

static void change_members(void)
{
    struct host *host = &world->hosts[pick(honest)];
    unsigned group = (unsigned)pick(GROUPS), actor = (unsigned)pick(ACTORS);

    if (pick(3))
        host_join(host, group, actor);
    else
        host_leave(host, group, actor);
}

/* Up to four sides, of any size; or one node alone. */
static void cut(void)
{
    unsigned sides = 2 + (unsigned)pick(3);

    sides_since_ms = world->now_ms;
    if (pick(2)) {
        world->hosts[pick(honest)].side = 9;
        return;
    }
    for (size_t i = 0; i < honest; i++)
        world->hosts[i].side = (unsigned)pick(sides);
}

static void heal(void)
{
    sides_since_ms = world->now_ms;
    for (size_t i = 0; i < world->count; i++)
        world->hosts[i].side = 0;
}

static void restart_one(void)
{
    struct host *host = &world->hosts[pick(honest)];

    if (!host->is_up) {
        host_start(host);
    } else if (pick(4)) {
        host_kill(host);
        if (pick(2))
            host_start(host);
    } else {
        host_new_generation(host);
    }
}

static void step(void)
{
    change_members();
    if (chance_one_in(&world->chance, 10))
        restart_one();
    if (chance_one_in(&world->chance, 1200))
        cut();
    if (chance_one_in(&world->chance, 1000))
        heal();
    if (chance_one_in(&world->chance, 5))
        network_replay(world, pick(honest), pick(2));
    if (chance_one_in(&world->chance, 20))
        check_somebody();
    world_run(world, world->now_ms + STEP_MS);
}

/* Two halves that do not hear each other, for long enough. */
static void split(void)
{
    sides_since_ms = world->now_ms;
    for (size_t i = 0; i < world->count; i++)
        world->hosts[i].side = i % 2;
    world_run(world, world->now_ms + PEERS_SILENT_MS + AUTH_LATE_MS + 1000);
    for (size_t i = 0; i < honest; i++)
        check_host(&world->hosts[i]);
}

static void calm_down(void)
{
    heal();
    world->break_one_in = 0;
    for (size_t i = 0; i < honest; i++)
        host_start(&world->hosts[i]);
    world_run(world, world->now_ms + QUIET_MS);
}

/* False: something was wrong, and is printed. */
static bool run(uint64_t seed, size_t nodes, unsigned steps)
{
    clock_t start = clock();
    unsigned done = 0;
    bool good;

    world = world_create(seed, nodes + LIARS);
    honest = nodes;
    world->break_one_in = 5000;
    make_cluster();
    for (; done < steps && !world->wrong[0]; done++)
        step();
    if (!world->wrong[0])
        split();
    if (!world->wrong[0])
        calm_down();
    if (!world->wrong[0])
        check_all();
    good = !world->wrong[0];
    if (!good)
        tap_note("SIM_SEED=%llu after %u steps: %s", (unsigned long long)seed, done, world->wrong);
    tap_note("seed %llu: %llu sessions, %llu refused, %llu breaks, %llu packets; %.1f s of the "
             "processor",
             (unsigned long long)seed, (unsigned long long)world->sessions,
             (unsigned long long)world->handshakes_refused, (unsigned long long)world->breaks,
             (unsigned long long)world->packets, (double)(clock() - start) / CLOCKS_PER_SEC);
    if (world->sessions < nodes || world->handshakes_refused < steps / 50)
        good = tap_ok(false, "something happened at all");
    world_destroy(world);
    return good;
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

int main(void)
{
    unsigned long first = setting("SIM_SEED", 1), seeds = setting("SIM_SEEDS", 1);
    size_t nodes = setting("SIM_NODES", 1000);
    unsigned steps = (unsigned)setting("SIM_STEPS", 10000);

    for (unsigned long seed = first; seed < first + seeds; seed++)
        CHECK(run(seed, nodes, steps),
              "seed %lu: %zu nodes survive %u steps of faults, and agree in the end", seed, nodes,
              steps);
    for (unsigned long seed = first; seed < first + 10 * seeds; seed++)
        CHECK(run(seed, 40, 2000), "seed %lu: 40 nodes survive 2000 steps, of which each has more",
              seed);
    return tap_done();
}
