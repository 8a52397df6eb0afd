/* The token bucket against its definition: in no stretch of time more than burst + rate × time. */
#include "../../workers/pool_rate.h"
#include "tap.h"

#include <stdlib.h>

enum { STEPS = 4000, SECOND_US = 1000000 };

static int take_all(struct pool_rate *rate, int64_t now_us)
{
    int count = 0;

    while (count < 100000 && pool_rate_take(rate, now_us))
        count++;
    return count;
}

static void test_plain(void)
{
    struct pool_rate rate;

    pool_rate_init(&rate, 0, 0);
    tap_is_int(take_all(&rate, 5), 100000, "without a rate there is no limit");
    pool_rate_init(&rate, 10, 4);
    tap_is_int(take_all(&rate, SECOND_US), 4, "at first, the burst");
    tap_is_int(take_all(&rate, SECOND_US + 99000), 0, "then nothing before its time");
    tap_is_int(take_all(&rate, SECOND_US + 100000), 1, "one after a tenth of a second");
    tap_is_int(take_all(&rate, SECOND_US + 350000), 2, "two more after a quarter");
    tap_is_int(take_all(&rate, 60 * SECOND_US), 4, "after a rest the burst again, and no more");
}

static void test_steady(void)
{
    struct pool_rate rate;
    int refused = 0;

    pool_rate_init(&rate, 1000, 1);
    for (int i = 0; i < 10000; i++)
        refused += !pool_rate_take(&rate, SECOND_US + i * 1000);
    tap_is_int(refused, 0, "who keeps to the rate is never refused");
}

/* Every window between two jobs that were let through. */
static bool keeps_bound(const int64_t *taken, int n, uint64_t per_second, uint64_t burst)
{
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) {
            double most = (double)burst +
                          (double)per_second * (double)(taken[j] - taken[i]) / SECOND_US + 0.001;

            if (j - i + 1 > most)
                return false;
        }
    return true;
}

/* The bucket as one would draw it. */
struct bucket {
    double tokens;
    int64_t at_us;
    int taken;
};

static void take_as_drawn(struct bucket *bucket, uint64_t per_second, uint64_t burst,
                          int64_t now_us)
{
    bucket->tokens += (double)(now_us - bucket->at_us) / SECOND_US * (double)per_second;
    if (bucket->tokens > (double)burst)
        bucket->tokens = (double)burst;
    bucket->at_us = now_us;
    if (bucket->tokens < 1)
        return;
    bucket->tokens--;
    bucket->taken++;
}

static void test_property(void)
{
    static int64_t taken[STEPS];
    int wrong = 0, other = 0;

    for (int run = 0; run < 50; run++) {
        uint64_t per_second = 1 + (uint64_t)random() % 2000, burst = 1 + (uint64_t)random() % 50;
        struct pool_rate rate;
        int64_t now = SECOND_US;
        struct bucket bucket = {.tokens = (double)burst, .at_us = now};
        int n = 0;

        pool_rate_init(&rate, per_second, burst);
        for (int i = 0; i < STEPS; i++) {
            now += random() % 3 ? random() % 300 : random() % 30000;
            if (pool_rate_take(&rate, now))
                taken[n++] = now;
            take_as_drawn(&bucket, per_second, burst, now);
        }
        wrong += !keeps_bound(taken, n, per_second, burst);
        other += abs(n - bucket.taken) > 2; /* for what is rounded */
    }
    tap_is_int(wrong, 0, "no stretch of time lets through more than burst and rate");
    tap_is_int(other, 0, "and as many are let through as by a bucket that is refilled");
}

int main(void)
{
    srandom(11);
    test_plain();
    test_steady();
    test_property();
    return tap_done();
}
