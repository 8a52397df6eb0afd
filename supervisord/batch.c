#include "batch.h"

#include <stdio.h>

static struct seat seat_of(const struct child *child)
{
    struct seat seat = {
        .temporary = child->spec->restart == RESTART_TEMPORARY && !child->supervisor->is_root,
        .held = child->slot->held,
        .significant = child->spec->significant,
        .stop_rank = child->stop_rank,
        .to_stop = child->to_stop,
        .to_start = child->to_start,
        .to_forget = child->to_forget,
    };

    switch (child->state) {
    case CHILD_READY:
        seat.is = SEAT_UP;
        break;
    case CHILD_BACKOFF:
    case CHILD_WAITING:
    case CHILD_STARTING:
        seat.is = SEAT_RISING;
        break;
    case CHILD_STOPPING:
    case CHILD_BURYING:
        seat.is = SEAT_FALLING;
        break;
    default:
        seat.is = SEAT_DOWN;
    }
    return seat;
}

/* Replicas of one entry stand beside each other and share a position. */
static bool same_entry(const struct spec *a, const struct spec *b)
{
    return a->replica && b->replica && a->at.line == b->at.line && a->at.column == b->at.column &&
           a->replica > b->replica;
}

struct seat *batch_seats(const struct supervisor *supervisor)
{
    struct seat *seats = supervisor->seats;
    unsigned position = 0;

    for (size_t i = 0; i < supervisor->count; i++) {
        seats[i] = seat_of(supervisor->children[i]);
        if (i && !same_entry(supervisor->children[i]->spec, supervisor->children[i - 1]->spec))
            position++;
        seats[i].position = position;
    }
    return seats;
}

void batch_take(struct supervisor *supervisor, const struct seat *seats)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];

        child->to_stop = seats[i].to_stop;
        child->to_start = seats[i].to_start;
        child->to_forget = seats[i].to_forget;
        if (child->to_forget && child->state == CHILD_DOWN)
            child->doomed = true;
    }
}

static void stop_in_batch(struct child *child)
{
    enum child_order order = child->batch_order == ORDER_NONE ? ORDER_BATCH : child->batch_order;

    child->batch_order = ORDER_NONE;
    child_stop(child, order);
}

const char *supervisor_missing(const struct child *child)
{
    return child->supervisor->missing ? child->supervisor->missing(child) : NULL;
}

/* An application is not started without what it depends on. */
static void start_in_batch(struct child *child)
{
    const char *missing = supervisor_missing(child);

    if (!missing) {
        child_start(child);
        return;
    }
    child->to_start = false;
    child->rest = REST_FAILED;
    child->slot->state = ROW_FAILED;
    snprintf(child->slot->last, sizeof child->slot->last, "error it depends on %s, which is not ready",
             missing);
    events_child_text(child, EVENT_CHILD_FAILED, "reason", child->slot->last);
}

/* Of those to start, the first counts, whose turn it is, and the first at its position (in a template:
 * anywhere) that is down. */
struct turn {
    bool anywhere, begun, is_over;
    unsigned position;
};

static bool has_its_turn(const struct child *child, unsigned position, struct turn *turn)
{
    bool is_first = !turn->begun;

    if (is_first)
        turn->position = position;
    turn->begun = true;
    if (!turn->anywhere && position != turn->position) {
        turn->is_over = true;
        return false;
    }
    turn->is_over = child->state == CHILD_DOWN;
    return is_first || turn->is_over;
}

/* No order among its children. */
static bool is_parallel(const struct supervisor *supervisor)
{
    return supervisor->spec->template || supervisor->spec->service;
}

/* The seats of those whom the next step may concern: all to stop, and of those to start hardly anybody.
 * To look at all of each child took a supervisor of 1,000 as long as half a fork, twice for each child
 * that it starts. Returns how many. */
static size_t seats_of_batch(const struct supervisor *supervisor)
{
    struct turn turn = {.anywhere = is_parallel(supervisor)};
    struct seat *seats = supervisor->seats;
    const struct spec *last = NULL;
    unsigned position = 0;
    size_t n = 0;

    for (size_t i = 0; i < supervisor->count; i++) {
        const struct child *child = supervisor->children[i];

        if (!child->to_stop && (!child->to_start || turn.is_over))
            continue;
        if (!last || !same_entry(child->spec, last))
            position = (unsigned)i;
        last = child->spec;
        if (!child->to_stop && !has_its_turn(child, position, &turn))
            continue;
        seats[n] = seat_of(child);
        seats[n].position = position;
        seats[n++].child = (unsigned)i;
    }
    return n;
}

bool batch_step(struct supervisor *supervisor, enum step *what)
{
    const struct seat *seats = supervisor->seats;
    size_t n = seats_of_batch(supervisor), which = 0;

    *what = strategy_next(seats, n, is_parallel(supervisor), &which);
    if (*what == STEP_STOP)
        stop_in_batch(supervisor->children[seats[which].child]);
    else if (*what == STEP_START)
        start_in_batch(supervisor->children[seats[which].child]);
    return *what == STEP_STOP || *what == STEP_START;
}
