/*
 * Back-off between restarts: initial × factor^n up to max, ± jitter, reset after a stable run
 * (SEMANTICS 1). Pure: time and chance are arguments.
 */
#ifndef TROUPE_BACKOFF_H
#define TROUPE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

struct backoff_spec {
    int64_t initial_ms; /* 0: no back-off */
    double factor;      /* 2 */
    int64_t max_ms;
    double jitter;      /* 0.1: the delay is spread evenly over ±10 % */
    int64_t reset_after_ms; /* 10 × max */
};

struct backoff {
    uint32_t tries; /* restarts since the last reset */
};

/* The delay before the next restart of a child that has run for ran_ms; chance is in [0, 1). */
int64_t backoff_next(struct backoff *backoff, const struct backoff_spec *spec, int64_t ran_ms,
                     double chance);

/* Could `intensity` restarts ever happen within period_ms under this back-off? If not, *smallest_ms
 * is the smallest period that would let it (CONFIG refuses such a pair). */
bool backoff_fits_intensity(const struct backoff_spec *spec, uint32_t intensity, int64_t period_ms,
                            int64_t *smallest_ms);

#endif
