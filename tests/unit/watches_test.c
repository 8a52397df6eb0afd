/*
 * Watches: first rule by rule, then a world of watchers and watched in which everything happens at
 * random, beside a model that is as plain as can be: each number hears exactly once of the end of
 * what it was of, unless it was taken back before, and nothing of what came later.
 */
#include "../../supervisord/watches.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>

static void take_all(struct watcher *watcher, unsigned *notices)
{
    struct notice notice;

    for (*notices = 0; watches_next(watcher, &notice); ++*notices)
        watches_told(&notice);
}

static void destroy(struct watch *watch, void *ctx)
{
    (void)ctx;
    watch_destroy(watch);
}

static void finish(struct watcher *watcher)
{
    watches_each(watcher, destroy, NULL);
    watcher_finish(watcher);
}

static void test_monitors(void)
{
    struct watcher watcher = {0};
    struct watched db = {0};
    struct watch *watch = watches_add(&watcher, WATCH_MONITOR, "shop/db", 0, "");
    struct notice notice;

    CHECK(watches_find(&watcher, WATCH_MONITOR, "shop/db", 0, "") == watch, "a watch is found");
    CHECK(!watches_find(&watcher, WATCH_LINK, "shop/db", 0, "") &&
              !watches_find(&watcher, WATCH_MONITOR, "shop/db", 1, "") &&
              !watches_find(&watcher, WATCH_MONITOR, "shop/db", 0, "shop/a") &&
              !watches_find(&watcher, WATCH_MONITOR, "shop/d", 0, ""),
          "and no other of its kind, incarnation, asker or name");
    CHECK(!watches_monitor(watch, 7) && !watches_monitor(watch, 8), "monitors count singly");
    CHECK(watches_monitor(watch, 7) == -1 && errno == EEXIST, "a number is used once at a time");
    watch_stand(watch, &db, 3);
    CHECK(!watches_next(&watcher, &notice), "nothing is told before the end");
    CHECK(!watches_demonitor(&watcher, 7), "what has numbers left is not for withdrawal");
    watch_end(db.watches, 3, "exit:1", false);
    CHECK(!db.watches, "an end takes the watch off the list of the watched");
    CHECK(!watches_find(&watcher, WATCH_MONITOR, "shop/db", 0, ""),
          "what is over is not joined any more");
    CHECK(watches_next(&watcher, &notice) && notice.ref == 8 && notice.watch->incarnation == 3 &&
              !strcmp(notice.watch->reason, "exit:1") && !strcmp(notice.watch->path, "shop/db"),
          "who is left is told of which incarnation, and why");
    watches_told(&notice);
    CHECK(!watches_next(&watcher, &notice) && !watcher.monitors && !watcher.watches,
          "once, and nothing is left of it");
}

static void test_links(void)
{
    struct watcher watcher = {0};
    struct watched db = {0}, web = {0};
    struct watch *link = watches_add(&watcher, WATCH_LINK, "db", 0, "");
    struct watch *monitor = watches_add(&watcher, WATCH_MONITOR, "web", 0, "");
    struct notice notice;

    watches_monitor(monitor, 1);
    watch_stand(link, &db, 1);
    watch_stand(monitor, &web, 1);
    watch_end(monitor, 1, "normal", false);
    watch_end(link, 1, "exit:1", true);
    CHECK(watches_next(&watcher, &notice) && notice.watch == link && !notice.ref &&
              notice.watch->ordered,
          "links are told of before monitors, whatever came first");
    watches_told(&notice);
    CHECK(watches_demonitor(&watcher, 1) == monitor,
          "a number may be taken back as long as it was not told");
    watch_destroy(monitor);
    CHECK(!watches_next(&watcher, &notice), "and is then not told at all");
    finish(&watcher);
}

static void test_bounds(void)
{
    struct watcher watcher = {0};
    struct watched db = {0};
    struct watch *watch = watches_add(&watcher, WATCH_MONITOR, "db", 0, "");
    unsigned made = 0, told;

    watch_stand(watch, &db, 1);
    while (!watches_monitor(watch, made + 1))
        made++;
    CHECK(made == WATCHES_MAX && errno == ENOSPC, "a watcher has at most 100,000 monitors");
    watch_end(watch, 1, "normal", false);
    CHECK(watcher.monitors == WATCHES_MAX, "those that wait to be told count, too");
    take_all(&watcher, &told);
    CHECK(told == WATCHES_MAX, "each is told");
    finish(&watcher);
}

/* ---- the world ------------------------------------------------------------------------------- */

enum { WATCHERS = 4, ACTORS = 5, REFS = 40, STEPS = 200000 };

/* What the model knows of a number: nothing, or which end it waits for. */
struct expected {
    bool is_set, is_over;
    int actor;
    uint64_t incarnation;
};

static struct watcher watchers[WATCHERS];
static struct watched actors[ACTORS];
static uint64_t incarnations[ACTORS];
static struct expected model[WATCHERS][REFS];
static const char *wrong;

static void monitor(int w, int actor, uint64_t ref)
{
    char path[8];
    struct watch *watch;

    snprintf(path, sizeof path, "%d", actor);
    watch = watches_find(&watchers[w], WATCH_MONITOR, path, 0, "");
    if (!watch) {
        watch = watches_add(&watchers[w], WATCH_MONITOR, path, 0, "");
        watch_stand(watch, &actors[actor], incarnations[actor]);
    }
    if ((watches_monitor(watch, ref) < 0) != model[w][ref].is_set)
        wrong = "a number that was free is in use, or the other way round";
    if (!watch->list)
        watch_destroy(watch);
    if (!model[w][ref].is_set)
        model[w][ref] = (struct expected){true, false, actor, incarnations[actor]};
}

static void demonitor(int w, uint64_t ref)
{
    struct watch *watch = watches_demonitor(&watchers[w], ref);

    if (watch && !model[w][ref].is_set)
        wrong = "a number that nobody had was taken back";
    if (watch)
        watch_destroy(watch);
    model[w][ref].is_set = false;
}

static void end(int actor)
{
    while (actors[actor].watches)
        watch_end(actors[actor].watches, incarnations[actor], "exit:1", false);
    for (int w = 0; w < WATCHERS; w++)
        for (int ref = 1; ref < REFS; ref++)
            if (model[w][ref].actor == actor)
                model[w][ref].is_over = true;
    incarnations[actor]++;
}

static void tell_some(int w)
{
    struct notice notice;

    for (long n = random() % 8; n > 0 && watches_next(&watchers[w], &notice); n--) {
        struct expected *expected = &model[w][notice.ref];

        if (!expected->is_set || !expected->is_over ||
            expected->incarnation != notice.watch->incarnation ||
            expected->actor != atoi(notice.watch->path))
            wrong = "told of what was not expected";
        expected->is_set = false;
        watches_told(&notice);
    }
}

static void check_rest(void)
{
    unsigned told, wanted;

    for (int actor = 0; actor < ACTORS; actor++)
        end(actor);
    for (int w = 0; w < WATCHERS; w++) {
        wanted = 0;
        for (int ref = 1; ref < REFS; ref++)
            wanted += model[w][ref].is_set;
        take_all(&watchers[w], &told);
        if (told != wanted || watchers[w].watches || watchers[w].monitors)
            wrong = "in the end not everybody was told, or something is left";
        finish(&watchers[w]);
    }
}

static void test_world(void)
{
    srandom(53);
    for (int i = 0; i < STEPS && !wrong; i++) {
        int w = (int)(random() % WATCHERS), actor = (int)(random() % ACTORS);
        uint64_t ref = 1 + (uint64_t)random() % (REFS - 1);

        switch (random() % 8) {
        case 0:
        case 1:
        case 2:
            monitor(w, actor, ref);
            break;
        case 3:
            demonitor(w, ref);
            break;
        case 4:
            end(actor);
            break;
        default:
            tell_some(w);
        }
    }
    check_rest();
    CHECK(!wrong, "in a world where everything happens, each is told once of the right end%s%s",
          wrong ? ": " : "", wrong ? wrong : "");
}

int main(void)
{
    test_monitors();
    test_links();
    test_bounds();
    test_world();
    return tap_done();
}
