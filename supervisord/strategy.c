#include "strategy.h"

static void add_to_batch(struct seat *seat)
{
    seat->to_stop = seat->is != SEAT_DOWN;
    seat->to_forget = seat->to_forget || seat->temporary;
    seat->to_start = !seat->temporary && !seat->held;
}

void strategy_restart(enum spec_strategy strategy, struct seat *seats, size_t n, size_t failed)
{
    for (size_t i = 0; i < n; i++) {
        bool later = seats[i].position > seats[failed].position;

        if (i == failed || strategy == ONE_FOR_ALL || (strategy == REST_FOR_ONE && later))
            add_to_batch(&seats[i]);
    }
}

static bool stops_before(const struct seat *a, const struct seat *b)
{
    return a->stop_rank != b->stop_rank ? a->stop_rank > b->stop_rank : a->position > b->position;
}

/* Whoever is to stop and has the highest rank, then the latest position; n when nobody is. */
static size_t last_to_stop(const struct seat *seats, size_t n)
{
    size_t last = n;

    for (size_t i = 0; i < n; i++)
        if (seats[i].to_stop && (last == n || !stops_before(&seats[last], &seats[i])))
            last = i;
    return last;
}

static size_t first_to_start(const struct seat *seats, size_t n)
{
    size_t first = n;

    for (size_t i = 0; i < n; i++)
        if (seats[i].to_start && (first == n || seats[i].position < seats[first].position))
            first = i;
    return first;
}

static enum step next_stop(const struct seat *seats, size_t n, const struct seat *last, bool parallel,
                           size_t *which)
{
    for (size_t i = n; i-- > 0;) {
        if (!seats[i].to_stop || (!parallel && stops_before(last, &seats[i])))
            continue;
        if (seats[i].is == SEAT_UP || seats[i].is == SEAT_RISING) {
            *which = i;
            return STEP_STOP;
        }
    }
    return STEP_WAIT;
}

static enum step next_start(const struct seat *seats, size_t n, unsigned position, bool parallel,
                            size_t *which)
{
    for (size_t i = 0; i < n; i++) {
        if (!seats[i].to_start || (!parallel && seats[i].position != position))
            continue;
        if (seats[i].is == SEAT_DOWN) {
            *which = i;
            return STEP_START;
        }
    }
    return STEP_WAIT;
}

enum step strategy_next(const struct seat *seats, size_t n, bool parallel, size_t *which)
{
    size_t i;

    i = last_to_stop(seats, n);
    if (i < n)
        return next_stop(seats, n, &seats[i], parallel, which);
    i = first_to_start(seats, n);
    if (i < n)
        return next_start(seats, n, seats[i].position, parallel, which);
    return STEP_DONE;
}

bool strategy_auto_shutdown(enum spec_auto_shutdown mode, const struct seat *seats, size_t n,
                            size_t ended)
{
    if (mode == AUTO_NEVER || !seats[ended].significant)
        return false;
    if (mode == AUTO_ANY_SIGNIFICANT)
        return true;
    for (size_t i = 0; i < n; i++)
        if (i != ended && seats[i].significant && (seats[i].is != SEAT_DOWN || seats[i].to_start))
            return false;
    return true;
}

bool strategy_wants_restart(enum spec_restart restart, bool orderly)
{
    return restart == RESTART_PERMANENT || (restart == RESTART_TRANSIENT && !orderly);
}
