/*
 * Which node a service actor is started on: who is a candidate, and what each strategy makes of
 * the candidates.
 */
#include "../../cluster/placement.h"
#include "../../cluster/rendezvous.h"
#include "tap.h"

#include <stdlib.h>

enum { NODES = 10, ROOM = 1000000 };

static struct node_service offers[NODES];
static struct node_row rows[NODES];

/* n nodes "n0", "n1", …, alive, with room, and nothing on them. */
static void make(size_t n)
{
    memset(rows, 0, sizeof rows);
    for (size_t i = 0; i < n; i++) {
        offers[i] = (struct node_service){.path = "shop/carts", .max = ROOM};
        rows[i] = (struct node_row){.generation = i + 1, .state = NODE_ALIVE};
        snprintf(rows[i].name, sizeof rows[i].name, "n%zu", i);
        rows[i].services = &offers[i];
        rows[i].service_count = 1;
    }
}

static uint64_t random_bits(void)
{
    return (uint64_t)random() << 62 ^ (uint64_t)random() << 31 ^ (uint64_t)random();
}

/* The index, or NODES + the answer. */
static size_t ask(enum placement_strategy strategy, const char *id, const char *asker, size_t n)
{
    const struct placement_question question = {strategy, "shop/carts", id, asker, random_bits()};
    size_t at = 0;
    enum placement_answer answer = placement_choose(&question, rows, n, &at);

    return answer == PLACEMENT_FOUND ? at : NODES + answer;
}

static void check_candidates(enum placement_strategy strategy, const char *word)
{
    static const enum node_state others[] = {NODE_JOINING, NODE_LEAVING, NODE_DEAD, NODE_LEFT};

    make(1);
    tap_is_int((long long)ask(strategy, "1", "n0", 1), 0, word);
    tap_is_int((long long)ask(strategy, "1", "n0", 0), NODES + PLACEMENT_NOBODY, "nobody is there");
    for (size_t i = 0; i < 4; i++) {
        rows[0].state = others[i];
        tap_is_int((long long)ask(strategy, "1", "n0", 1), NODES + PLACEMENT_NOBODY,
                   "only who is alive is asked");
    }
    make(1);
    rows[0].service_count = 0;
    tap_is_int((long long)ask(strategy, "1", "n0", 1), NODES + PLACEMENT_NOBODY,
               "only who offers any service");
    make(1);
    snprintf(offers[0].path, sizeof offers[0].path, "shop/cart");
    tap_is_int((long long)ask(strategy, "1", "n0", 1), NODES + PLACEMENT_NOBODY,
               "only who offers that service");
    make(1);
    offers[0].max = 7;
    offers[0].instances = 6;
    tap_is_int((long long)ask(strategy, "1", "n0", 1), 0, "up to max");
    offers[0].instances = 7;
    tap_is_int((long long)ask(strategy, "1", "n0", 1), NODES + PLACEMENT_OVERLOADED,
               "at max it is overloaded");
    make(1);
    rows[0].memory_percent = 100;
    tap_is_int((long long)ask(strategy, "1", "n0", 1), NODES + PLACEMENT_OVERLOADED,
               "without memory it is overloaded");
    make(1);
    rows[0].load_percent = 100;
    tap_is_int((long long)ask(strategy, "1", "n0", 1), NODES + PLACEMENT_OVERLOADED,
               "with all the load that is allowed, too");
    make(2);
    rows[0].load_percent = 120;
    tap_is_int((long long)ask(strategy, "1", "n0", 2), 1, "another that has room is taken");
}

static void count(enum placement_strategy strategy, const char *asker, size_t n, unsigned rounds,
                  unsigned counts[NODES])
{
    char id[16];

    memset(counts, 0, NODES * sizeof *counts);
    for (unsigned i = 0; i < rounds; i++) {
        snprintf(id, sizeof id, "%u", i);
        counts[ask(strategy, id, asker, n)]++;
    }
}

static bool is_even(const unsigned counts[NODES], size_t n, unsigned rounds)
{
    for (size_t i = 0; i < n; i++)
        if (counts[i] * n < rounds * 9 / 10 || counts[i] * n > rounds * 11 / 10)
            return false;
    return true;
}

static void check_spread(void)
{
    unsigned counts[NODES];

    make(5);
    count(PLACEMENT_LOCAL, "n3", 5, 1000, counts);
    tap_is_int(counts[3], 1000, "local: always where the caller is");
    rows[3].memory_percent = 100;
    count(PLACEMENT_LOCAL, "n3", 5, 20000, counts);
    counts[3] = counts[4];
    CHECK(is_even(counts, 4, 20000), "local without room: any other, evenly");
    make(5);
    count(PLACEMENT_RANDOM, "n3", 5, 20000, counts);
    CHECK(is_even(counts, 5, 20000), "random: evenly");
    count(PLACEMENT_HASH, "n3", 5, 20000, counts);
    CHECK(is_even(counts, 5, 20000), "hash: evenly");
}

static void check_weight(void)
{
    CHECK(rendezvous_weight("a", "shop/carts", "42") == 0xfd7d67dcc49b5cd5 &&
              rendezvous_weight("b", "shop/carts", "42") == 0x5367eca5f7ac93ee,
          "the weight is the head of SHA-256 of node, 0, service/id");
    make(2);
    snprintf(rows[0].name, sizeof rows[0].name, "b");
    snprintf(rows[1].name, sizeof rows[1].name, "a");
    tap_is_int((long long)ask(PLACEMENT_HASH, "42", "b", 2), 1, "the highest wins");
}

/* Every id with n nodes and one less. */
static void check_moves(void)
{
    unsigned moved = 0, wrong = 0;
    char id[16];

    make(NODES);
    for (unsigned i = 0; i < 5000; i++) {
        size_t with, without;

        snprintf(id, sizeof id, "%u", i);
        rows[4].state = NODE_ALIVE;
        with = ask(PLACEMENT_HASH, id, "n0", NODES);
        wrong += ask(PLACEMENT_HASH, id, "n7", NODES) != with;
        rows[4].state = NODE_DEAD;
        without = ask(PLACEMENT_HASH, id, "n0", NODES);
        moved += with == 4;
        wrong += with != 4 && with != without;
    }
    tap_is_int(wrong, 0, "hash: all say the same, and when a node goes only its own ids move");
    CHECK(moved > 400 && moved < 600, "those are its share (%u)", moved);
}

/* Each choice adds an instance. */
static unsigned fullest(enum placement_strategy strategy, unsigned rounds)
{
    unsigned most = 0;

    make(NODES);
    for (unsigned i = 0; i < rounds; i++)
        offers[ask(strategy, "x", "n0", NODES)].instances++;
    for (size_t i = 0; i < NODES; i++)
        if (offers[i].instances > most)
            most = offers[i].instances;
    return most;
}

static void check_least(void)
{
    unsigned counts[NODES];

    make(2);
    offers[1].instances = 1;
    count(PLACEMENT_LEAST, "n1", 2, 1000, counts);
    tap_is_int(counts[0], 1000, "least: of two, always that with fewer");
    make(3);
    offers[0].instances = 2;
    offers[1].instances = 1;
    count(PLACEMENT_LEAST, "n1", 3, 30000, counts);
    tap_is_int(counts[0], 0, "the fullest never");
    CHECK(counts[1] > 9000 && counts[1] < 11000,
          "the second when the choices are it and the first");
    CHECK(fullest(PLACEMENT_LEAST, 10000) <= 1005, "it keeps the fullest close to the mean");
    CHECK(fullest(PLACEMENT_RANDOM, 10000) > 1020, "which random does not");
}

static void check_words(void)
{
    static const char *const words[] = {"local", "random", "hash", "least"};
    enum placement_strategy strategy = PLACEMENT_LOCAL;

    for (int i = 0; i < 4; i++)
        CHECK(placement_strategy_read(words[i], &strategy) == 0 && (int)strategy == i,
              "%s is a strategy", words[i]);
    CHECK(placement_strategy_read("nearest", &strategy) == -1, "nearest is none");
}

int main(void)
{
    srandom(1);
    check_candidates(PLACEMENT_LOCAL, "local: the only candidate");
    check_candidates(PLACEMENT_RANDOM, "random: the only candidate");
    check_candidates(PLACEMENT_HASH, "hash: the only candidate");
    check_candidates(PLACEMENT_LEAST, "least: the only candidate");
    check_spread();
    check_weight();
    check_moves();
    check_least();
    check_words();
    return tap_done();
}
