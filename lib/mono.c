#include "mono.h"

#include <stdio.h>
#include <time.h>

static int64_t clock_us(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

struct mono mono_now(void)
{
    return (struct mono){clock_us(CLOCK_MONOTONIC)};
}

int64_t mono_now_ms(void)
{
    return mono_now().us / 1000;
}

int64_t boottime_now_ms(void)
{
    return clock_us(CLOCK_BOOTTIME) / 1000;
}

struct mono mono_lately(void)
{
    return (struct mono){clock_us(CLOCK_MONOTONIC_COARSE)};
}

struct mono mono_add_ms(struct mono from, int64_t ms)
{
    int64_t us;

    if (__builtin_mul_overflow(ms, 1000, &us) || __builtin_add_overflow(from.us, us, &us))
        us = ms > 0 ? INT64_MAX : INT64_MIN;
    return (struct mono){us};
}

int64_t mono_diff_ms(struct mono later, struct mono earlier)
{
    return (later.us - earlier.us) / 1000;
}

bool mono_is_set(struct mono t)
{
    return t.us != 0;
}

int64_t wall_now_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

void wall_text(int64_t wall_us, char out[WALL_TEXT_SIZE])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char date[24];

    gmtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out, WALL_TEXT_SIZE, "%s.%03dZ", date, (int)(wall_us / 1000 % 1000));
}
