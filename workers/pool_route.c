#include "pool_route.h"

uint64_t pool_route_hash(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0xcbf29ce484222325;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * 0x100000001b3;
    return hash;
}

/* splitmix64's finish: every bit of the result depends on every bit of both. */
static uint64_t weight(uint64_t key, uint64_t id)
{
    uint64_t x = key ^ (id * 0x9e3779b97f4a7c15);

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static int nth_after(int last, size_t i, size_t n)
{
    return (int)(((size_t)(last + 1) + i) % n);
}

int pool_route_free(struct pool_seat *const *seats, size_t n, unsigned each, int last)
{
    int best = POOL_NOBODY;

    for (size_t i = 0; i < n; i++) {
        int at = nth_after(last, i, n);

        if (!seats[at]->is_up || seats[at]->running >= each)
            continue;
        if (best == POOL_NOBODY || seats[at]->running < seats[best]->running)
            best = at;
        if (seats[best]->running == 0)
            break;
    }
    return best;
}

int pool_route_turn(struct pool_seat *const *seats, size_t n, int last)
{
    for (size_t i = 0; i < n; i++) {
        int at = nth_after(last, i, n);

        if (seats[at]->is_up)
            return at;
    }
    return POOL_NOBODY;
}

int pool_route_key(struct pool_seat *const *seats, size_t n, uint64_t key)
{
    int best = POOL_NOBODY;
    uint64_t most = 0;

    for (size_t i = 0; i < n; i++) {
        uint64_t of_this = weight(key, seats[i]->id);

        if (best == POOL_NOBODY || of_this > most) {
            best = (int)i;
            most = of_this;
        }
    }
    return best;
}
