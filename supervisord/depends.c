#include "depends.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static size_t find(const struct depends_item *items, size_t n, const char *name)
{
    size_t i = 0;

    while (i < n && strcmp(items[i].name, name) != 0)
        i++;
    return i;
}

static bool is_among(const char *const *names, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static bool is_placed(const size_t *order, size_t placed, size_t item)
{
    for (size_t i = 0; i < placed; i++)
        if (order[i] == item)
            return true;
    return false;
}

/* The first thing that items[item] needs and that is not placed yet; n when there is none. */
static size_t missing_need(const struct depends_item *items, size_t n, size_t item,
                           const size_t *order, size_t placed)
{
    for (char *const *need = items[item].needs; need && *need; need++) {
        size_t found = find(items, n, *need);

        if (found < n && !is_placed(order, placed, found))
            return found;
    }
    return n;
}

static int check_known(const struct depends_item *items, size_t n, const char *const *known,
                       size_t *item, const char **need)
{
    for (size_t i = 0; i < n; i++)
        for (char *const *name = items[i].needs; name && *name; name++)
            if (find(items, n, *name) == n && !is_among(known, *name)) {
                *item = i;
                *need = *name;
                return -1;
            }
    return 0;
}

static size_t next_free(const struct depends_item *items, size_t n, const size_t *order,
                        size_t placed)
{
    size_t i = 0;

    while (i < n && (is_placed(order, placed, i) || missing_need(items, n, i, order, placed) < n))
        i++;
    return i;
}

/* Nothing more is free: who follows missing needs for long enough walks in a circle. The walk is
 * kept behind the placed items, where just as many entries are unused as items are left. */
static void find_cycle(const struct depends_item *items, size_t n, size_t *order, size_t placed,
                       size_t *cycle)
{
    size_t *walk = order + placed, length = 0, at = 0, first = 0;

    while (is_placed(order, placed, at))
        at++;
    while (!is_placed(walk, length, at)) {
        walk[length++] = at;
        at = missing_need(items, n, at, order, placed);
    }
    while (walk[first] != at)
        first++;
    *cycle = length - first;
    memmove(order, walk + first, *cycle * sizeof *order);
}

int depends_order(const struct depends_item *items, size_t n, const char *const *known,
                  size_t *order, size_t *item, const char **need, size_t *cycle)
{
    if (check_known(items, n, known, item, need) < 0)
        return -1;
    for (size_t placed = 0; placed < n; placed++) {
        size_t next = next_free(items, n, order, placed);

        if (next == n) {
            find_cycle(items, n, order, placed, cycle);
            *item = order[0];
            *need = NULL;
            return -1;
        }
        order[placed] = next;
    }
    return 0;
}

struct stops {
    const struct depends_item *items;
    size_t n, *order, placed;
    bool *seen;
};

static void place_stop(struct stops *stops, size_t item)
{
    if (stops->seen[item])
        return;
    stops->seen[item] = true;
    for (size_t i = 0; i < stops->n; i++)
        if (is_among((const char *const *)stops->items[i].needs, stops->items[item].name))
            place_stop(stops, i);
    stops->order[stops->placed++] = item;
}

int depends_stop_order(const struct depends_item *items, size_t n, size_t first, size_t *order)
{
    struct stops stops = {items, n, order, 0, calloc(n + 1, sizeof *stops.seen)};

    if (!stops.seen)
        return -1;
    if (first < n)
        place_stop(&stops, first);
    for (size_t i = n; i-- > 0;)
        place_stop(&stops, i);
    free(stops.seen);
    return 0;
}
