#include "seat.h"
#include "tap.h"

static struct mono at(int64_t ms)
{
    return (struct mono){(1000 + ms) * 1000};
}

int main(void)
{
    struct seat seat = {.taken = at(0), .served = at(0)};

    CHECK(!seat_may_be_asked(&seat, at(SEAT_QUIET_MS - 1), true, false) &&
              seat_may_be_asked(&seat, at(SEAT_QUIET_MS), true, false),
          "who has been quiet for a moment may be asked");
    CHECK(!seat_may_be_asked(&seat, at(SEAT_QUIET_MS), false, false),
          "… but not while something that it sent is still to be handled");
    seat.served = at(SEAT_TURN_MS);
    CHECK(!seat_may_be_asked(&seat, at(SEAT_TURN_MS), true, false) &&
              seat_may_be_asked(&seat, at(SEAT_TURN_MS), false, true) &&
              !seat_may_be_asked(&seat, at(SEAT_TURN_MS - 1), false, true),
          "who is busy may be asked when its turn was long enough and nobody is quiet");
    seat.asked = at(SEAT_TURN_MS);
    CHECK(!seat_may_be_asked(&seat, at(SEAT_TURN_MS + SEAT_AGAIN_MS - 1), true, true) &&
              seat_may_be_asked(&seat, at(SEAT_TURN_MS + SEAT_AGAIN_MS), true, true),
          "who was asked is not asked again at once");
    seat.is_left = true;
    CHECK(!seat_may_be_asked(&seat, at(100000), true, true),
          "who makes room is not asked any more");
    return tap_done();
}
