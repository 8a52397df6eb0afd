/* Whole periods between two moments: what an interval tells, and never loses. */
#include "tap.h"
#include "timing.h"

#include <stdlib.h>

static void test_edges(void)
{
    CHECK(timing_periods(1000, 1000, 10) == 0, "at the start none has passed");
    CHECK(timing_periods(1000, 1009, 10) == 0, "a period counts when it is over");
    CHECK(timing_periods(1000, 1010, 10) == 1, "and then at once");
    CHECK(timing_periods(1000, 990, 10) == 0, "before the start none has passed");
    CHECK(timing_periods(1000, 1000 + 10 * 100 + 9, 10) == 100, "missed ones are counted");
    CHECK(timing_periods(-50, 50, 10) == 10, "the clock's zero is no border");
    CHECK(timing_periods(0, INT64_MAX, 1) == (uint64_t)INT64_MAX, "the longest of all fits");
}

/* However late each look is, the differences add up to what has passed: no period is lost or told
 * twice, and the next begins less than a period after the look. */
static void test_nothing_is_lost(void)
{
    bool adds_up = true, is_near = true;

    srand(7);
    for (int round = 0; round < 2000; round++) {
        int64_t period = 1 + rand() % 5000, start = rand(), now = start;
        uint64_t told = 0;

        for (int look = 0; look < 20; look++) {
            uint64_t passed;
            int64_t next;

            now += rand() % (5 * period + 1);
            passed = timing_periods(start, now, period);
            adds_up &= passed >= told;
            told += passed - told;
            next = start + (int64_t)(told + 1) * period;
            is_near &= next > now && next - now <= period;
        }
        adds_up &= told == (uint64_t)((now - start) / period);
    }
    CHECK(adds_up, "the counts add up to the periods that have passed");
    CHECK(is_near, "the next is due within one period, on the grid of the first");
}

int main(void)
{
    test_edges();
    test_nothing_is_lost();
    return tap_done();
}
