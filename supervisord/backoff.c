#include "backoff.h"

/* Not libm's: it would be a library more in each process that is forked. It may be infinite. */
static double power(double factor, uint32_t n)
{
    double result = 1;

    for (; n; n >>= 1, factor *= factor)
        if (n & 1)
            result *= factor;
    return result;
}

/* initial × factor^n, at most max. */
static double delay_of(const struct backoff_spec *spec, uint32_t n)
{
    double grown = (double)spec->initial_ms * power(spec->factor, n), most = (double)spec->max_ms;

    return grown < most ? grown : most;
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
    return (int64_t)(delay * (1 + spec->jitter * (2 * chance - 1)) + 0.5);
}

/* How many of the first n delays are below max. */
static uint32_t growing_of(const struct backoff_spec *spec, uint32_t n)
{
    uint32_t low = 0, high = n;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (delay_of(spec, middle) < (double)spec->max_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Sum of the first n delays, without jitter: a geometric series, then max for each of the rest. */
static double sum_of_delays(const struct backoff_spec *spec, uint32_t n)
{
    uint32_t growing;

    if (spec->factor <= 1)
        return n * delay_of(spec, 0);
    growing = growing_of(spec, n);
    return (double)spec->initial_ms * (power(spec->factor, growing) - 1) / (spec->factor - 1) +
           (double)(n - growing) * (double)spec->max_ms;
}

static int64_t rounded_up(double number)
{
    int64_t whole = (int64_t)number;

    return (double)whole < number ? whole + 1 : whole;
}

/* A restart counts when the child has ended, before the delay: between the first and the one that
 * is too many there are `intensity` delays. Stable runs are no storm: resets are left out. */
bool backoff_fits_intensity(const struct backoff_spec *spec, uint32_t intensity, int64_t period_ms,
                            int64_t *smallest_ms)
{
    double smallest = 0;

    if (spec->initial_ms > 0)
        smallest = sum_of_delays(spec, intensity) * (1 - spec->jitter) - 1e-6;
    *smallest_ms = smallest < 9e15 ? rounded_up(smallest) : (int64_t)9e15;
    return *smallest_ms <= period_ms;
}
