#include "pool_rate.h"

void pool_rate_init(struct pool_rate *rate, uint64_t per_second, uint64_t burst)
{
    *rate = (struct pool_rate){0};
    if (per_second == 0)
        return;
    rate->each_ns = 1000000000 / (int64_t)per_second;
    rate->depth_ns = rate->each_ns * (int64_t)burst;
}

bool pool_rate_take(struct pool_rate *rate, int64_t now_us)
{
    int64_t now_ns = now_us * 1000;
    int64_t full_at = rate->full_at_ns > now_ns ? rate->full_at_ns : now_ns;

    if (full_at + rate->each_ns - now_ns > rate->depth_ns)
        return false;
    rate->full_at_ns = full_at + rate->each_ns;
    return true;
}
