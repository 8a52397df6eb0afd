/*
 * Time. Deadlines, back-off and windows are counted on CLOCK_MONOTONIC and have a type of their
 * own, so that nobody adds them to a wall clock by accident; the wall clock is only shown.
 * Nothing here fails.
 */
#ifndef TROUPE_MONO_H
#define TROUPE_MONO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A moment on CLOCK_MONOTONIC, in microseconds. {0} means "never" or "none" where one is optional. */
struct mono {
    int64_t us;
};

struct mono mono_now(void);
/* The same clock as of its last tick, some ms ago at most: four times cheaper to read. */
struct mono mono_lately(void);
/* The same in ms, for decisions that are pure and take the time as a number. */
int64_t mono_now_ms(void);
/* ms of CLOCK_BOOTTIME, which goes on while the machine sleeps: for timers of the kernel, and across processes. */
int64_t boottime_now_ms(void);
enum { MONO_TICK_MS = 10 }; /* more than a tick lasts */
struct mono mono_add_ms(struct mono from, int64_t ms);
/* later - earlier, in milliseconds, rounded towards zero. */
int64_t mono_diff_ms(struct mono later, struct mono earlier);
bool mono_is_set(struct mono t);

/* Microseconds since 1970 on the wall clock: for people and JSON, never for decisions. */
int64_t wall_now_us(void);

enum { WALL_TEXT_SIZE = 32 };
/* "2026-11-21T08:15:30.123Z" (RFC 3339) into out[WALL_TEXT_SIZE]. */
void wall_text(int64_t wall_us, char out[WALL_TEXT_SIZE]);

#endif
