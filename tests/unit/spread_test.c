/* Who of a group gets a message. */
#include "../../cli/spread.h"
#include "tap.h"

#include <stdlib.h>

enum { MEMBERS = 6, ROUNDS = 6000 };

static const char *const nodes[MEMBERS] = {"west", "", "west", "north", "", "north"};

static const char *node_of(void *data, size_t i)
{
    (void)data;
    return nodes[i];
}

static const char *elsewhere(void *data, size_t i)
{
    (void)data;
    return nodes[i % 2 * 3]; /* west or north */
}

static size_t chance(size_t n)
{
    return (size_t)rand() % n;
}

static size_t choose(enum spread spread, size_t chosen[])
{
    return spread_choose(spread, MEMBERS, node_of, NULL, chance, chosen);
}

static bool is_fair(const unsigned got[], const bool may[], unsigned share)
{
    for (size_t i = 0; i < MEMBERS; i++)
        if (may[i] ? got[i] < share * 8 / 10 || got[i] > share * 12 / 10 : got[i] != 0)
            return false;
    return true;
}

/* How often each was chosen; *always: as many each time. */
static void play(enum spread spread, size_t count, unsigned got[], bool *always)
{
    size_t chosen[MEMBERS];

    *always = true;
    memset(got, 0, MEMBERS * sizeof *got);
    for (int round = 0; round < ROUNDS; round++) {
        *always = *always && choose(spread, chosen) == count;
        for (size_t i = 0; i < count; i++)
            got[chosen[i]]++;
    }
}

int main(void)
{
    static const bool anyone[MEMBERS] = {true, true, true, true, true, true};
    static const bool here[MEMBERS] = {[1] = true, [4] = true};
    unsigned got[MEMBERS];
    size_t chosen[MEMBERS];
    bool always;

    CHECK(choose(SPREAD_ALL, chosen) == MEMBERS && chosen[5] == 5, "all are all, in order");
    play(SPREAD_ONE, 1, got, &always);
    CHECK(always && is_fair(got, anyone, ROUNDS / MEMBERS),
          "one is any of them, with equal chance");
    play(SPREAD_ONE_PER_NODE, 3, got, &always);
    CHECK(always && is_fair(got, anyone, ROUNDS / 2), "one of each node, each with equal chance");
    CHECK(got[0] + got[2] == ROUNDS && got[1] + got[4] == ROUNDS, "and no node twice");
    play(SPREAD_NEAREST, 1, got, &always);
    CHECK(always && is_fair(got, here, ROUNDS / 2), "the nearest are those that are here");
    CHECK(spread_choose(SPREAD_NEAREST, MEMBERS, elsewhere, NULL, chance, chosen) == 1,
          "without any here one of the others");
    CHECK(spread_choose(SPREAD_ONE, 0, node_of, NULL, chance, chosen) == 0, "of nobody nobody");
    return tap_done();
}
