/* What the measuring parts share: a clock, a processor to stay on, quantiles of many times. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC: of one meaning in all processes of a machine. */
static inline int64_t measure_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Stays on this processor from now on; a negative number is no wish. Returns 0, or -1 with errno.
 */
static inline int measure_pin(int64_t cpu)
{
    cpu_set_t set;

    if (cpu < 0)
        return 0;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

static inline int measure_by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Sorts n > 0 values, for measure_quantile(). */
static inline void measure_sort(int64_t *values, int64_t n)
{
    qsort(values, (size_t)n, sizeof *values, measure_by_size);
}

/* The value below which `percent` (below 100) of the sorted ones lie. */
static inline int64_t measure_quantile(const int64_t *sorted, int64_t n, int percent)
{
    return sorted[n * percent / 100];
}

#endif
