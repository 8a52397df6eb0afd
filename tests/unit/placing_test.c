/*
 * One service actor's row, from the call to the free row, as node "a" of generation 1 lives it
 * beside "b" of generation 2. What many nodes do to one row is placement_sim_test.c's.
 */
#include "../../cluster/place.h"
#include "tap.h"

#include <stdlib.h>

static struct lease lease;
static struct membership *nodes;
static struct membership_request reading;
static struct place place;

static void on_ask(void *data, const struct membership_request *request)
{
    (void)data;
    if (request->what == MEMBERSHIP_READ)
        reading = *request;
}

static struct node_row node(const char *name, uint64_t generation, enum node_state state)
{
    struct node_row row = {.generation = generation, .state = state, .lease_ms = 5000};

    snprintf(row.name, sizeof row.name, "%s", name);
    return row;
}

static void table(enum node_state own, enum node_state others)
{
    const struct node_row rows[] = {node("a", 1, own), node("b", 2, others)};

    membership_read(nodes, 1000);
    membership_table(nodes, &reading, rows, 2, 1010);
}

/* Alive until 6010, and nothing is known of the place. */
static void fresh(void)
{
    static const struct node_row self = {.name = "a", .generation = 1, .lease_ms = 5000};

    membership_destroy(nodes);
    lease_finish(&lease);
    lease_init(&lease, 5000);
    nodes = membership_create(&self, &lease, on_ask, NULL);
    table(NODE_ALIVE, NODE_ALIVE);
    lease_taken(&lease, 1010, 1020);
    place = (struct place){0};
}

static enum place_order found(uint64_t epoch, const char *owner, uint64_t generation)
{
    struct place_row row = {.epoch = epoch, .generation = generation};

    snprintf(row.node, sizeof row.node, "%s", owner);
    return place_found(&place, place.request, &row, nodes, 2000);
}

static enum place_order claimed(uint64_t epoch)
{
    return place_claimed(&place, place.request, epoch, nodes, 2100);
}

static void running(uint64_t epoch)
{
    fresh();
    place_want(&place);
    found(0, "", 0);
    claimed(epoch);
    place_ready(&place);
}

static void check_rows(void)
{
    fresh();
    CHECK(place_want(&place) == PLACE_READ, "a call reads the row");
    CHECK(found(0, "", 0) == PLACE_CLAIM, "no row: it is claimed");
    fresh();
    place_want(&place);
    CHECK(found(4, "", 0) == PLACE_CLAIM && place.row.epoch == 4, "a free row is claimed");
    fresh();
    place_want(&place);
    CHECK(found(4, "b", 2) == PLACE_ELSEWHERE && place.state == PLACE_IDLE,
          "a row of a node that lives says where it is");
    fresh();
    table(NODE_ALIVE, NODE_DEAD);
    place_want(&place);
    CHECK(found(4, "b", 2) == PLACE_CLAIM, "a row of a dead generation is claimed");
    fresh();
    table(NODE_ALIVE, NODE_LEFT);
    place_want(&place);
    CHECK(found(4, "b", 2) == PLACE_CLAIM, "and of one that left");
    fresh();
    place_want(&place);
    CHECK(found(4, "a", 1) == PLACE_CLAIM, "and our own, when nothing of it runs here");
}

static void check_unknown_owners(void)
{
    fresh();
    place_want(&place);
    CHECK(found(4, "b", 3) == PLACE_READ_NODES, "an owner that is in no table: the nodes are read");
    CHECK(place_table(&place, nodes, 2100) == PLACE_WAIT, "the table that is there says nothing");
    CHECK(place_want(&place) == PLACE_WAIT, "who calls meanwhile waits");
    table(NODE_ALIVE, NODE_ALIVE);
    CHECK(place_table(&place, nodes, 2200) == PLACE_CLAIM, "a newer one says that it is gone");
    fresh();
    place_want(&place);
    found(4, "c", 3);
    {
        const struct node_row rows[] = {node("a", 1, NODE_ALIVE), node("c", 3, NODE_JOINING)};

        membership_read(nodes, 2000);
        membership_table(nodes, &reading, rows, 2, 2100);
    }
    CHECK(place_table(&place, nodes, 2200) == PLACE_ELSEWHERE, "or that it lives");
    CHECK(place_table(&place, nodes, 2300) == PLACE_WAIT, "a table means nothing to who is idle");
}

static void check_start(void)
{
    fresh();
    place_want(&place);
    found(4, "", 0);
    CHECK(place_want(&place) == PLACE_WAIT, "a second call does not claim again");
    CHECK(claimed(9) == PLACE_START && place.epoch == 9, "what was claimed is started");
    CHECK(place_want(&place) == PLACE_WAIT, "a third call waits for the same start");
    CHECK(place_ready(&place) == PLACE_HERE, "when it is ready all are told");
    CHECK(place_want(&place) == PLACE_HERE, "and who calls then is told at once");
    CHECK(place_ready(&place) == PLACE_WAIT, "ready is ready once");
}

static void check_contention(void)
{
    unsigned reads = 0;

    fresh();
    place_want(&place);
    found(4, "", 0);
    CHECK(claimed(0) == PLACE_READ, "somebody was quicker: the row is read again");
    CHECK(found(5, "b", 2) == PLACE_ELSEWHERE, "and says who");
    fresh();
    place_want(&place);
    do {
        found(++reads, "", 0);
    } while (claimed(0) == PLACE_READ);
    tap_is_int(reads, PLACE_TRIES, "but not for ever");
    CHECK(place.state == PLACE_IDLE && place_want(&place) == PLACE_READ && place.tries == 0,
          "the next call begins anew");
}

static void check_lease(void)
{
    fresh();
    table(NODE_LEAVING, NODE_ALIVE);
    place_want(&place);
    CHECK(found(0, "", 0) == PLACE_FENCED, "who leaves claims nothing");
    fresh();
    place_want(&place);
    place.request = 7;
    CHECK(place_found(&place, 7, &(struct place_row){0}, nodes, 6010) == PLACE_FENCED,
          "nor does anybody outside its lease");
    fresh();
    place_want(&place);
    found(0, "", 0);
    CHECK(place_claimed(&place, place.request, 9, nodes, 6010) == PLACE_FENCED &&
              place.state == PLACE_IDLE,
          "what was claimed is not started when the lease has ended meanwhile");
    fresh();
    place_want(&place);
    found(0, "", 0);
    table(NODE_DEAD, NODE_ALIVE);
    CHECK(claimed(9) == PLACE_FENCED, "nor when we are dead");
    running(9);
    CHECK(!place_fence(&place) && place_want(&place) == PLACE_READ,
          "the lease has ended, so has what ran: the next call reads");
    fresh();
    place_want(&place);
    found(0, "", 0);
    CHECK(place_fence(&place), "who waits is refused");
    place.state = PLACE_CLAIMING;
    CHECK(place_claimed(&place, place.request - 1, 9, nodes, 2100) == PLACE_WAIT,
          "an answer that comes after the fence starts nothing");
}

/* A claim's answer is lost; it was carried out, or will be. */
static void check_lost_answers(void)
{
    uint64_t lost;

    fresh();
    place_want(&place);
    found(4, "", 0);
    lost = place.request;
    CHECK(place_failed(&place, lost) == PLACE_UNREACHABLE, "no answer: who waits is refused");
    CHECK(place_claimed(&place, lost, 9, nodes, 2100) == PLACE_WAIT && place.state == PLACE_IDLE,
          "one that comes too late starts nothing");
    place_want(&place);
    CHECK(place_claimed(&place, lost, 9, nodes, 2100) == PLACE_WAIT, "not in the next reading");
    CHECK(found(9, "a", 1) == PLACE_CLAIM && place.row.epoch == 9, "the row is claimed anew");
    CHECK(place_claimed(&place, lost, 9, nodes, 2100) == PLACE_WAIT, "not in the next claim");
    CHECK(claimed(10) == PLACE_START && place.epoch == 10, "it starts with an epoch of its own");
    CHECK(place_failed(&place, lost) == PLACE_WAIT && place.state == PLACE_STARTING,
          "an old failure fails nothing");
    fresh();
    place_want(&place);
    CHECK(place_failed(&place, place.request) == PLACE_UNREACHABLE, "the same when it is read");
    fresh();
    place_want(&place);
    lost = place.request;
    place_failed(&place, lost);
    place_want(&place);
    CHECK(place_found(&place, lost, &(struct place_row){.epoch = 1}, nodes, 2000) == PLACE_WAIT,
          "an old reading is not taken for the new one");
}

static void check_end(void)
{
    running(9);
    CHECK(place_ended(&place) == PLACE_FREE && place.epoch == 9,
          "when it has ended its row is freed");
    CHECK(place_ended(&place) == PLACE_WAIT, "once");
    CHECK(place_want(&place) == PLACE_WAIT, "who calls meanwhile waits");
    CHECK(place_freed(&place, place.request - 1) == PLACE_WAIT, "for just that answer");
    CHECK(place_freed(&place, place.request) == PLACE_READ, "and begins it anew");
    running(9);
    place_ended(&place);
    CHECK(place_freed(&place, place.request) == PLACE_WAIT && place.state == PLACE_IDLE,
          "with nobody waiting that is all");
    running(9);
    place_ended(&place);
    CHECK(place_failed(&place, place.request) == PLACE_WAIT && place.state == PLACE_IDLE,
          "a row that cannot be freed stays ours");
    running(9);
    place_ended(&place);
    place_want(&place);
    CHECK(place_failed(&place, place.request) == PLACE_UNREACHABLE, "who waited for it is refused");
    running(9);
    place_ended(&place);
    CHECK(!place_fence(&place), "a fence meanwhile refuses nobody");
    running(9);
    place_ended(&place);
    place_want(&place);
    CHECK(place_fence(&place), "but who waited");
    fresh();
    place_want(&place);
    found(0, "", 0);
    claimed(9);
    CHECK(place_ended(&place) == PLACE_FREE, "one that cannot be started is freed as well");
}

static void check_adopting(void)
{
    fresh();
    place_want(&place);
    place_adopt(&place, 12);
    CHECK(place_want(&place) == PLACE_HERE && place.epoch == 12,
          "what our supervisors say runs here, runs here");
    CHECK(found(4, "b", 2) == PLACE_WAIT, "whatever was under way");
}

int main(void)
{
    check_rows();
    check_unknown_owners();
    check_start();
    check_contention();
    check_lease();
    check_lost_answers();
    check_end();
    check_adopting();
    membership_destroy(nodes);
    lease_finish(&lease);
    return tap_done();
}
