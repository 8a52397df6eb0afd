#include "ticks.h"

struct ticks ticks_of(int64_t due_us, int64_t period_us, int64_t now_us)
{
    struct ticks ticks = {.next_us = due_us};

    if (now_us < due_us)
        return ticks;
    if (period_us <= 0)
        return (struct ticks){.count = 1};
    ticks.count = (uint64_t)((now_us - due_us) / period_us) + 1;
    if (__builtin_mul_overflow((int64_t)ticks.count, period_us, &ticks.next_us) ||
        __builtin_add_overflow(ticks.next_us, due_us, &ticks.next_us))
        ticks.next_us = 0;
    return ticks;
}
