#include "sweeper.h"

#include "control.h"
#include "memory.h"
#include "registry.h"

#include <stdlib.h>
#include <string.h>

/* A generation that is dead, for as long as the table has it. */
struct grave {
    char name[ADDR_PART_MAX + 1];
    uint64_t generation;
    int64_t since_ms; /* that we know it */
};

struct sweeper {
    struct ledger *ledger;
    const char *node;
    int64_t patience_ms;
    struct grave *graves;
    size_t count;
    struct grave swept; /* while is_busy */
    bool is_busy;
    size_t pending;  /* places that are being freed */
    bool has_failed; /* one of these could not be: not now */
};

/* ---- who is dead ----------------------------------------------------------------------------- */

static bool is_dead(const struct node_row *row)
{
    return row->state == NODE_DEAD || row->state == NODE_LEFT;
}

static int64_t known_since(const struct sweeper *sweeper, uint64_t generation, int64_t now_ms)
{
    for (size_t i = 0; i < sweeper->count; i++)
        if (sweeper->graves[i].generation == generation)
            return sweeper->graves[i].since_ms;
    return now_ms;
}

static void take_graves(struct sweeper *sweeper, const struct node_row *rows, size_t n,
                        int64_t now_ms)
{
    struct grave *graves = memory_resize(NULL, n + 1, sizeof *graves);
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        struct grave *grave = &graves[count];

        if (!is_dead(&rows[i]))
            continue;
        grave->generation = rows[i].generation;
        grave->since_ms = known_since(sweeper, rows[i].generation, now_ms);
        memcpy(grave->name, rows[i].name, sizeof grave->name);
        count++;
    }
    free(sweeper->graves);
    sweeper->graves = graves;
    sweeper->count = count;
}

/* Of those that are alive, the first by name. */
static bool is_ours_to_do(const struct sweeper *sweeper, const struct node_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].state == NODE_ALIVE && strcmp(rows[i].name, sweeper->node) < 0)
            return false;
    return true;
}

/* ---- one grave ------------------------------------------------------------------------------- */

static void look_for_places(struct sweeper *sweeper);

static void on_removed(void *data, const struct ledger_answer *answer)
{
    struct sweeper *sweeper = data;

    (void)answer; /* the next table has it, or not */
    sweeper->is_busy = false;
}

static void remove_node(struct sweeper *sweeper)
{
    char generation[17];
    const union wire_value values[] = {ledger_text(sweeper->swept.name),
                                       {.bytes = {generation, sizeof generation - 1}}};

    registry_generation_text(sweeper->swept.generation, generation);
    ledger_ask(sweeper->ledger,
               &(struct ledger_request){CONTROL_NODE_RM, "ss", values, "", on_removed, sweeper});
}

static void on_freed(void *data, const struct ledger_answer *answer)
{
    struct sweeper *sweeper = data;

    sweeper->has_failed |= answer->outcome == LEDGER_UNREACHABLE;
    if (--sweeper->pending > 0)
        return;
    if (sweeper->has_failed)
        sweeper->is_busy = false;
    else
        look_for_places(sweeper);
}

/* SERVICE ID NODE GENERATION EPOCH */
enum { SERVICE, ID, NODE, GENERATION, EPOCH, COLUMNS };

static void free_place(struct sweeper *sweeper, char *const *columns)
{
    const union wire_value values[] = {ledger_text(columns[SERVICE]), ledger_text(columns[ID]),
                                       ledger_number(strtoll(columns[EPOCH], NULL, 10))};

    ledger_ask(sweeper->ledger,
               &(struct ledger_request){CONTROL_PLACE_FREE, "ssI", values, "", on_freed, sweeper});
}

static void on_places(void *data, const struct ledger_answer *answer)
{
    struct sweeper *sweeper = data;
    size_t n = answer->outcome == LEDGER_DONE ? answer->rows->count / COLUMNS : 0;

    if (answer->outcome != LEDGER_DONE) {
        sweeper->is_busy = false;
        return;
    }
    if (n == 0) {
        remove_node(sweeper);
        return;
    }
    sweeper->pending = n;
    for (size_t i = 0; i < n; i++)
        free_place(sweeper, answer->rows->at + i * COLUMNS);
}

static void look_for_places(struct sweeper *sweeper)
{
    char generation[17];
    const union wire_value values[] = {ledger_text(""),
                                       ledger_text(sweeper->swept.name),
                                       {.bytes = {generation, sizeof generation - 1}},
                                       ledger_text(""),
                                       ledger_text(""),
                                       ledger_number(SWEEPER_PLACES)};

    registry_generation_text(sweeper->swept.generation, generation);
    ledger_ask(sweeper->ledger, &(struct ledger_request){CONTROL_PLACE_LIST, "sssssI", values, NULL,
                                                         on_places, sweeper});
}

/* ---- the interface --------------------------------------------------------------------------- */

void sweeper_table(struct sweeper *sweeper, const struct node_row *rows, size_t n, int64_t now_ms)
{
    take_graves(sweeper, rows, n, now_ms);
    if (sweeper->is_busy || !is_ours_to_do(sweeper, rows, n))
        return;
    for (size_t i = 0; i < sweeper->count; i++) {
        if (now_ms - sweeper->graves[i].since_ms < sweeper->patience_ms)
            continue;
        sweeper->swept = sweeper->graves[i];
        sweeper->is_busy = true;
        sweeper->has_failed = false;
        look_for_places(sweeper);
        return;
    }
}

struct sweeper *sweeper_create(struct ledger *ledger, const char *node, int64_t lease_ms)
{
    struct sweeper *sweeper = memory_zeroed(sizeof *sweeper);

    sweeper->ledger = ledger;
    sweeper->node = node;
    sweeper->patience_ms = SWEEPER_LEASES * lease_ms;
    return sweeper;
}

void sweeper_destroy(struct sweeper *sweeper)
{
    if (!sweeper)
        return;
    free(sweeper->graves);
    free(sweeper);
}
