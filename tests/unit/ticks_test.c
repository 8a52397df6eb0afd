/* When a reminder is due again. */
#include "tap.h"
#include "ticks.h"

static bool is(struct ticks ticks, uint64_t count, int64_t next_us)
{
    return ticks.count == count && ticks.next_us == next_us;
}

static bool holds_always(void)
{
    uint64_t seed = 7;

    for (int i = 0; i < 100000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t due = (int64_t)(seed >> 40), period = (int64_t)(seed >> 20 & 0xfff) + 1;
        int64_t now = (int64_t)(seed >> 38 & 0x3ffffff);
        struct ticks ticks = ticks_of(due, period, now);

        /* never in the past, never more than a period ahead, never off the beat */
        if (now >= due && (ticks.next_us <= now || ticks.next_us > now + period ||
                           ticks.next_us != due + (int64_t)ticks.count * period))
            return false;
    }
    return true;
}

int main(void)
{
    CHECK(is(ticks_of(1000, 500, 999), 0, 1000), "before its time it is not due");
    CHECK(is(ticks_of(1000, 500, 1000), 1, 1500), "at its time it is, and a period later again");
    CHECK(is(ticks_of(1000, 500, 1499), 1, 1500), "once in a period");
    CHECK(is(ticks_of(1000, 500, 2600), 4, 3000), "missed ones come as one, with their count");
    CHECK(is(ticks_of(0, 1000000, 3600000000), 3601, 3601000000),
          "an hour of seconds is one tick, not 3,600");
    CHECK(is(ticks_of(1000, 0, 5000), 1, 0), "one without a period comes once");
    CHECK(is(ticks_of(1, INT64_MAX, 2), 1, 0), "a period beyond all time is the last");
    CHECK(holds_always(), "100,000 of them stay on the beat");
    return tap_done();
}
