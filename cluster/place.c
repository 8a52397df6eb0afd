#include "place.h"

static enum place_order ask(struct place *place, enum place_state state, enum place_order order)
{
    place->state = state;
    place->request++;
    return order;
}

static enum place_order give_up(struct place *place, enum place_order order)
{
    place->state = PLACE_IDLE;
    place->is_wanted = false;
    return order;
}

static enum place_order read_row(struct place *place)
{
    place->is_wanted = false;
    return ask(place, PLACE_READING, PLACE_READ);
}

void place_adopt(struct place *place, uint64_t epoch)
{
    *place = (struct place){.state = PLACE_RUNNING, .epoch = epoch, .request = place->request + 1};
}

enum place_order place_want(struct place *place)
{
    switch (place->state) {
    case PLACE_IDLE:
        place->tries = 0;
        return read_row(place);
    case PLACE_RUNNING:
        return PLACE_HERE;
    case PLACE_FREEING:
        place->is_wanted = true;
        return PLACE_WAIT;
    default:
        return PLACE_WAIT;
    }
}

/* L4. Our own row is not in the way: what had it has ended, or never began. */
static enum membership_verdict judge_owner(const struct place *place,
                                           const struct membership *membership)
{
    if (place->row.generation == 0 ||
        place->row.generation == membership_self(membership)->generation)
        return MEMBERSHIP_GONE;
    return membership_judge(membership, place->row.node, place->row.generation, place->mark);
}

static enum place_order judge(struct place *place, const struct membership *membership,
                              int64_t now_ms)
{
    switch (judge_owner(place, membership)) {
    case MEMBERSHIP_LIVES:
        return give_up(place, PLACE_ELSEWHERE);
    case MEMBERSHIP_UNKNOWN:
        if (place->state == PLACE_JUDGING)
            return PLACE_WAIT;
        place->state = PLACE_JUDGING;
        return PLACE_READ_NODES;
    case MEMBERSHIP_GONE:
        break;
    }
    if (!membership_may_start(membership, now_ms))
        return give_up(place, PLACE_FENCED);
    return ask(place, PLACE_CLAIMING, PLACE_CLAIM);
}

static bool is_answer(const struct place *place, enum place_state state, uint64_t request)
{
    return place->state == state && place->request == request;
}

enum place_order place_found(struct place *place, uint64_t request, const struct place_row *row,
                             const struct membership *membership, int64_t now_ms)
{
    if (!is_answer(place, PLACE_READING, request))
        return PLACE_WAIT;
    place->row = *row;
    place->mark = membership_mark(membership);
    return judge(place, membership, now_ms);
}

enum place_order place_table(struct place *place, const struct membership *membership,
                             int64_t now_ms)
{
    return place->state == PLACE_JUDGING ? judge(place, membership, now_ms) : PLACE_WAIT;
}

enum place_order place_claimed(struct place *place, uint64_t request, uint64_t epoch,
                               const struct membership *membership, int64_t now_ms)
{
    if (!is_answer(place, PLACE_CLAIMING, request))
        return PLACE_WAIT;
    if (!epoch)
        return ++place->tries < PLACE_TRIES ? read_row(place) : give_up(place, PLACE_CONTENDED);
    place->epoch = epoch;
    if (!membership_may_start(membership, now_ms))
        return give_up(place, PLACE_FENCED);
    place->state = PLACE_STARTING;
    return PLACE_START;
}

enum place_order place_failed(struct place *place, uint64_t request)
{
    bool is_refusal = is_answer(place, PLACE_READING, request) ||
                      is_answer(place, PLACE_JUDGING, request) ||
                      is_answer(place, PLACE_CLAIMING, request) ||
                      (is_answer(place, PLACE_FREEING, request) && place->is_wanted);

    if (is_refusal)
        return give_up(place, PLACE_UNREACHABLE);
    if (is_answer(place, PLACE_FREEING, request))
        place->state = PLACE_IDLE; /* the row stays ours, and is in nobody's way but others' */
    return PLACE_WAIT;
}

enum place_order place_ready(struct place *place)
{
    if (place->state != PLACE_STARTING)
        return PLACE_WAIT;
    place->state = PLACE_RUNNING;
    return PLACE_HERE;
}

enum place_order place_ended(struct place *place)
{
    if (place->state != PLACE_STARTING && place->state != PLACE_RUNNING)
        return PLACE_WAIT;
    return ask(place, PLACE_FREEING, PLACE_FREE);
}

enum place_order place_freed(struct place *place, uint64_t request)
{
    if (!is_answer(place, PLACE_FREEING, request))
        return PLACE_WAIT;
    place->state = PLACE_IDLE;
    return place->is_wanted ? place_want(place) : PLACE_WAIT;
}

bool place_fence(struct place *place)
{
    bool somebody_waits = place->state != PLACE_IDLE && place->state != PLACE_RUNNING &&
                          (place->state != PLACE_FREEING || place->is_wanted);

    give_up(place, PLACE_FENCED);
    place->request++; /* no answer to an earlier one is of use */
    return somebody_waits;
}
