/* Restart intensity against a naive model that remembers every restart. */
#include "../../supervisord/intensity.h"
#include "../../supervisord/spec.h"
#include "tap.h"

#include <stdlib.h>

enum { RUNS = 400, STEPS = 500 };

/* Restarts that count at now: no longer ago than one period. */
static uint32_t naive_used(const int64_t *at_ms, int n, int64_t now_ms, int64_t period_ms)
{
    uint32_t used = 0;

    for (int i = 0; i < n; i++)
        used += at_ms[i] >= now_ms - period_ms;
    return used;
}

static bool agrees(unsigned seed)
{
    struct intensity intensity;
    int64_t at_ms[STEPS], now_ms = 1000000, period_ms;
    uint32_t limit;
    bool same = true;

    srandom(seed);
    limit = (uint32_t)(random() % 40);
    period_ms = 1 + random() % 300;
    intensity_init(&intensity, limit, period_ms);
    for (int n = 0; n < STEPS && same; n++) {
        uint32_t before;

        now_ms += random() % (random() % 4 ? 20 : 200);
        before = naive_used(at_ms, n, now_ms, period_ms);
        at_ms[n] = now_ms;
        same = intensity_add(&intensity, now_ms) == (before < limit) &&
               intensity_used(&intensity, now_ms) == (before + 1 < limit ? before + 1 : limit);
    }
    intensity_finish(&intensity);
    return same;
}

static void check_model(void)
{
    unsigned wrong = 0;

    for (unsigned seed = 1; seed <= RUNS; seed++)
        if (!agrees(seed)) {
            tap_note("seed %u", seed);
            wrong++;
        }
    tap_is_int(wrong, 0, "400 random histories are judged as by a model that forgets nothing");
}

static void check_storm(void)
{
    struct intensity intensity;
    bool all = true;

    intensity_init(&intensity, 2000, 5000);
    CHECK(!intensity.at_ms, "nothing is allocated before the first restart");
    for (int i = 0; i < 2000; i++)
        all = all && intensity_add(&intensity, 10);
    CHECK(all && intensity.size <= 2000, "2000 deaths at once are allowed with intensity 2000");
    CHECK(!intensity_add(&intensity, 10), "and the next is not");
    intensity_finish(&intensity);
    CHECK(intensity_add(&intensity, 11), "after finish it begins anew");
    intensity_finish(&intensity);
}

int main(void)
{
    struct intensity intensity;

    intensity_init(&intensity, 0, 5000);
    CHECK(!intensity_add(&intensity, 1), "X01: with intensity 0 the first restart is one too many");
    CHECK(intensity_used(&intensity, 1) == 0, "X01: and none is in the window");
    intensity_finish(&intensity);

    intensity_init(&intensity, 1, 5000);
    CHECK(intensity_add(&intensity, 1000), "X02: intensity 1 allows one restart");
    CHECK(!intensity_add(&intensity, 2000), "X02: the second within the period is too many");
    intensity_finish(&intensity);

    intensity_init(&intensity, 1, 1000);
    CHECK(intensity_add(&intensity, 990), "X03: a restart just before a full second");
    CHECK(intensity_add(&intensity, 1991), "X03: 1001 ms later the window is over (milliseconds)");
    CHECK(!intensity_add(&intensity, 2991), "X03: exactly one period later it still counts");
    intensity_finish(&intensity);

    intensity_init(&intensity, 1, 1000);
    for (int64_t now_ms = 0; now_ms < 8400; now_ms += 2100)
        CHECK(intensity_add(&intensity, now_ms), "S31: restarts 2100 ms apart go on for ever");
    intensity_finish(&intensity);

    intensity_init(&intensity, INTENSITY_UNLIMITED, 1);
    for (int i = 0; i < 1000; i++)
        intensity_add(&intensity, 5);
    CHECK(intensity_add(&intensity, 5) && intensity_used(&intensity, 5) == 0 && !intensity.at_ms,
          "unlimited never gives up and remembers nothing");
    intensity_finish(&intensity);

    check_storm();
    check_model();
    return tap_done();
}
