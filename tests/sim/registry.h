/*
 * The store of a simulated world of services: the rows of nodes, places and states, and what each
 * request does to them, all at once (CLUSTER 4). When a request arrives, and whether, is
 * sites.c's. It keeps watch over itself, too: no save of an older epoch may ever be accepted.
 */
#ifndef TROUPE_TESTS_SIM_REGISTRY_H
#define TROUPE_TESTS_SIM_REGISTRY_H

#include "../../cluster/membership.h"
#include "../../cluster/place.h"

enum { SITES = 5, IDS = 8 };

struct registry {
    struct node_row nodes[SITES]; /* generation 0: no row */
    struct place_row places[IDS];
    uint64_t epoch;        /* the one counter */
    uint64_t highest[IDS]; /* epoch ever given to an id */
    uint64_t saves, saves_refused, stale_saves, deaths;
};

/* beat + 1 where name, generation and a living state are these. */
bool registry_beat(struct registry *registry, size_t site, uint64_t generation);
/* What a membership asks for that is not a reading. */
bool registry_change(struct registry *registry, const struct membership_request *request);
/* The rows, into SITES. */
size_t registry_table(const struct registry *registry, struct node_row rows[SITES]);
/* The new epoch; 0: the row is not as expected. */
uint64_t registry_claim(struct registry *registry, size_t id, const struct place_row *expected,
                        const char *node, uint64_t generation);
void registry_free(struct registry *registry, size_t id, uint64_t generation, uint64_t epoch);
/* L5 */
void registry_save(struct registry *registry, size_t id, uint64_t epoch);

#endif
