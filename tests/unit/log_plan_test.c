/* Rotation, the cap over all files, and which files are open. */
#include "../../workers/log_plan.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_rotation(void)
{
    struct log_step steps[10];
    struct log_limits limits = {.files = 10, .size_bytes = 100, .total_bytes = 1000};

    CHECK(!log_is_rotation_due(90, 10, 100) && log_is_rotation_due(91, 10, 100),
          "a file that would grow over its limit is rotated");
    CHECK(!log_is_rotation_due(0, 500, 100), "an empty one is not, however much is to come");
    CHECK(log_rotation_steps(3, steps) == 2 && steps[0].from == 1 && steps[0].to == 2 &&
              steps[1].from == 0 && steps[1].to == 1,
          "the oldest goes first, over the one that is to go");
    CHECK(log_rotation_steps(1, steps) == 1 && steps[0].from == 0 && steps[0].to == 0,
          "with a single file that one goes");
    CHECK(log_size_limit(&limits) == 100, "the size is as asked");
    limits.total_bytes = 120;
    CHECK(log_size_limit(&limits) == 60, "but two full files fit under the total");
}

static void test_cap(void)
{
    struct log_candidate files[] = {
        {.name = "old-live", .size = 10, .mtime_ns = 1, .generation = 0},
        {.name = "new", .size = 10, .mtime_ns = 9, .generation = 2},
        {.name = "older", .size = 10, .mtime_ns = 3, .generation = 1},
        {.name = "oldest", .size = 10, .mtime_ns = 3, .generation = 2},
        {.name = "busy", .size = 10, .mtime_ns = 0, .generation = 0, .is_busy = true},
    };

    CHECK(log_choose_removals(files, 5, 50) == 50 && !files[0].is_chosen, "nothing too much: none");
    CHECK(log_choose_removals(files, 5, 31) == 30 && files[0].is_chosen && files[1].is_chosen &&
              !strcmp(files[0].name, "oldest") && !strcmp(files[1].name, "older") &&
              !files[2].is_chosen,
          "the oldest rotated ones go first, of one age the higher generation");
    CHECK(log_choose_removals(files, 5, 10) == 10 && !strcmp(files[4].name, "old-live") &&
              files[4].is_chosen,
          "then present files that have been silent");
    CHECK(log_choose_removals(files, 5, 0) == 10, "never the one that is being written");
    CHECK(log_choose_removals(NULL, 0, 0) == 0, "no files: nothing to do");
}

static void test_cap_property(void)
{
    struct log_candidate files[50];
    char names[50][8];
    bool good = true;

    srandom(3);
    for (int round = 0; round < 500; round++) {
        uint64_t total = 0, wanted, left, kept = 0;

        for (int i = 0; i < 50; i++) {
            snprintf(names[i], sizeof names[i], "%d", i);
            files[i] = (struct log_candidate){.name = names[i],
                                              .size = (uint64_t)random() % 1000,
                                              .mtime_ns = random() % 100,
                                              .generation = (unsigned)random() % 4};
            total += files[i].size;
        }
        wanted = (uint64_t)random() % total;
        left = log_choose_removals(files, 50, wanted);
        for (int i = 0; i < 50; i++) {
            kept += files[i].is_chosen ? 0 : files[i].size;
            /* A rotated file stays only when no present one goes. */
            for (int j = 0; j < 50; j++)
                good = good && !(files[i].is_chosen && files[i].generation == 0 &&
                                 !files[j].is_chosen && files[j].generation > 0);
        }
        good = good && kept == left && left <= wanted;
    }
    CHECK(good, "random files: what is left is under the cap, and no present file goes too early");
}

static void test_lru(void)
{
    struct log_lru lru = {0};
    struct log_slot slots[5] = {0};
    char names[5][4] = {"a", "b", "c", "d", "e"};

    for (int i = 0; i < 3; i++) {
        slots[i].name = names[i];
        CHECK(log_lru_victim(&lru, 3) == NULL, "there is room for %s", names[i]);
        log_lru_add(&lru, &slots[i]);
    }
    CHECK(log_lru_victim(&lru, 3) == &slots[0], "the one that was not used for longest goes");
    CHECK(log_lru_find(&lru, "a") == &slots[0] && log_lru_victim(&lru, 3) == &slots[1],
          "a use makes it the newest");
    CHECK(log_lru_find(&lru, "x") == NULL, "what was never opened is not there");
    log_lru_remove(&lru, &slots[1]);
    CHECK(lru.count == 2 && log_lru_find(&lru, "b") == NULL && lru.oldest == &slots[2],
          "a removed one is forgotten");
    log_lru_remove(&lru, &slots[0]);
    log_lru_remove(&lru, &slots[2]);
    CHECK(lru.count == 0 && !lru.oldest && !lru.newest, "all of them can go");
}

int main(void)
{
    test_rotation();
    test_cap();
    test_cap_property();
    test_lru();
    return tap_done();
}
