/* Dependency order: valid, and the first of all valid ones by declared order (brute force). */
#include "../../supervisord/depends.h"
#include "tap.h"

#include <stdlib.h>

enum { RUNS = 3000, ITEMS = 6 };

static const char *const names[ITEMS] = {"a", "b", "c", "d", "e", "f"};

struct graph {
    size_t n;
    char *needs[ITEMS][ITEMS + 1];
    struct depends_item items[ITEMS];
};

static void make_graph(struct graph *graph, unsigned density)
{
    *graph = (struct graph){.n = 1 + (size_t)random() % ITEMS};
    for (size_t i = 0; i < graph->n; i++) {
        size_t used = 0;

        for (size_t j = 0; j < graph->n; j++)
            if (i != j && (unsigned)random() % 100 < density)
                graph->needs[i][used++] = (char *)names[j];
        graph->items[i] = (struct depends_item){.name = names[i], .needs = graph->needs[i]};
    }
}

static bool is_needed(const struct graph *graph, size_t item, size_t other)
{
    for (char *const *need = graph->items[item].needs; *need; need++)
        if (strcmp(*need, graph->items[other].name) == 0)
            return true;
    return false;
}

/* The first valid order, trying the declared order first at every place. */
static bool first_order(const struct graph *graph, size_t *order, size_t placed, unsigned done)
{
    if (placed == graph->n)
        return true;
    for (size_t i = 0; i < graph->n; i++) {
        bool free_to_go = !(done & 1U << i);

        for (size_t j = 0; j < graph->n && free_to_go; j++)
            free_to_go = !is_needed(graph, i, j) || (done & 1U << j);
        order[placed] = i;
        if (free_to_go && first_order(graph, order, placed + 1, done | 1U << i))
            return true;
    }
    return false;
}

static bool is_cycle(const struct graph *graph, const size_t *order, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_needed(graph, order[i], order[(i + 1) % length]))
            return false;
    return length > 0;
}

static bool agrees(unsigned seed)
{
    struct graph graph;
    size_t order[ITEMS], wanted[ITEMS], item = 99, cycle = 0;
    const char *need = "";

    srandom(seed);
    make_graph(&graph, (unsigned)random() % 60);
    if (depends_order(graph.items, graph.n, NULL, order, &item, &need, &cycle) < 0)
        return !first_order(&graph, wanted, 0, 0) && !need && is_cycle(&graph, order, cycle) &&
               item == order[0];
    return first_order(&graph, wanted, 0, 0) && memcmp(order, wanted, graph.n * sizeof *order) == 0;
}

static void check_random(void)
{
    unsigned wrong = 0;

    for (unsigned seed = 1; seed <= RUNS; seed++)
        if (!agrees(seed)) {
            tap_note("seed %u", seed);
            wrong++;
        }
    tap_is_int(wrong, 0, "random graphs get the first valid order, or a true cycle");
}

int main(void)
{
    static char *on_z[] = {"z", NULL}, *on_old[] = {"old", NULL}, *on_itself[] = {"a", NULL};
    static const char *const known[] = {"older", "old", NULL};
    struct depends_item items[3] = {{"a", on_z}, {"b", on_z}, {"z", NULL}};
    size_t order[3], item = 99, cycle;
    const char *need = NULL;

    CHECK(depends_order(items, 3, NULL, order, &item, &need, &cycle) == 0 && order[0] == 2 &&
              order[1] == 0 && order[2] == 1,
          "D28: what both need comes first, they in declared order");
    items[0].needs = items[1].needs = NULL;
    CHECK(depends_order(items, 3, NULL, order, &item, &need, &cycle) == 0 && order[0] == 0 &&
              order[1] == 1 && order[2] == 2,
          "D28: without needs the declared order stands");
    items[1].needs = on_old;
    CHECK(depends_order(items, 3, NULL, order, &item, &need, &cycle) < 0 && item == 1 &&
              strcmp(need, "old") == 0,
          "D33: an unknown need is named, with who has it");
    CHECK(depends_order(items, 3, known, order, &item, &need, &cycle) == 0,
          "what the node has already is known");
    items[0].needs = on_itself;
    items[1].needs = NULL;
    CHECK(depends_order(items, 3, NULL, order, &item, &need, &cycle) < 0 && !need && cycle == 1 &&
              order[0] == 0,
          "D38: who needs itself is a cycle of one");
    CHECK(depends_order(items, 0, NULL, order, &item, &need, &cycle) == 0, "nothing is in order");
    items[0].needs = items[1].needs = on_z;
    CHECK(depends_stop_order(items, 3, 3, order) == 0 && order[0] == 0 && order[1] == 1 &&
              order[2] == 2,
          "D28: dependents stop first, in declared order");
    items[0] = (struct depends_item){"z", NULL};
    items[1] = (struct depends_item){"a", on_z};
    items[2] = (struct depends_item){"b", on_z};
    CHECK(depends_stop_order(items, 3, 0, order) == 0 && order[0] == 1 && order[1] == 2 &&
              order[2] == 0,
          "D28: so they do before the one that is to stop, wherever it was declared");
    items[1].needs = items[2].needs = NULL;
    CHECK(depends_stop_order(items, 3, 3, order) == 0 && order[0] == 2 && order[1] == 1 &&
              order[2] == 0,
          "D28: without needs the latest declared stops first");
    check_random();
    return tap_done();
}
