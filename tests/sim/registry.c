#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_living(const struct node_row *row)
{
    return row->generation && row->state != NODE_DEAD && row->state != NODE_LEFT;
}

bool registry_beat(struct registry *registry, size_t site, uint64_t generation)
{
    struct node_row *row = &registry->nodes[site];

    if (row->generation != generation || !is_living(row))
        return false;
    row->beat++;
    return true;
}

static bool insert(struct node_row *row, const struct membership_request *request)
{
    if (row->generation != request->replaced || is_living(row))
        return false;
    *row = (struct node_row){
        .generation = request->generation, .state = NODE_JOINING, .lease_ms = 5000};
    memcpy(row->name, request->name, sizeof row->name);
    return true;
}

static bool move(struct node_row *row, bool is_allowed, enum node_state state)
{
    if (is_allowed)
        row->state = state;
    return is_allowed;
}

bool registry_change(struct registry *registry, const struct membership_request *request)
{
    struct node_row *row = &registry->nodes[strtoul(request->name + 1, NULL, 10)];
    bool is_that = row->generation == request->generation && is_living(row);

    switch (request->what) {
    case MEMBERSHIP_INSERT:
        return insert(row, request);
    case MEMBERSHIP_ALIVE:
        return move(row, is_that && row->state == NODE_JOINING, NODE_ALIVE);
    case MEMBERSHIP_LEAVING:
        return move(row, is_that && row->state != NODE_LEAVING, NODE_LEAVING);
    case MEMBERSHIP_LEFT:
        return move(row, is_that && row->state == NODE_LEAVING, NODE_LEFT);
    case MEMBERSHIP_BURY:
        registry->deaths += is_that && row->beat == request->beat;
        return move(row, is_that && row->beat == request->beat, NODE_DEAD);
    default:
        abort();
    }
}

size_t registry_table(const struct registry *registry, struct node_row rows[SITES])
{
    size_t n = 0;

    for (size_t i = 0; i < SITES; i++)
        if (registry->nodes[i].generation)
            rows[n++] = registry->nodes[i];
    return n;
}

uint64_t registry_claim(struct registry *registry, size_t id, const struct place_row *expected,
                        const char *node, uint64_t generation)
{
    struct place_row *row = &registry->places[id];

    if (row->epoch != expected->epoch || row->generation != expected->generation)
        return 0;
    *row = (struct place_row){.epoch = ++registry->epoch, .generation = generation};
    snprintf(row->node, sizeof row->node, "%s", node);
    registry->highest[id] = row->epoch;
    return row->epoch;
}

void registry_free(struct registry *registry, size_t id, uint64_t generation, uint64_t epoch)
{
    struct place_row *row = &registry->places[id];

    if (row->generation == generation && row->epoch == epoch)
        row->generation = 0;
}

void registry_save(struct registry *registry, size_t id, uint64_t epoch)
{
    if (registry->places[id].epoch != epoch) {
        registry->saves_refused++;
        return;
    }
    registry->saves++;
    registry->stale_saves += epoch < registry->highest[id];
}
