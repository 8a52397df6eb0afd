#include "seat.h"

bool seat_is_kept(enum seat_kind kind)
{
    return kind == SEAT_LISTENER || kind == SEAT_PUSHER;
}

/* Quiet for so long, or, when there is nobody quiet, busy for long enough. */
static bool is_its_turn(const struct seat *seat, struct mono now, bool idle, bool urgent)
{
    if (urgent)
        return mono_diff_ms(now, seat->taken) >= SEAT_TURN_MS;
    return idle && mono_diff_ms(now, seat->served) >= SEAT_QUIET_MS;
}

static enum seat_step step_of_actor(const struct seat *seat, struct mono now, bool idle,
                                    bool urgent)
{
    if (!is_its_turn(seat, now, idle, urgent))
        return SEAT_STAYS;
    if (idle && mono_is_set(seat->asked_first) &&
        mono_diff_ms(now, seat->asked_first) >= SEAT_HEEDLESS_MS)
        return SEAT_LET_GO;
    if (mono_is_set(seat->asked) && mono_diff_ms(now, seat->asked) < SEAT_AGAIN_MS)
        return SEAT_STAYS;
    return SEAT_ASKED;
}

enum seat_step seat_step(const struct seat *seat, enum seat_kind kind, struct mono now, bool idle,
                         bool urgent)
{
    bool goes = false;

    if (seat->is_left)
        return SEAT_STAYS;
    switch (kind) {
    case SEAT_ACTOR:
        return step_of_actor(seat, now, idle, urgent);
    case SEAT_STRANGER:
        goes = mono_diff_ms(now, seat->taken) >= SEAT_HELLO_MS;
        break;
    case SEAT_ASKER: /* it will be back at once: each has its turn first */
        goes =
            mono_diff_ms(now, seat->taken) >= SEAT_TURN_MS && is_its_turn(seat, now, idle, urgent);
        break;
    case SEAT_PUSHER:
        goes = idle && mono_diff_ms(now, seat->served) >= SEAT_PUSHER_MS;
        break;
    case SEAT_LISTENER:
        break;
    }
    return goes ? SEAT_LET_GO : SEAT_STAYS;
}

void seat_was_served(struct seat *seat, struct mono now)
{
    seat->served = now;
    seat->asked_first = (struct mono){0};
}

void seat_was_asked(struct seat *seat, struct mono now)
{
    seat->asked = now;
    if (!mono_is_set(seat->asked_first))
        seat->asked_first = now;
}
