/* What a service decides: room, back-off and refusal of one id, which starts again; and a random
 * history, in which no id's failures weigh on another. */
#include "../../supervisord/service.h"
#include "../../supervisord/sharding.h"
#include "shard.h"
#include "tap.h"

#include <stdlib.h>

static const struct spec_service spec = {
    .max = 10,
    .intensity = 2,
    .period_ms = 5000,
    .refuse_ms = 10000,
    .backoff = {.initial_ms = 100, .factor = 2, .max_ms = 1000, .reset_after_ms = 10000},
};

static void fail_at(struct service *service, const char *id, int64_t now_ms)
{
    service_failed(service, id, "error it cannot", 0, now_ms, 0.5);
}

static enum service_verdict verdict(struct service *service, const char *id, int64_t now_ms)
{
    return service_ask(service, id, 0, now_ms).verdict;
}

static void check_room(void)
{
    struct service service;

    service_init(&service, &spec);
    tap_is_int(service_ask(&service, "a", 9, 0).verdict, SERVICE_START,
               "there is room for the last one");
    tap_is_int(service_ask(&service, "a", 10, 0).verdict, SERVICE_FULL, "and for none more");
    service_finish(&service);
}

static void check_poison(void)
{
    struct service service;
    struct service_answer answer;

    service_init(&service, &spec);
    fail_at(&service, "a", 0);
    answer = service_ask(&service, "a", 0, 0);
    CHECK(answer.verdict == SERVICE_LATER && answer.delay_ms == 100, "after a failure it rests");
    tap_is_int(verdict(&service, "b", 0), SERVICE_START, "others do not");
    tap_is_int(verdict(&service, "a", 100), SERVICE_START, "and when the time is over it starts");
    fail_at(&service, "a", 100);
    answer = service_ask(&service, "a", 0, 100);
    CHECK(answer.verdict == SERVICE_LATER && answer.delay_ms == 200, "the second time longer");
    fail_at(&service, "a", 300);
    answer = service_ask(&service, "a", 0, 300);
    CHECK(answer.verdict == SERVICE_POISON && answer.delay_ms == 10000 && answer.failures == 3,
          "more than `intensity` failures within `period` are refused for `refuse`");
    CHECK(strcmp(answer.reason, "error it cannot") == 0, "with the last one's reason");
    tap_is_int(service_ask(&service, "a", 10, 300).verdict, SERVICE_POISON,
               "also when there is no room: that may change sooner");
    tap_is_int(verdict(&service, "a", 10299), SERVICE_POISON, "to the last millisecond");
    tap_is_int(verdict(&service, "a", 10300), SERVICE_START, "then it is tried again");
    service_finish(&service);
}

static void check_slow_failures(void)
{
    struct service service;
    bool refused = false;

    service_init(&service, &spec);
    for (int64_t now_ms = 0; now_ms < 100000; now_ms += 2501) {
        fail_at(&service, "a", now_ms);
        refused |= verdict(&service, "a", now_ms) == SERVICE_POISON;
    }
    CHECK(!refused, "as many as may be within each period are no poison");
    service_finish(&service);
}

static void check_memory_of_failures(void)
{
    struct service service;
    char id[16];

    service_init(&service, &spec);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "x%d", i);
        fail_at(&service, id, 0);
    }
    for (int i = 0; i < 500; i++)
        fail_at(&service, "y", 20000);
    CHECK(service.failing_count == 1, "those whose time is over are forgotten: %u are left",
          service.failing_count);
    service_finish(&service);
}

/* A few that fail all the time keep nobody else's failures in memory. */
static void check_memory_beside_the_incurable(void)
{
    enum { INCURABLE = 8, OTHERS = 3000 };
    struct service service;
    char id[16];

    service_init(&service, &spec);
    for (int i = 0; i < OTHERS; i++) {
        int64_t now_ms = (int64_t)i * 1000;

        for (int j = 0; j < INCURABLE; j++) {
            snprintf(id, sizeof id, "i%d", j);
            fail_at(&service, id, now_ms);
        }
        snprintf(id, sizeof id, "x%d", i);
        fail_at(&service, id, now_ms);
    }
    CHECK(service.failing_count < 100,
          "those whose time is over are forgotten beside others: %u are left",
          service.failing_count);
    service_finish(&service);
}

static void check_restarts(void)
{
    for (int bits = 0; bits < 8; bits++) {
        const struct service_end end = {bits & 1, bits & 2, bits & 4};
        bool wanted = end.was_ready && (end.wants_restart || end.is_awaited);

        CHECK(service_restarts(&end) == wanted, "ready %d, wants %d, awaited %d: %s", end.was_ready,
              end.wants_restart, end.is_awaited, wanted ? "again" : "gone");
    }
}

/* Many ids fail at random; those that never do are always started. */
static void check_random(void)
{
    enum { IDS = 20, STEPS = 20000 };
    struct service service;
    int64_t now_ms = 0, refused_until[IDS] = {0};
    unsigned innocent = 0, early = 0, refused = 0;
    char id[8];

    service_init(&service, &spec);
    for (int step = 0; step < STEPS; step++) {
        int which = (int)(random() % IDS);
        struct service_answer answer;

        now_ms += random() % 60;
        snprintf(id, sizeof id, "i%d", which);
        answer = service_ask(&service, id, 0, now_ms);
        innocent += which % 2 && answer.verdict != SERVICE_START;
        early += answer.verdict != SERVICE_POISON && now_ms < refused_until[which];
        if (which % 2 || answer.verdict != SERVICE_START)
            continue;
        fail_at(&service, id, now_ms);
        if (verdict(&service, id, now_ms) == SERVICE_POISON) {
            refused_until[which] = now_ms + spec.refuse_ms;
            refused++;
        }
    }
    CHECK(innocent == 0, "an id that never failed is never held up");
    CHECK(refused > 100 && early == 0, "one that is refused stays so for its time");
    service_finish(&service);
}

/* As many ids as a service may have fit into its shards, as far as they spread evenly enough. */
static void check_shards(void)
{
    enum { MAX = 10000, SHARDS = 25 };
    unsigned filled[SHARDS] = {0}, most = 0;
    char id[16];

    tap_is_int(shards_for(SHARD_ROOM), 0, "what one supervisor holds has no shards");
    tap_is_int(shards_for(MAX), SHARDS, "10,000 actors have 25");
    for (int i = 0; i < MAX; i++) {
        snprintf(id, sizeof id, "%d", i);
        filled[shard_of(id, SHARDS)]++;
    }
    for (int i = 0; i < SHARDS; i++)
        most = filled[i] > most ? filled[i] : most;
    CHECK(most <= SHARD_ROOM, "which have room for ids that are numbers: %u in the fullest", most);
    CHECK(shard_number(".0") == 0 && shard_number(".24") == 24, "a shard's name is its number");
    CHECK(shard_number("0") < 0 && shard_number(".x") < 0 && shard_number(".1x") < 0 &&
              shard_number(".supervisor") < 0 && shard_number(".") < 0,
          "no other name is one");
}

int main(void)
{
    srandom(5);
    check_shards();
    check_room();
    check_poison();
    check_slow_failures();
    check_memory_of_failures();
    check_memory_beside_the_incurable();
    check_restarts();
    check_random();
    return tap_done();
}
