/* Back-off: growth, bounds, jitter, reset; and the smallest period against a simulated storm. */
#include "../../supervisord/backoff.h"
#include "../../supervisord/intensity.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

enum { RUNS = 500 };

static const struct backoff_spec plain = {
    .initial_ms = 100, .factor = 2, .max_ms = 1000, .reset_after_ms = 10000};

static double chance(void)
{
    return (double)random() / ((double)RAND_MAX + 1);
}

static struct backoff_spec random_spec(void)
{
    struct backoff_spec spec = {.initial_ms = 1 + random() % 1000,
                                .factor = 1 + (double)(random() % 40) / 10,
                                .jitter = (double)(random() % 11) / 10};

    spec.max_ms = spec.initial_ms + random() % 20000;
    spec.reset_after_ms = 10 * spec.max_ms;
    return spec;
}

static void check_growth(void)
{
    static const int64_t wanted[] = {100, 200, 400, 800, 1000, 1000};
    struct backoff backoff = {0};

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        tap_is_int(backoff_next(&backoff, &plain, 0, 0.5), wanted[i],
                   "each delay is twice the last, up to max");
    tap_is_int(backoff_next(&backoff, &plain, 9999, 0.5), 1000, "a short run changes nothing");
    tap_is_int(backoff_next(&backoff, &plain, 10000, 0.5), 100, "a stable run begins anew");
    tap_is_int(backoff_next(&backoff, &plain, 0, 0.5), 200, "and it grows again from there");
    backoff.tries = UINT32_MAX;
    tap_is_int(backoff_next(&backoff, &plain, 0, 0.5), 1000, "after ever so many tries it is max");
    tap_is_int(backoff.tries, UINT32_MAX, "and the count does not start over");
}

static void check_bounds(void)
{
    unsigned wrong = 0;

    for (unsigned seed = 1; seed <= RUNS; seed++) {
        struct backoff backoff = {0};
        struct backoff_spec spec;
        double delay;

        srandom(seed);
        spec = random_spec();
        delay = (double)spec.initial_ms;
        for (int i = 0; i < 30; i++) {
            int64_t next = backoff_next(&backoff, &spec, 0, chance());

            wrong += next < 0 || (double)next < floor(delay * (1 - spec.jitter)) ||
                     (double)next > ceil(delay * (1 + spec.jitter));
            delay = fmin(delay * spec.factor, (double)spec.max_ms);
        }
    }
    tap_is_int(wrong, 0, "delays stay within the jitter of initial × factor^n, at most max");
}

/* A child that fails at once, for ever, with the luckiest chance: does intensity give up? */
static bool storm_gives_up(const struct backoff_spec *spec, uint32_t limit, int64_t period_ms)
{
    struct intensity intensity;
    struct backoff backoff = {0};
    int64_t now_ms = 0;
    bool goes_on = true;

    intensity_init(&intensity, limit, period_ms);
    for (uint32_t i = 0; i < limit + 50 && goes_on; i++) {
        goes_on = intensity_add(&intensity, now_ms);
        now_ms += backoff_next(&backoff, spec, 0, 0);
    }
    intensity_finish(&intensity);
    return !goes_on;
}

static void check_fit(void)
{
    unsigned wrong = 0;

    for (unsigned seed = 1; seed <= RUNS; seed++) {
        struct backoff_spec spec;
        int64_t smallest_ms, period_ms, again_ms;
        uint32_t limit;
        bool fits;

        srandom(seed);
        spec = random_spec();
        limit = (uint32_t)(random() % 20);
        period_ms = 1 + random() % 60000;
        fits = backoff_fits_intensity(&spec, limit, period_ms, &smallest_ms);
        if (!backoff_fits_intensity(&spec, limit, smallest_ms, &again_ms) ||
            (smallest_ms > 0 && backoff_fits_intensity(&spec, limit, smallest_ms - 1, &again_ms)) ||
            fits != (smallest_ms <= period_ms) ||
            /* each delay is rounded to a millisecond */
            !storm_gives_up(&spec, limit, smallest_ms + limit) ||
            (smallest_ms > 2 * (int64_t)limit + 1 &&
             storm_gives_up(&spec, limit, smallest_ms - limit - 1))) {
            tap_note("seed %u", seed);
            wrong++;
        }
    }
    tap_is_int(wrong, 0, "the smallest period is where a storm begins to be given up");
}

int main(void)
{
    static const struct backoff_spec none = {0};
    struct backoff_spec jittery = plain;
    struct backoff backoff = {0};
    int64_t smallest_ms;

    tap_is_int(backoff_next(&backoff, &none, 0, 0.9), 0, "without a back-off there is no delay");
    CHECK(backoff_fits_intensity(&none, 3, 5000, &smallest_ms) && smallest_ms == 0,
          "without a back-off every intensity can be reached");
    check_growth();
    jittery.jitter = 0.1;
    backoff.tries = 0;
    tap_is_int(backoff_next(&backoff, &jittery, 0, 0), 90, "jitter makes it up to 10 % shorter");
    CHECK(!backoff_fits_intensity(&plain, 5, 2000, &smallest_ms),
          "five restarts in 2s can never be with delays of 100 to 1000 ms");
    tap_is_int(smallest_ms, 100 + 200 + 400 + 800 + 1000, "the smallest period is their sum");
    CHECK(backoff_fits_intensity(&plain, 0, 1, &smallest_ms), "intensity 0 needs no second end");
    check_bounds();
    check_fit();
    return tap_done();
}
