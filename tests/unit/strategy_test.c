/*
 * The strategy's decisions, carried out by a small simulator: seats rise and fall at random, while
 * further children fail. Whatever happens, the right set is up at the end, and every stop and start
 * came in its order.
 */
#include "../../supervisord/strategy.h"
#include "tap.h"

#include <stdlib.h>

enum { RUNS = 4000, SEATS = 8, STEPS_MAX = 10000 };

struct world {
    enum spec_strategy strategy;
    bool parallel;
    size_t n;
    struct seat seats[SEATS];
    bool touched[SEATS]; /* was stopped or started at all */
    bool forgotten[SEATS];
    unsigned failures; /* that are still to come */
    const char *wrong;
};

static void make_world(struct world *world)
{
    unsigned position = 0;

    *world = (struct world){.strategy = (enum spec_strategy)(random() % 3),
                            .n = 1 + (size_t)random() % SEATS,
                            .failures = (unsigned)random() % 4};
    for (size_t i = 0; i < world->n; i++) {
        position += i && random() % 4; /* a quarter are replicas of the one before */
        world->seats[i] =
            (struct seat){.is = SEAT_UP, .position = position, .temporary = random() % 6 == 0};
        if (random() % 8 == 0) {
            world->seats[i].held = true;
            world->seats[i].is = SEAT_DOWN;
        }
    }
    world->parallel = world->strategy == ONE_FOR_ONE && random() % 2;
}

/* What the supervisor does when a child ended: out with the temporary, else restart. */
static void fail(struct world *world, size_t i)
{
    struct seat *seat = &world->seats[i];

    seat->is = SEAT_DOWN;
    if (seat->temporary)
        world->forgotten[i] = true;
    else
        strategy_restart(world->strategy, world->seats, world->n, i);
}

/* Before it asks, the supervisor crosses off what is done. */
static void cross_off(struct world *world)
{
    for (size_t i = 0; i < world->n; i++) {
        struct seat *seat = &world->seats[i];

        if (seat->is == SEAT_DOWN) {
            seat->to_stop = false;
            world->forgotten[i] = world->forgotten[i] || seat->to_forget;
            seat->to_forget = false;
        }
        if (seat->is == SEAT_UP && !seat->to_stop)
            seat->to_start = false;
    }
}

static void check_stop(struct world *world, size_t which)
{
    if (world->seats[which].is != SEAT_UP && world->seats[which].is != SEAT_RISING)
        world->wrong = "a stop of what is not up";
    if (!world->seats[which].to_stop)
        world->wrong = "a stop that nobody planned";
    for (size_t i = 0; i < world->n && !world->parallel; i++)
        if (world->seats[i].to_stop && world->seats[i].position > world->seats[which].position)
            world->wrong = "a stop before a later one is down";
}

static void check_start(struct world *world, size_t which)
{
    if (world->seats[which].is != SEAT_DOWN || !world->seats[which].to_start)
        world->wrong = "a start that nobody planned";
    if (world->seats[which].held || world->seats[which].temporary)
        world->wrong = "a start of what a person stopped, or of a temporary one";
    for (size_t i = 0; i < world->n; i++) {
        if (world->seats[i].to_stop)
            world->wrong = "a start before all stops are done";
        if (!world->parallel && world->seats[i].to_start &&
            world->seats[i].position < world->seats[which].position)
            world->wrong = "a start before an earlier one is up";
    }
}

/* Something that is under way comes to its end, or another child fails. False: nothing is. */
static bool let_time_pass(struct world *world)
{
    size_t first = (size_t)random() % world->n;

    for (size_t k = 0; k < world->n; k++) {
        size_t i = (first + k) % world->n;
        struct seat *seat = &world->seats[i];

        if (seat->is == SEAT_UP && world->failures && random() % 3 == 0) {
            world->failures--;
            fail(world, i);
            return true;
        }
        if (seat->is == SEAT_FALLING) {
            seat->is = SEAT_DOWN;
            return true;
        }
        if (seat->is == SEAT_RISING) {
            bool fails = world->failures && random() % 3 == 0;

            if (fails) {
                world->failures--;
                fail(world, i);
            } else {
                seat->is = SEAT_UP;
            }
            return true;
        }
    }
    return false;
}

static void carry_out(struct world *world)
{
    for (int steps = 0; steps < STEPS_MAX && !world->wrong; steps++) {
        size_t which;

        cross_off(world);
        switch (strategy_next(world->seats, world->n, world->parallel, &which)) {
        case STEP_STOP:
            check_stop(world, which);
            world->touched[which] = true;
            world->seats[which].is = SEAT_FALLING;
            break;
        case STEP_START:
            check_start(world, which);
            world->touched[which] = true;
            world->seats[which].is = SEAT_RISING;
            break;
        case STEP_WAIT:
            if (!let_time_pass(world))
                world->wrong = "waiting for nothing";
            break;
        case STEP_DONE:
            return;
        }
        if (random() % 3 == 0)
            let_time_pass(world);
    }
    if (!world->wrong)
        world->wrong = "no end";
}

static void check_end(struct world *world, const struct world *before, size_t failed)
{
    for (size_t i = 0; i < world->n && !world->wrong; i++) {
        const struct seat *seat = &world->seats[i];
        bool later = seat->position > before->seats[failed].position;
        bool meant = i == failed || world->strategy == ONE_FOR_ALL ||
                     (world->strategy == REST_FOR_ONE && later);

        if (seat->held && seat->is != SEAT_DOWN)
            world->wrong = "what a person stopped is up";
        else if (!seat->held && !seat->temporary && seat->is != SEAT_UP)
            world->wrong = "a child is not up";
        else if (seat->temporary && meant && before->failures == 0 && !world->forgotten[i])
            world->wrong = "a temporary child was kept";
        else if (before->failures == 0 && !meant && world->touched[i])
            world->wrong = "a bystander was touched";
        else if (before->failures == 0 && meant && !seat->held && !seat->temporary &&
                 !world->touched[i])
            world->wrong = "a child was not restarted";
    }
}

static void check_worlds(void)
{
    unsigned wrong = 0;

    for (unsigned seed = 1; seed <= RUNS; seed++) {
        struct world world, before;
        size_t failed;

        srandom(seed);
        make_world(&world);
        failed = (size_t)random() % world.n;
        if (world.seats[failed].temporary || world.seats[failed].held)
            continue;
        before = world;
        fail(&world, failed);
        carry_out(&world);
        check_end(&world, &before, failed);
        if (world.wrong) {
            tap_note("seed %u: %s", seed, world.wrong);
            wrong++;
        }
    }
    tap_is_int(wrong, 0, "4000 random supervisors end with the right children up, in order");
}

/* S76: five children, the third fails. The steps as a text: -5 -4 +3 +4 +5. */
static void steps_text(enum spec_strategy strategy, size_t failed, char *out)
{
    struct seat seats[5] = {0};
    size_t which;

    for (unsigned i = 0; i < 5; i++)
        seats[i] = (struct seat){.is = SEAT_UP, .position = i};
    seats[failed].is = SEAT_DOWN;
    strategy_restart(strategy, seats, 5, failed);
    for (;;) {
        enum step step = strategy_next(seats, 5, false, &which);

        if (step != STEP_STOP && step != STEP_START)
            return;
        seats[which].is = step == STEP_STOP ? SEAT_DOWN : SEAT_UP;
        *(step == STEP_STOP ? &seats[which].to_stop : &seats[which].to_start) = false;
        out += sprintf(out, "%c%zu ", step == STEP_STOP ? '-' : '+', which + 1);
    }
}

static void check_order(void)
{
    char text[128];

    steps_text(REST_FOR_ONE, 2, text);
    tap_is_text(text, "-5 -4 +3 +4 +5 ", "S76: rest_for_one stops 5 and 4, starts 3, 4 and 5");
    steps_text(ONE_FOR_ALL, 1, text);
    tap_is_text(text, "-5 -4 -3 -1 +1 +2 +3 +4 +5 ", "S35: one_for_all stops and starts all");
    steps_text(ONE_FOR_ONE, 0, text);
    tap_is_text(text, "+1 ", "S33: one_for_one starts the one");
}

static void check_auto_shutdown(void)
{
    struct seat seats[3] = {{.is = SEAT_DOWN, .significant = true},
                            {.is = SEAT_UP, .significant = true, .position = 1},
                            {.is = SEAT_UP, .position = 2}};

    CHECK(!strategy_auto_shutdown(AUTO_NEVER, seats, 3, 0), "S83: never is never");
    CHECK(strategy_auto_shutdown(AUTO_ANY_SIGNIFICANT, seats, 3, 0), "S85: any significant one");
    CHECK(!strategy_auto_shutdown(AUTO_ANY_SIGNIFICANT, seats, 3, 2), "S83: no other one");
    CHECK(!strategy_auto_shutdown(AUTO_ALL_SIGNIFICANT, seats, 3, 0), "S85: not the first of two");
    seats[1].is = SEAT_RISING;
    CHECK(!strategy_auto_shutdown(AUTO_ALL_SIGNIFICANT, seats, 3, 0),
          "one that is being restarted is alive");
    seats[1].is = SEAT_DOWN;
    seats[1].to_start = true;
    CHECK(!strategy_auto_shutdown(AUTO_ALL_SIGNIFICANT, seats, 3, 0),
          "seed 46: one whose turn to start has not come is still to live");
    seats[1].to_start = false;
    CHECK(strategy_auto_shutdown(AUTO_ALL_SIGNIFICANT, seats, 3, 1),
          "X18: the last one, whatever became of the others");
}

static void check_wants(void)
{
    CHECK(strategy_wants_restart(RESTART_PERMANENT, true) &&
              strategy_wants_restart(RESTART_PERMANENT, false),
          "S48, S51, S55: a permanent child is restarted after any end");
    CHECK(!strategy_wants_restart(RESTART_TRANSIENT, true) &&
              strategy_wants_restart(RESTART_TRANSIENT, false),
          "S49, S52, S56: a transient child only after an end that was not orderly");
    CHECK(!strategy_wants_restart(RESTART_TEMPORARY, true) &&
              !strategy_wants_restart(RESTART_TEMPORARY, false),
          "S50, S53, S57: a temporary child never");
}

static void check_temporary(void)
{
    struct seat seats[2] = {{.is = SEAT_DOWN}, {.is = SEAT_UP, .position = 1, .temporary = true}};

    strategy_restart(ONE_FOR_ALL, seats, 2, 0);
    CHECK(seats[1].to_stop && seats[1].to_forget && !seats[1].to_start,
          "S58: a temporary sibling is stopped, not started, and not kept");
}

static void check_templates(void)
{
    struct seat seats[3] = {0};
    size_t which, stops = 0;

    for (unsigned i = 0; i < 3; i++)
        seats[i] = (struct seat){.is = SEAT_UP, .position = i, .to_stop = true};
    while (strategy_next(seats, 3, true, &which) == STEP_STOP) {
        seats[which].is = SEAT_FALLING;
        stops++;
    }
    tap_is_int((long long)stops, 3, "S39: children of a template are stopped all at once");
    CHECK(strategy_next(seats, 3, true, &which) == STEP_WAIT, "and then they are waited for");
}

int main(void)
{
    check_order();
    check_temporary();
    check_templates();
    check_auto_shutdown();
    check_wants();
    check_worlds();
    return tap_done();
}
