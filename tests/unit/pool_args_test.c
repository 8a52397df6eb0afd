/* What a pool is told, and what it says of what it cannot be told. */
#include "../../workers/pool_args.h"
#include "tap.h"

static char why[POOL_WHY_SIZE];

static int set(struct pool_args *args, const char *key, const char *value)
{
    *why = '\0';
    return pool_args_set(args, key, value, why);
}

static void test_defaults(void)
{
    struct pool_args args;

    pool_args_init(&args);
    CHECK(set(&args, "workers", "crew") == 0 && pool_args_check(&args, why) == 0,
          "the workers are all that has to be said");
    CHECK(args.route == POOL_FIRST_FREE && args.full == POOL_REFUSE && args.each == 1 &&
              args.queue == 1000 && args.bytes == 64 << 20 && args.retries == 0,
          "first_free, one job at a time, a thousand that wait, none of them again");
    CHECK(args.size == 0 && args.rate == 0 && args.ttl_ms == 0 && args.stuck_ms == 0,
          "nothing else is limited");
}

static void test_values(void)
{
    struct pool_args args;

    pool_args_init(&args);
    CHECK(set(&args, "workers", "shop/crew") == 0 && set(&args, "size", "4") == 0 &&
              set(&args, "route", "key") == 0 && set(&args, "field", "2") == 0 &&
              set(&args, "each", "8") == 0 && set(&args, "queue", "0") == 0 &&
              set(&args, "bytes", "8M") == 0 && set(&args, "full", "oldest") == 0 &&
              set(&args, "priority", "3") == 0 && set(&args, "ttl", "2s") == 0 &&
              set(&args, "rate", "50") == 0 && set(&args, "burst", "5") == 0 &&
              set(&args, "retries", "2") == 0 && set(&args, "stuck", "500ms") == 0,
          "every argument is read");
    CHECK(pool_args_check(&args, why) == 0, "and all together are right");
    CHECK(!strcmp(args.workers, "shop/crew") && args.size == 4 && args.route == POOL_BY_KEY &&
              args.field == 2 && args.each == 8 && args.queue == 0 && args.bytes == 8 << 20 &&
              args.full == POOL_OLDEST && args.priority == 3 && args.ttl_ms == 2000 &&
              args.rate == 50 && args.burst == 5 && args.retries == 2 && args.stuck_ms == 500,
          "as they were written");
}

static void test_choices(void)
{
    static const struct {
        const char *text;
        enum pool_routing route;
    } routes[] = {{"first_free", POOL_FIRST_FREE},
                  {"round_robin", POOL_ROUND_ROBIN},
                  {"key", POOL_BY_KEY},
                  {"field", POOL_BY_FIELD}};
    static const struct {
        const char *text;
        enum pool_full full;
    } policies[] = {{"refuse", POOL_REFUSE}, {"newest", POOL_NEWEST}, {"oldest", POOL_OLDEST}};
    struct pool_args args;

    pool_args_init(&args);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        CHECK(set(&args, "route", routes[i].text) == 0 && args.route == routes[i].route,
              "route: %s", routes[i].text);
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        CHECK(set(&args, "full", policies[i].text) == 0 && args.full == policies[i].full,
              "full: %s", policies[i].text);
}

static void test_priorities(void)
{
    struct pool_args args;

    pool_args_init(&args);
    CHECK(set(&args, "priorities", "stop=0 report=3") == 0, "priorities of messages are read");
    CHECK(pool_args_priority(&args, "stop") == 0 && pool_args_priority(&args, "report") == 3 &&
              pool_args_priority(&args, "other") == POOL_PRIORITY,
          "each has its own, and others have the usual one");
    CHECK(set(&args, "priorities", "stop=4") < 0 && set(&args, "priorities", "stop") < 0 &&
              set(&args, "priorities", "") < 0 && set(&args, "priorities", "a=1,b=2") < 0 &&
              set(&args, "priorities", "a=10") < 0,
          "what is no list of them is refused");
    CHECK(set(&args, "priorities",
              "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 k=1 l=1 m=1 n=1 o=1 p=1") == 0 &&
              args.named_count == POOL_NAMED_MAX,
          "as many as there is room for");
    CHECK(set(&args, "priorities",
              "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 i=1 j=1 k=1 l=1 m=1 n=1 o=1 p=1 q=1") < 0,
          "and not one more");
}

static void test_errors(void)
{
    static const struct {
        const char *key, *value, *why;
    } bad[] = {
        {"size", "0", "size: \"0\": expected a number from 1 to 10000"},
        {"size", "many", "size: \"many\": expected a number from 1 to 10000"},
        {"route", "keys", "route: \"keys\": expected first_free, round_robin, key or field"},
        {"full", "drop", "full: \"drop\": expected refuse, newest or oldest"},
        {"bytes", "much", "bytes: \"much\": expected a size such as 64M"},
        {"ttl", "5", "ttl: \"5\": expected a duration such as 500ms or 10s, at most 24h"},
        {"stuck", "0", "stuck: \"0\": expected a duration such as 500ms or 10s, at most 24h"},
        {"workers", "/crew",
         "workers: \"/crew\": expected the name of a supervisor beside the pool, or its path"},
        {"retrys", "1", "retrys: a pool knows no such argument; did you mean retries?"},
        {"colour", "red", "colour: a pool knows no such argument"},
    };
    struct pool_args args;

    pool_args_init(&args);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        set(&args, bad[i].key, bad[i].value);
        tap_is_text(why, bad[i].why, "a wrong argument is named, with what was expected");
    }
}

static void test_together(void)
{
    struct pool_args args;

    pool_args_init(&args);
    pool_args_check(&args, why);
    tap_is_text(why, "workers: expected the supervisor of the workers", "workers are required");
    set(&args, "workers", "crew");
    set(&args, "field", "1");
    pool_args_check(&args, why);
    tap_is_text(why, "field: expected only with route: key or route: field",
                "a field nobody would look at is refused");
    pool_args_init(&args);
    set(&args, "workers", "crew");
    set(&args, "burst", "5");
    pool_args_check(&args, why);
    tap_is_text(why, "burst: expected only with rate", "so is a burst without a rate");
    pool_args_init(&args);
    set(&args, "workers", "crew");
    set(&args, "route", "field");
    set(&args, "rate", "7");
    CHECK(pool_args_check(&args, why) == 0 && args.field == 1 && args.burst == 7,
          "the field is the first argument, the burst one second's worth, when nothing is said");
}

int main(void)
{
    test_defaults();
    test_values();
    test_choices();
    test_priorities();
    test_errors();
    test_together();
    return tap_done();
}
