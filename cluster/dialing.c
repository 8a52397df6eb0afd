#include "dialing.h"

enum { JITTER_PERCENT = 25 };

int64_t dialing_delay_ms(unsigned failures, bool is_refused, uint32_t random)
{
    int64_t delay_ms = DIALING_FIRST_MS;
    int64_t percent = 100 - JITTER_PERCENT + random % (2 * JITTER_PERCENT + 1);

    for (unsigned i = 1; i < failures && delay_ms < DIALING_LAST_MS; i++)
        delay_ms *= 2;
    if (delay_ms > DIALING_LAST_MS)
        delay_ms = DIALING_LAST_MS;
    delay_ms = delay_ms * percent / 100;
    if (is_refused && delay_ms < DIALING_REFUSED_MS)
        delay_ms = DIALING_REFUSED_MS * (100 + random % JITTER_PERCENT) / 100;
    return delay_ms;
}

void dialing_start(struct dialing *dialing, int64_t now_ms, int64_t in_ms)
{
    *dialing = (struct dialing){.state = DIALING_WAITING, .due_ms = now_ms + in_ms};
}

bool dialing_is_due(const struct dialing *dialing, int64_t now_ms)
{
    return dialing->state == DIALING_WAITING && dialing->due_ms <= now_ms;
}

void dialing_try(struct dialing *dialing)
{
    if (dialing->state == DIALING_WAITING)
        dialing->state = DIALING_TRYING;
}

void dialing_fail(struct dialing *dialing, bool is_refused, int64_t now_ms, uint32_t random)
{
    if (dialing->state != DIALING_TRYING)
        return;
    dialing->failures++;
    dialing->state = DIALING_WAITING;
    dialing->due_ms = now_ms + dialing_delay_ms(dialing->failures, is_refused, random);
}

void dialing_hold(struct dialing *dialing)
{
    if (dialing->state == DIALING_STOPPED)
        return;
    dialing->state = DIALING_HELD;
    dialing->failures = 0;
}

void dialing_release(struct dialing *dialing, int64_t now_ms, uint32_t random)
{
    if (dialing->state == DIALING_HELD)
        dialing_start(dialing, now_ms, dialing_delay_ms(1, false, random));
}

void dialing_stop(struct dialing *dialing)
{
    dialing->state = DIALING_STOPPED;
}
