#include "intensity.h"

#include "spec.h" /* INTENSITY_UNLIMITED */

#include <stdlib.h>

enum { FIRST_SIZE = 8 };

void intensity_init(struct intensity *intensity, uint32_t limit, int64_t period_ms)
{
    *intensity = (struct intensity){.limit = limit, .period_ms = period_ms};
}

void intensity_finish(struct intensity *intensity)
{
    free(intensity->at_ms);
    intensity_init(intensity, intensity->limit, intensity->period_ms);
}

static void drop_oldest(struct intensity *intensity)
{
    intensity->head = (intensity->head + 1) % intensity->size;
    intensity->used--;
}

/* A restart exactly one period ago still counts, as in OTP. */
static void forget_old(struct intensity *intensity, int64_t now_ms)
{
    while (intensity->used && intensity->at_ms[intensity->head] < now_ms - intensity->period_ms)
        drop_oldest(intensity);
}

/* Makes the ring larger, its oldest entry first. Never more entries than can matter. */
static int grow(struct intensity *intensity)
{
    uint64_t wanted = intensity->size ? (uint64_t)intensity->size * 2 : FIRST_SIZE;
    uint32_t size = wanted < intensity->limit ? (uint32_t)wanted : intensity->limit;
    int64_t *at_ms = malloc(size * sizeof *at_ms);

    if (!at_ms)
        return -1;
    for (uint32_t i = 0; i < intensity->used; i++)
        at_ms[i] = intensity->at_ms[(intensity->head + i) % intensity->size];
    free(intensity->at_ms);
    intensity->at_ms = at_ms;
    intensity->size = size;
    intensity->head = 0;
    return 0;
}

bool intensity_add(struct intensity *intensity, int64_t now_ms)
{
    bool allowed;

    if (intensity->limit == INTENSITY_UNLIMITED)
        return true;
    if (intensity->limit == 0)
        return false;
    forget_old(intensity, now_ms);
    allowed = intensity->used < intensity->limit;
    if (!allowed)
        drop_oldest(intensity);
    else if (intensity->used == intensity->size && grow(intensity) < 0)
        return true;
    intensity->at_ms[(intensity->head + intensity->used) % intensity->size] = now_ms;
    intensity->used++;
    return allowed;
}

uint32_t intensity_used(struct intensity *intensity, int64_t now_ms)
{
    forget_old(intensity, now_ms);
    return intensity->used;
}
