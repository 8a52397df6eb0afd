#include "spread.h"

#include <string.h>

/* Who is asked for, and where they are. */
struct choice {
    const char *(*node_of)(void *data, size_t i);
    void *data;
    size_t (*chance)(size_t n);
    size_t *chosen, count;
};

static const char *node(const struct choice *choice, size_t at)
{
    return choice->node_of(choice->data, choice->chosen[at]);
}

static void swap(struct choice *choice, size_t a, size_t b)
{
    size_t other = choice->chosen[a];

    choice->chosen[a] = choice->chosen[b];
    choice->chosen[b] = other;
}

static void keep_one(struct choice *choice)
{
    if (choice->count < 2)
        return;
    swap(choice, 0, choice->chance(choice->count));
    choice->count = 1;
}

static void keep_nearest(struct choice *choice)
{
    size_t here = 0;

    for (size_t i = 0; i < choice->count; i++)
        if (!*node(choice, i))
            swap(choice, here++, i);
    if (here)
        choice->count = here;
}

/* Shuffled, the first of each node is any of that node. */
static void keep_one_per_node(struct choice *choice)
{
    size_t kept = 0;

    for (size_t i = choice->count; i > 1; i--)
        swap(choice, i - 1, choice->chance(i));
    for (size_t i = 0; i < choice->count; i++) {
        size_t k = 0;

        while (k < kept && strcmp(node(choice, k), node(choice, i)) != 0)
            k++;
        if (k == kept)
            swap(choice, kept++, i);
    }
    choice->count = kept;
}

size_t spread_choose(enum spread spread, size_t count, const char *(*node_of)(void *data, size_t i),
                     void *data, size_t (*chance)(size_t n), size_t chosen[])
{
    struct choice choice = {node_of, data, chance, chosen, count};

    for (size_t i = 0; i < count; i++)
        chosen[i] = i;
    if (spread == SPREAD_ONE_PER_NODE)
        keep_one_per_node(&choice);
    if (spread == SPREAD_NEAREST)
        keep_nearest(&choice);
    if (spread == SPREAD_NEAREST || spread == SPREAD_ONE)
        keep_one(&choice);
    return choice.count;
}
