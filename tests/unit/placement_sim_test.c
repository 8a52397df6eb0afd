/*
 * Leases, membership and placement of five nodes (CLUSTER 4, L1 to L6) under a store that fails and
 * pauses, hosts that pause and die, clocks whose rates differ by up to 20 %, and partitions, by
 * seed: no two instances of an id at one time, ever; no save of an old epoch accepted; and when all
 * is well again every id can be had. SIM_SEED=n SIM_SEEDS=1 repeats a course that failed.
 */
#include "../sim/sites.h"
#include "tap.h"

#include <stdlib.h>

enum { STEP_MS = 100, CALM_MS = 200000 };

static struct realm *realm;

static size_t pick(size_t n)
{
    return (size_t)chance_below(&realm->chance, n);
}

static bool one_in(uint64_t n)
{
    return chance_one_in(&realm->chance, n);
}

static struct site *some_site(void)
{
    return &realm->sites[pick(SITES)];
}

/* ---- the course of things ---------------------------------------------------------------- */

static void use_services(void)
{
    size_t id = pick(IDS);

    site_call(some_site(), id);
    for (size_t i = 0; i < SITES; i++) {
        site_save(&realm->sites[i], pick(IDS));
        if (one_in(100))
            site_end(&realm->sites[i], id);
    }
}

static void disturb_sites(void)
{
    struct site *site = some_site();

    if (one_in(250))
        site_pause(site, (int64_t)pick(one_in(3) ? 40000 : 8000));
    if (one_in(400))
        site_kill(site);
    if (one_in(300))
        site_restart_node(site);
    if (one_in(1500))
        site_leave(site);
    if (one_in(60))
        site_start(some_site(), !one_in(4));
}

static void disturb_store(void)
{
    if (one_in(500))
        realm->is_store_down = true;
    if (one_in(150))
        realm->is_store_down = false;
    if (one_in(400))
        realm->store_paused_until_ms = realm->now_ms + (int64_t)pick(one_in(3) ? 40000 : 8000);
}

static void disturb_ways(void)
{
    if (one_in(300))
        some_site()->is_cut_off = true;
    if (one_in(60))
        some_site()->is_cut_off = false;
    if (one_in(400))
        some_site()->side = (unsigned)pick(3);
    if (one_in(200))
        for (size_t i = 0; i < SITES; i++)
            realm->sites[i].side = 0;
}

static void step(void)
{
    use_services();
    disturb_sites();
    disturb_store();
    disturb_ways();
    realm_run(realm, STEP_MS);
}

static void calm_down(void)
{
    realm->is_calm = true;
    realm->is_store_down = false;
    realm->store_paused_until_ms = 0;
    for (size_t i = 0; i < SITES; i++) {
        realm->sites[i].is_cut_off = false;
        realm->sites[i].side = 0;
        realm->sites[i].paused_until_ms = 0;
    }
}

/* All nodes alive, called for every id at every one: each id once. */
static const char *settle_down(void)
{
    for (int64_t ms = 0; ms < CALM_MS; ms += STEP_MS) {
        for (size_t i = 0; i < SITES; i++)
            site_start(&realm->sites[i], true);
        realm_run(realm, STEP_MS);
    }
    for (size_t i = 0; i < SITES; i++)
        if (membership_state(realm->sites[i].membership) != NODE_ALIVE)
            return "a node is not alive after the quiet";
    for (size_t id = 0; id < IDS; id++)
        for (size_t i = 0; i < SITES; i++) {
            site_call(&realm->sites[i], id);
            realm_run(realm, 2000);
        }
    for (size_t id = 0; id < IDS; id++)
        if (realm_instances(realm, id) != 1)
            return "an id cannot be had after the quiet";
    return NULL;
}

static const char *wrong(void)
{
    if (realm->wrong[0])
        return realm->wrong;
    return realm->registry.stale_saves ? "a save of an old epoch was accepted" : NULL;
}

/* What is not exercised is not tested. */
static const char *too_quiet(unsigned steps)
{
    const struct registry *registry = &realm->registry;

    if (realm->starts < steps / 100 || realm->fenced < steps / 1000 ||
        realm->extended < steps / 1000 || registry->deaths < steps / 1000 ||
        registry->saves < steps / 10 || registry->saves_refused < 1)
        return "nothing much happened";
    return NULL;
}

static bool course(uint64_t seed, unsigned steps)
{
    const char *why = NULL;
    unsigned done = 0;

    realm = realm_create(seed);
    for (; done < steps && !why; done++) {
        step();
        why = wrong();
    }
    if (!why)
        why = too_quiet(steps);
    if (!why) {
        calm_down();
        why = settle_down();
    }
    if (!why)
        why = wrong();
    if (why)
        tap_note("SIM_SEED=%llu after %u steps: %s", (unsigned long long)seed, done, why);
    tap_note(
        "seed %llu: %llu starts, %llu ends of leases, %llu deaths, %llu saves and %llu refused, "
        "%llu events in a lease that peers kept",
        (unsigned long long)seed, (unsigned long long)realm->starts,
        (unsigned long long)realm->fenced, (unsigned long long)realm->registry.deaths,
        (unsigned long long)realm->registry.saves,
        (unsigned long long)realm->registry.saves_refused, (unsigned long long)realm->extended);
    realm_destroy(realm);
    return !why;
}

/* ---- courses by hand --------------------------------------------------------------------- */

/* All alive, all ids running. */
static void begin(void)
{
    realm = realm_create(1);
    realm->is_calm = true;
    realm_run(realm, 10000);
    for (size_t id = 0; id < IDS; id++)
        site_call(&realm->sites[id % SITES], id);
    realm_run(realm, 3000);
}

static size_t living(void)
{
    size_t n = 0;

    for (size_t id = 0; id < IDS; id++)
        n += realm_instances(realm, id);
    return n;
}

/* Somebody calls there until it runs, for so long. */
static bool is_had(struct site *site, size_t id, int64_t ms)
{
    for (int64_t gone_ms = 0; gone_ms < ms && !site->running[id]; gone_ms += STEP_MS) {
        site_call(site, id);
        realm_run(realm, STEP_MS);
    }
    return site->running[id] != 0;
}

static void check_start(void)
{
    begin();
    tap_is_int((long long)living(), IDS, "each actor runs within 3 s of the first call");
    realm_run(realm, 600000);
    CHECK(living() == IDS && !realm->fenced && !realm->registry.deaths,
          "and in ten quiet minutes nobody is fenced, nobody declared dead");
    realm_destroy(realm);
}

static void check_silence(void)
{
    begin();
    realm->is_store_down = true;
    realm_run(realm, 45000);
    tap_is_int((long long)living(), IDS, "37: the store is down for 45 s: all go on");
    realm->is_store_down = false;
    realm_run(realm, 30000);
    CHECK(living() == IDS && !realm->registry.deaths, "37: and nobody was declared dead");
    realm->is_store_down = true;
    realm_run(realm, 70000);
    tap_is_int((long long)living(), 0, "for more than 60 s: all have ended");
    realm_destroy(realm);
}

static void check_cut_off(void)
{
    begin();
    realm->sites[2].is_cut_off = true;
    realm_run(realm, 6000);
    CHECK(!realm->sites[2].running[2], "a node that alone does not reach the store ends in time");
    realm_run(realm, 3000);
    tap_is_int((long long)realm->registry.deaths, 1, "and is declared dead");
    CHECK(is_had(&realm->sites[0], 2, 2000), "another node takes over what it had");
    realm_destroy(realm);
}

static void check_one_silent(void)
{
    begin();
    realm->is_store_down = true;
    realm->sites[4].side = 1;
    realm_run(realm, 10000);
    tap_is_int((long long)living(), 0, "the store down and one peer silent: all end");
    realm_destroy(realm);
}

static void check_killed(void)
{
    begin();
    site_kill(&realm->sites[3]);
    CHECK(is_had(&realm->sites[1], 3, 9000), "a killed node's actors are had from another in 9 s");
    realm_destroy(realm);
    begin();
    site_kill(&realm->sites[3]);
    site_start(&realm->sites[3], true);
    realm_run(realm, 4000);
    CHECK(membership_state(realm->sites[3].membership) == NODE_ALIVE,
          "27: one that comes back with its lock free is alive within 4 s");
    realm_destroy(realm);
}

static void check_paused(void)
{
    begin();
    site_pause(&realm->sites[1], 30000);
    realm_run(realm, 6000);
    CHECK(realm_instances(realm, 1) == 0, "26: a stopped node's actors end without it waking");
    realm_run(realm, 3000);
    CHECK(is_had(&realm->sites[0], 1, 2000), "26: another takes over");
    realm_run(realm, 25000);
    CHECK(!realm->sites[1].is_up && realm_instances(realm, 1) == 1 && !realm->wrong[0],
          "26: when it wakes it is out");
    realm_destroy(realm);
}

static void check_leaving(void)
{
    begin();
    site_leave(&realm->sites[0]);
    realm_run(realm, 4000);
    CHECK(!realm->sites[0].is_up && realm->registry.nodes[0].state == NODE_LEFT &&
              !realm->registry.places[0].generation && !realm->registry.deaths,
          "33: a node that leaves in order frees its places and is gone at once");
    realm_destroy(realm);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *text = getenv(name);

    return text && *text ? strtoul(text, NULL, 10) : otherwise;
}

int main(void)
{
    unsigned long first = setting("SIM_SEED", 1), seeds = setting("SIM_SEEDS", 20);
    unsigned steps = (unsigned)setting("SIM_STEPS", 10000);

    check_start();
    check_silence();
    check_cut_off();
    check_one_silent();
    check_killed();
    check_paused();
    check_leaving();
    for (unsigned long seed = first; seed < first + seeds; seed++)
        CHECK(course(seed, steps), "seed %lu: no two instances in %u steps", seed, steps);
    return tap_done();
}
