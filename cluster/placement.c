#include "placement.h"
#include "rendezvous.h"

#include <string.h>

const struct node_service *placement_offer(const struct node_row *row, const char *service)
{
    if (row->state != NODE_ALIVE)
        return NULL;
    for (size_t i = 0; i < row->service_count; i++)
        if (!strcmp(row->services[i].path, service))
            return &row->services[i];
    return NULL;
}

bool placement_has_room(const struct node_row *row, const struct node_service *offer)
{
    return offer->instances < offer->max && row->memory_percent < 100 && row->load_percent < 100;
}

static bool is_candidate(const struct node_row *row, const char *service)
{
    const struct node_service *offer = placement_offer(row, service);

    return offer && placement_has_room(row, offer);
}

/* The candidate that has as many before it, of those that are not `except`. */
static size_t nth(const struct placement_question *question, const struct node_row *rows, size_t n,
                  uint64_t wanted, size_t except)
{
    for (size_t i = 0; i < n; i++)
        if (i != except && is_candidate(&rows[i], question->service) && !wanted--)
            return i;
    return n;
}

static size_t choose_local(const struct placement_question *question, const struct node_row *rows,
                           size_t n, size_t candidates)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(rows[i].name, question->asker) && is_candidate(&rows[i], question->service))
            return i;
    return nth(question, rows, n, question->chance % candidates, n);
}

static size_t choose_hash(const struct placement_question *question, const struct node_row *rows,
                          size_t n)
{
    size_t best = n;
    uint64_t highest = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t weight;

        if (!is_candidate(&rows[i], question->service))
            continue;
        weight = rendezvous_weight(rows[i].name, question->service, question->id);
        if (best < n &&
            (weight < highest || (weight == highest && strcmp(rows[i].name, rows[best].name) > 0)))
            continue;
        best = i;
        highest = weight;
    }
    return best;
}

/* Two choices keep the fullest node close to the mean, where one does not, and unlike the least of
 * all they do not send everybody to the same node until the next table. */
static size_t choose_least(const struct placement_question *question, const struct node_row *rows,
                           size_t n, size_t candidates)
{
    size_t one = nth(question, rows, n, (question->chance >> 32) % candidates, n), other;

    if (candidates == 1)
        return one;
    other = nth(question, rows, n, (question->chance & UINT32_MAX) % (candidates - 1), one);
    return placement_offer(&rows[other], question->service)->instances <
                   placement_offer(&rows[one], question->service)->instances
               ? other
               : one;
}

static size_t choose(const struct placement_question *question, const struct node_row *rows,
                     size_t n, size_t candidates)
{
    switch (question->strategy) {
    case PLACEMENT_LOCAL:
        return choose_local(question, rows, n, candidates);
    case PLACEMENT_HASH:
        return choose_hash(question, rows, n);
    case PLACEMENT_LEAST:
        return choose_least(question, rows, n, candidates);
    case PLACEMENT_RANDOM:
        break;
    }
    return nth(question, rows, n, question->chance % candidates, n);
}

enum placement_answer placement_choose(const struct placement_question *question,
                                       const struct node_row *rows, size_t n, size_t *at)
{
    size_t offers = 0, candidates = 0;

    for (size_t i = 0; i < n; i++) {
        offers += placement_offer(&rows[i], question->service) != NULL;
        candidates += is_candidate(&rows[i], question->service);
    }
    if (!candidates)
        return offers ? PLACEMENT_OVERLOADED : PLACEMENT_NOBODY;
    *at = choose(question, rows, n, candidates);
    return PLACEMENT_FOUND;
}

int placement_strategy_read(const char *text, enum placement_strategy *strategy)
{
    static const char *const words[] = {"local", "random", "hash", "least"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) != 0)
            continue;
        *strategy = (enum placement_strategy)i;
        return 0;
    }
    return -1;
}
