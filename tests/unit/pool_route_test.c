/* Routing: fair where it is to be fair, faithful where it is to be faithful. */
#include "../../workers/pool_route.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEATS = 32, KEYS = 20000, RUNS = 20000 };

static struct pool_seat seats[SEATS];
static struct pool_seat *at[SEATS];

static void make_seats(void)
{
    char name[16];

    for (int i = 0; i < SEATS; i++) {
        snprintf(name, sizeof name, "%d", i + 1);
        seats[i] = (struct pool_seat){.id = pool_route_hash(name, strlen(name)), .is_up = true};
        at[i] = &seats[i];
    }
}

static uint64_t key_of(int i)
{
    char key[24];

    snprintf(key, sizeof key, "customer-%d", i);
    return pool_route_hash(key, strlen(key));
}

/* ---- by key -------------------------------------------------------------------------------- */

static void test_growing(void)
{
    int moved_elsewhere = 0, unfair = 0;

    for (size_t n = 1; n < SEATS; n++) {
        int moved = 0;

        for (int i = 0; i < KEYS; i++) {
            int before = pool_route_key(at, n, key_of(i)),
                after = pool_route_key(at, n + 1, key_of(i));

            moved += before != after;
            moved_elsewhere += before != after && after != (int)n;
        }
        /* 1/(n+1) of all, within a fifth of it */
        unfair += abs(moved - KEYS / (int)(n + 1)) > KEYS / (int)(n + 1) / 5 + 50;
    }
    tap_is_int(moved_elsewhere, 0, "with one worker more, keys move to that one only");
    tap_is_int(unfair, 0, "and no more than its share of them");
}

static void test_leaving(void)
{
    struct pool_seat *left[SEATS - 1];
    int strayed = 0;

    for (int gone = 0; gone < SEATS; gone++) {
        for (int i = 0, j = 0; i < SEATS; i++)
            if (i != gone)
                left[j++] = at[i];
        for (int i = 0; i < KEYS / 10; i++) {
            int before = pool_route_key(at, SEATS, key_of(i));

            strayed +=
                before != gone && left[pool_route_key(left, SEATS - 1, key_of(i))] != at[before];
        }
    }
    tap_is_int(strayed, 0, "whichever worker leaves, the keys of the others stay where they are");
}

static void test_spread(void)
{
    int share[SEATS] = {0}, unfair = 0;

    for (int i = 0; i < KEYS; i++)
        share[pool_route_key(at, SEATS, key_of(i))]++;
    for (int i = 0; i < SEATS; i++)
        unfair += abs(share[i] - KEYS / SEATS) > KEYS / SEATS / 4;
    tap_is_int(unfair, 0, "keys are spread evenly over all");
}

static void test_key_ignores_state(void)
{
    int changed = 0;

    for (int i = 0; i < 1000; i++) {
        int before = pool_route_key(at, SEATS, key_of(i));

        seats[before].is_up = false;
        seats[before].running = 5;
        changed += pool_route_key(at, SEATS, key_of(i)) != before;
        seats[before] = (struct pool_seat){.id = seats[before].id, .is_up = true};
    }
    tap_is_int(changed, 0, "a key waits for its worker, be it busy or down");
}

/* ---- in turn ------------------------------------------------------------------------------- */

static void test_turn(void)
{
    int share[SEATS] = {0}, last = POOL_NOBODY, wrong = 0;

    for (int i = 0; i < 10 * SEATS; i++) {
        last = pool_route_turn(at, SEATS, last);
        share[last]++;
        wrong += last != i % SEATS;
    }
    tap_is_int(wrong, 0, "each has its turn, from the first one on");
    seats[3].is_up = false;
    tap_is_int(pool_route_turn(at, SEATS, 2), 4, "one that is down is passed over");
    for (int i = 0; i < SEATS; i++)
        seats[i].is_up = false;
    tap_is_int(pool_route_turn(at, SEATS, 2), POOL_NOBODY, "when all are down there is nobody");
    tap_is_int(pool_route_turn(at, 0, POOL_NOBODY), POOL_NOBODY, "and without workers neither");
    make_seats();
}

/* ---- the first that is free ---------------------------------------------------------------- */

static void scatter(void)
{
    for (int i = 0; i < SEATS; i++) {
        seats[i].is_up = random() % 4;
        seats[i].running = (unsigned)random() % 4;
    }
}

static bool is_best(int choice, size_t n, unsigned each)
{
    for (size_t i = 0; i < n; i++) {
        bool could = seats[i].is_up && seats[i].running < each;

        if (could && (choice == POOL_NOBODY || seats[i].running < seats[choice].running))
            return false;
    }
    return choice == POOL_NOBODY || (seats[choice].is_up && seats[choice].running < each);
}

static void test_free(void)
{
    int wrong = 0;

    for (int i = 0; i < RUNS; i++) {
        size_t n = (size_t)random() % (SEATS + 1);
        unsigned each = 1 + (unsigned)random() % 3;
        int last = n ? (int)((size_t)random() % n) : POOL_NOBODY;

        scatter();
        wrong += !is_best(pool_route_free(at, n, each, last), n, each);
    }
    tap_is_int(wrong, 0, "always one that is up and has the least to do, if there is a free one");
    make_seats();
    tap_is_int(pool_route_free(at, SEATS, 1, 6), 7, "of equals, the next in turn");
    tap_is_int(pool_route_free(at, SEATS, 1, SEATS - 1), 0, "after the last comes the first");
}

int main(void)
{
    srandom(7);
    make_seats();
    test_growing();
    test_leaving();
    test_spread();
    test_key_ignores_state();
    test_turn();
    test_free();
    return tap_done();
}
