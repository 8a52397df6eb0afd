#include "agenda.h"

#include <stdlib.h>

void agenda_finish(struct agenda *agenda)
{
    free(agenda->heap);
    *agenda = (struct agenda){0};
}

static bool is_before(const struct item *a, const struct item *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap(struct agenda *agenda, size_t a, size_t b)
{
    struct item item = agenda->heap[a];

    agenda->heap[a] = agenda->heap[b];
    agenda->heap[b] = item;
}

void agenda_add(struct agenda *agenda, int64_t at_ms, void (*happen)(void *, uint64_t), void *what,
                uint64_t number)
{
    size_t i = agenda->count;

    if (agenda->count == agenda->size) {
        agenda->size = agenda->size ? 2 * agenda->size : 1024;
        agenda->heap = realloc(agenda->heap, agenda->size * sizeof *agenda->heap);
        if (!agenda->heap)
            abort();
    }
    agenda->heap[agenda->count++] = (struct item){at_ms, agenda->order++, happen, what, number};
    for (; i && is_before(&agenda->heap[i], &agenda->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(agenda, i, (i - 1) / 2);
}

static void sink(struct agenda *agenda)
{
    size_t i = 0;

    for (;;) {
        size_t least = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < agenda->count; child++)
            if (is_before(&agenda->heap[child], &agenda->heap[least]))
                least = child;
        if (least == i)
            return;
        swap(agenda, i, least);
        i = least;
    }
}

bool agenda_next(struct agenda *agenda, int64_t until_ms, struct item *item)
{
    if (!agenda->count || agenda->heap[0].at_ms > until_ms)
        return false;
    *item = agenda->heap[0];
    agenda->heap[0] = agenda->heap[--agenda->count];
    sink(agenda);
    return true;
}

uint64_t chance_next(struct chance *chance)
{
    uint64_t z = chance->state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
