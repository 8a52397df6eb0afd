#include "backoff.h"

#include <math.h>

/* initial × factor^n, at most max. */
static double delay_of(const struct backoff_spec *spec, double n)
{
    return fmin((double)spec->initial_ms * pow(spec->factor, n), (double)spec->max_ms);
}

int64_t backoff_next(struct backoff *backoff, const struct backoff_spec *spec, int64_t ran_ms,
                     double chance)
{
    double delay;

    if (spec->initial_ms == 0)
        return 0;
    if (ran_ms >= spec->reset_after_ms)
        backoff->tries = 0;
    delay = delay_of(spec, backoff->tries);
    if (backoff->tries < UINT32_MAX)
        backoff->tries++;
    return llround(delay * (1 + spec->jitter * (2 * chance - 1)));
}

/* Sum of the first n delays, without jitter: a geometric series, then max for each of the rest. */
static double sum_of_delays(const struct backoff_spec *spec, double n)
{
    double growing;

    if (spec->factor <= 1)
        return n * delay_of(spec, 0);
    growing = ceil(log((double)spec->max_ms / (double)spec->initial_ms) / log(spec->factor));
    growing = fmax(0, fmin(n, growing));
    return (double)spec->initial_ms * (pow(spec->factor, growing) - 1) / (spec->factor - 1) +
           (n - growing) * (double)spec->max_ms;
}

/* A restart counts when the child has ended, before the delay: between the first and the one that
 * is too many there are `intensity` delays. Stable runs are no storm: resets are left out. */
bool backoff_fits_intensity(const struct backoff_spec *spec, uint32_t intensity, int64_t period_ms,
                            int64_t *smallest_ms)
{
    double smallest = 0;

    if (spec->initial_ms > 0)
        smallest = ceil(sum_of_delays(spec, intensity) * (1 - spec->jitter) - 1e-6);
    *smallest_ms = smallest < 9e15 ? (int64_t)smallest : (int64_t)9e15;
    return *smallest_ms <= period_ms;
}
