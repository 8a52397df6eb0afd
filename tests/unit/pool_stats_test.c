/* The lines of `stats`. */
#include "../../workers/pool_stats.h"
#include "tap.h"

static void test_lines(void)
{
    struct pool_counts counts = {.taken = 9, .retried = 1};
    char line[512], cut[20];
    int length;

    counts.fates[POOL_DONE] = 5;
    counts.fates[POOL_LIMITED] = 2;
    length = pool_stats_write(&counts, 1, 70, 1, line, sizeof line);
    tap_is_text(line,
                "queued=1 queued_bytes=70 running=1 taken=9 done=5 failed=0 lost=0 stuck=0 "
                "expired=0 full=0 "
                "discarded=0 rate_limited=2 bad=0 stopped=0 retried=1 restarted=0",
                "a line for all");
    tap_is_int(length, (long long)strlen(line), "whose length is told");
    pool_stats_worker(&counts, "shop/crew/1", "up", 1, line, sizeof line);
    tap_is_text(
        line,
        "worker=shop/crew/1 state=up running=1 taken=9 done=5 failed=0 lost=0 stuck=0 retried=1 "
        "restarted=0",
        "a worker's has what can befall a worker");
    tap_is_int(pool_stats_write(&counts, 1, 70, 1, cut, sizeof cut), length,
               "what does not fit is cut, and the length told all the same");
    tap_is_text(cut, "queued=1 queued_byt", "at the end of the room");
}

int main(void)
{
    test_lines();
    for (int i = 0; i < POOL_FATES; i++)
        CHECK(pool_fate_text((enum pool_fate)i) != NULL, "fate %d has a name", i);
    return tap_done();
}
