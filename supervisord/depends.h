/*
 * Order among applications: dependencies first, declared order otherwise (SEMANTICS 1, seeds 28, 33,
 * 38). Pure.
 */
#ifndef TROUPE_DEPENDS_H
#define TROUPE_DEPENDS_H

#include <stddef.h>

struct depends_item {
    const char *name;
    char *const *needs; /* NULL-terminated names */
};

/* Fills order[n] with indices so that whatever an item needs stands before it; among free choices,
 * the declared order. Returns 0; or -1: *item is the one at fault and *need the unknown name, or
 * NULL when it is a cycle, whose members are then order[0 … *cycle) in turn.
 * known: NULL-terminated further names that exist already (may be NULL). */
int depends_order(const struct depends_item *items, size_t n, const char *const *known,
                  size_t *order, size_t *item, const char **need, size_t *cycle);

/* Fills order[n] with the order of stops: whatever needs an item stands before it, in declared
 * order; else the latest declared first. items[first] and those that need it stand before all
 * others (first == n: nobody is preferred). 0, or -1 with ENOMEM. */
int depends_stop_order(const struct depends_item *items, size_t n, size_t first, size_t *order);

#endif
