#include "seat.h"

bool seat_may_be_asked(const struct seat *seat, struct mono now, bool idle, bool urgent)
{
    if (seat->is_left)
        return false;
    if (mono_is_set(seat->asked) && mono_diff_ms(now, seat->asked) < SEAT_AGAIN_MS)
        return false;
    if (urgent)
        return mono_diff_ms(now, seat->taken) >= SEAT_TURN_MS;
    return idle && mono_diff_ms(now, seat->served) >= SEAT_QUIET_MS;
}
