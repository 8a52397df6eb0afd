/* What will happen in a simulated world, by its time; at one time in the order in which it was
 * planned. */
#ifndef TROUPE_TESTS_SIM_AGENDA_H
#define TROUPE_TESTS_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct item {
    int64_t at_ms;
    uint64_t order;
    void (*happen)(void *what, uint64_t number);
    void *what;
    uint64_t number;
};

struct agenda {
    struct item *heap;
    size_t count, size;
    uint64_t order;
};

void agenda_finish(struct agenda *agenda);
void agenda_add(struct agenda *agenda, int64_t at_ms, void (*happen)(void *, uint64_t), void *what,
                uint64_t number);
/* The next item until then, taken out. */
bool agenda_next(struct agenda *agenda, int64_t until_ms, struct item *item);

/* Random numbers of the world, by its seed. */
struct chance {
    uint64_t state;
};

uint64_t chance_next(struct chance *chance);
static inline uint64_t chance_below(struct chance *chance, uint64_t n)
{
    return chance_next(chance) % n;
}
static inline bool chance_one_in(struct chance *chance, uint64_t n)
{
    return chance_below(chance, n) == 0;
}

#endif
