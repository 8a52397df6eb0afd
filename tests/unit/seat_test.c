#include "seat.h"
#include "tap.h"

static struct mono at(int64_t ms)
{
    return (struct mono){(1000 + ms) * 1000};
}

static bool stays(const struct seat *seat, enum seat_kind kind, int64_t ms, bool idle, bool urgent)
{
    return seat_step(seat, kind, at(ms), idle, urgent) == SEAT_STAYS;
}

static bool is_asked(const struct seat *seat, int64_t ms, bool idle, bool urgent)
{
    return seat_step(seat, SEAT_ACTOR, at(ms), idle, urgent) == SEAT_ASKED;
}

static bool goes(const struct seat *seat, enum seat_kind kind, int64_t ms, bool idle, bool urgent)
{
    return seat_step(seat, kind, at(ms), idle, urgent) == SEAT_LET_GO;
}

static void test_actors(void)
{
    struct seat seat = {.taken = at(0), .served = at(0)};

    CHECK(stays(&seat, SEAT_ACTOR, SEAT_QUIET_MS - 1, true, false) &&
              is_asked(&seat, SEAT_QUIET_MS, true, false),
          "an actor that has been quiet for a moment is asked");
    CHECK(stays(&seat, SEAT_ACTOR, SEAT_QUIET_MS, false, false),
          "… but not while something that it sent is still to be handled");
    seat_was_served(&seat, at(SEAT_TURN_MS));
    CHECK(stays(&seat, SEAT_ACTOR, SEAT_TURN_MS, true, false) &&
              is_asked(&seat, SEAT_TURN_MS, false, true) &&
              stays(&seat, SEAT_ACTOR, SEAT_TURN_MS - 1, false, true),
          "who is busy is asked when its turn was long enough and nobody is quiet");
    seat_was_asked(&seat, at(SEAT_TURN_MS));
    CHECK(stays(&seat, SEAT_ACTOR, SEAT_TURN_MS + SEAT_AGAIN_MS - 1, true, true) &&
              is_asked(&seat, SEAT_TURN_MS + SEAT_AGAIN_MS, true, true),
          "who was asked is not asked again at once");
    seat_was_asked(&seat, at(SEAT_TURN_MS + SEAT_AGAIN_MS));
    CHECK(goes(&seat, SEAT_ACTOR, SEAT_TURN_MS + SEAT_HEEDLESS_MS, true, false) &&
              !goes(&seat, SEAT_ACTOR, SEAT_TURN_MS + SEAT_HEEDLESS_MS - 1, true, false),
          "who does not heed it for long, and is quiet, is let go");
    CHECK(!goes(&seat, SEAT_ACTOR, SEAT_TURN_MS + SEAT_HEEDLESS_MS, false, true),
          "… but not while something of it is to be answered");
    seat_was_served(&seat, at(SEAT_TURN_MS + SEAT_HEEDLESS_MS));
    CHECK(is_asked(&seat, SEAT_TURN_MS + SEAT_HEEDLESS_MS + SEAT_QUIET_MS, true, false),
          "… nor when it has sent something since");
    seat.is_left = true;
    CHECK(stays(&seat, SEAT_ACTOR, 100000, true, true), "who makes room is not asked any more");
}

static void test_others(void)
{
    struct seat seat = {.taken = at(0), .served = at(0)};

    CHECK(stays(&seat, SEAT_STRANGER, SEAT_HELLO_MS - 1, true, true) &&
              goes(&seat, SEAT_STRANGER, SEAT_HELLO_MS, true, false),
          "who does not say who it is has as long as for any handshake");
    CHECK(stays(&seat, SEAT_ASKER, SEAT_TURN_MS - 1, true, false) &&
              goes(&seat, SEAT_ASKER, SEAT_TURN_MS, true, false) &&
              stays(&seat, SEAT_ASKER, SEAT_TURN_MS, false, false) &&
              goes(&seat, SEAT_ASKER, SEAT_TURN_MS, false, true),
          "an asker that is quiet is let go after its turn, a busy one when nobody is quiet");
    CHECK(goes(&seat, SEAT_PUSHER, SEAT_PUSHER_MS, true, false) &&
              stays(&seat, SEAT_PUSHER, SEAT_PUSHER_MS - 1, true, true) &&
              stays(&seat, SEAT_PUSHER, SEAT_PUSHER_MS, false, true),
          "a pusher is let go when it has been quiet for long, and only then");
    CHECK(stays(&seat, SEAT_LISTENER, 1000000, true, true), "a listener stays");
    CHECK(seat_is_kept(SEAT_LISTENER) && seat_is_kept(SEAT_PUSHER) && !seat_is_kept(SEAT_ACTOR) &&
              !seat_is_kept(SEAT_ASKER) && !seat_is_kept(SEAT_STRANGER),
          "who loses something by leaving keeps the seat");
}

int main(void)
{
    test_actors();
    test_others();
    return tap_done();
}
