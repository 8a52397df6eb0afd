/*
 * What dead generations have left is swept: which, when, by whom, and in which order; with a store
 * whose answers the test gives.
 */
#include "../../cluster/sweeper.h"
#include "control.h"
#include "tap.h"

#include <stdlib.h>

enum { LEASE_MS = 1000, PATIENCE_MS = SWEEPER_LEASES * LEASE_MS, NOW = 5000 };

struct asked {
    char verb[32], first[32], second[32];
    int64_t number; /* the last value, of those that have one */
    ledger_answered *on_answer;
    void *data;
};

struct ledger {
    struct asked asked[8];
    size_t count;
};

static struct ledger ledger;
static struct sweeper *sweeper;

void ledger_ask(struct ledger *self, const struct ledger_request *request)
{
    struct asked *asked = &self->asked[self->count++];
    bool is_list = !strcmp(request->verb, CONTROL_PLACE_LIST);

    *asked = (struct asked){.on_answer = request->on_answer, .data = request->data};
    snprintf(asked->verb, sizeof asked->verb, "%s", request->verb);
    snprintf(asked->first, sizeof asked->first, "%s",
             (const char *)request->values[is_list].bytes.at);
    snprintf(asked->second, sizeof asked->second, "%s",
             (const char *)request->values[is_list + 1].bytes.at);
    if (!strcmp(request->verb, CONTROL_PLACE_FREE))
        asked->number = request->values[2].i;
}

/* The oldest question is answered. */
static void answer(enum ledger_outcome outcome, const struct words *rows)
{
    struct asked asked = ledger.asked[0];

    memmove(&ledger.asked[0], &ledger.asked[1], --ledger.count * sizeof asked);
    asked.on_answer(asked.data, &(struct ledger_answer){.outcome = outcome, .rows = rows});
}

static bool is_asked(size_t i, const char *verb, const char *first, const char *second)
{
    const struct asked *asked = &ledger.asked[i];

    return i < ledger.count && !strcmp(asked->verb, verb) && !strcmp(asked->first, first) &&
           !strcmp(asked->second, second);
}

static const char west[] = "00000000000000aa"; /* as its generation is written */
static struct words none, two = {10, (char *[]){"shop/carts", "1", "west", (char *)west, "77",
                                                "shop/carts", "2", "west", (char *)west, "78"}};

/* Two that are alive, and west, twice: its generation of before is in that state. */
static struct node_row rows[] = {{.name = "east", .generation = 1, .state = NODE_ALIVE},
                                 {.name = "north", .generation = 2, .state = NODE_ALIVE},
                                 {.name = "west", .generation = 0xaa, .state = NODE_DEAD},
                                 {.name = "west", .generation = 0xab, .state = NODE_ALIVE}};

static void table(int64_t now_ms)
{
    sweeper_table(sweeper, rows, sizeof rows / sizeof *rows, now_ms);
}

static void fresh(const char *node)
{
    sweeper_destroy(sweeper);
    ledger.count = 0;
    sweeper = sweeper_create(&ledger, node, LEASE_MS);
}

static void check_order(void)
{
    fresh("east");
    table(NOW);
    table(NOW + PATIENCE_MS - 1);
    CHECK(ledger.count == 0,
          "one that is dead is left alone until nothing of it can be on its way");
    table(NOW + PATIENCE_MS);
    CHECK(ledger.count == 1 && is_asked(0, CONTROL_PLACE_LIST, "west", west),
          "then its places are looked for");
    table(NOW + PATIENCE_MS + 200);
    CHECK(ledger.count == 1, "once at a time");
    answer(LEDGER_DONE, &two);
    CHECK(ledger.count == 2 && is_asked(0, CONTROL_PLACE_FREE, "shop/carts", "1") &&
              ledger.asked[0].number == 77 && is_asked(1, CONTROL_PLACE_FREE, "shop/carts", "2") &&
              ledger.asked[1].number == 78,
          "each is freed by its epoch");
    answer(LEDGER_DONE, NULL);
    CHECK(ledger.count == 1, "all of them");
    answer(LEDGER_CONFLICT, NULL);
    CHECK(is_asked(0, CONTROL_PLACE_LIST, "west", west),
          "also when another has taken one over, before they are looked for again");
    answer(LEDGER_DONE, &none);
    CHECK(ledger.count == 1 && is_asked(0, CONTROL_NODE_RM, "west", west),
          "when there are none its own row goes");
    answer(LEDGER_DONE, NULL);
    rows[2] = rows[3];
    table(NOW + 2 * PATIENCE_MS);
    CHECK(ledger.count == 0, "after which there is nothing to do: who lives is not swept");
    rows[2].generation = 0xaa;
    rows[2].state = NODE_DEAD;
    table(NOW + 2 * PATIENCE_MS + 200);
    CHECK(ledger.count == 0, "and one that was not there is new");
}

static void check_silence(void)
{
    fresh("east");
    table(NOW);
    table(NOW + PATIENCE_MS);
    answer(LEDGER_UNREACHABLE, NULL);
    CHECK(ledger.count == 0, "a store that does not answer is not asked more");
    table(NOW + PATIENCE_MS + 200);
    answer(LEDGER_DONE, &two);
    answer(LEDGER_UNREACHABLE, NULL);
    answer(LEDGER_DONE, NULL);
    CHECK(ledger.count == 0, "nor when it did not free one");
    table(NOW + PATIENCE_MS + 400);
    CHECK(is_asked(0, CONTROL_PLACE_LIST, "west", west), "until the next table comes");
}

static void check_who(void)
{
    fresh("north");
    table(NOW);
    table(NOW + PATIENCE_MS);
    CHECK(ledger.count == 0, "of several that are alive the first by name does it");
    rows[0].state = NODE_LEAVING;
    table(NOW + PATIENCE_MS + 200);
    CHECK(ledger.count == 1, "and when that one leaves the next, by what it has seen itself");
    rows[0].state = NODE_ALIVE;
}

int main(void)
{
    check_order();
    check_silence();
    check_who();
    sweeper_destroy(sweeper);
    return tap_done();
}
