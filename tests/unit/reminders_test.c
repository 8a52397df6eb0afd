/* Which reminders this node tells, when it looks for them, and what becomes of their rows. */
#include "../../cluster/reminders.h"
#include "../../cluster/rendezvous.h"
#include "tap.h"

#include <stdlib.h>

enum { S = 1000000, BEGIN_MS = 5000, MOST = 64 };

static struct reminders *reminders;
static struct reminders_time now;
static struct reminders_company company;
static int64_t looked_until;
static uint32_t looked_limit;
static unsigned looks;
static struct reminder *telling[MOST * 2], *advancing[MOST * 2];
static size_t told, advanced;
static struct words page;

/* ---- hooks: what is asked is written down ------------------------------------------------------
 */

static void on_look(void *data, int64_t until_us, uint32_t limit)
{
    (void)data;
    looked_until = until_us;
    looked_limit = limit;
    looks++;
}

static void on_tell(void *data, struct reminder *reminder)
{
    (void)data;
    telling[told++] = reminder;
}

static void on_advance(void *data, struct reminder *reminder)
{
    (void)data;
    advancing[advanced++] = reminder;
}

static void begin(void)
{
    static const struct reminders_hooks hooks = {on_look, on_tell, on_advance};

    reminders_destroy(reminders);
    reminders = reminders_create(&hooks, NULL);
    now = (struct reminders_time){100 * S, BEGIN_MS};
    company = (struct reminders_company){0};
    looks = 0;
    told = advanced = 0;
}

/* ---- what happens ------------------------------------------------------------------------------
 */

static void pass(int64_t ms)
{
    now.wall_us += ms * 1000;
    now.mono_ms += ms;
}

static void tick(void)
{
    told = advanced = 0;
    reminders_tick(reminders, &company, now);
}

static void row(const char *id, const char *name, int64_t due_us, int64_t period_us, int version)
{
    char numbers[3][24];

    snprintf(numbers[0], 24, "%lld", (long long)due_us);
    snprintf(numbers[1], 24, "%lld", (long long)period_us);
    snprintf(numbers[2], 24, "%d", version);
    words_append(&page, "shop/carts");
    words_append(&page, id);
    words_append(&page, name);
    words_append(&page, numbers[0]);
    words_append(&page, numbers[1]);
    words_append(&page, "wake");
    words_append(&page, numbers[2]);
}

/* The rows that were written are what the look has found. */
static void found(void)
{
    told = advanced = 0;
    reminders_found(reminders, &page, &company, now);
    words_finish(&page);
    page = (struct words){0};
}

static int64_t due_in(void)
{
    return reminders_due_in_ms(reminders, now);
}

/* One look, at once. */
static bool look(void)
{
    unsigned before = looks;

    tick();
    return looks == before + 1;
}

/* ---- checks ------------------------------------------------------------------------------------
 */

static void check_rest(void)
{
    begin();
    tap_is_int(due_in(), 0, "it begins with a look");
    CHECK(look() && looked_until == INT64_MAX && looked_limit == REMINDERS_PAGE,
          "alone it asks for all that is to come");
    found();
    tap_is_int(due_in(), -1, "without any reminder it never wakes up");
    reminders_set(reminders, now.wall_us + 7 * S);
    CHECK(due_in() >= 7000 && due_in() <= 7001, "one that is set is looked for at its time");
    reminders_set(reminders, now.wall_us + 9 * S);
    CHECK(due_in() <= 7001, "a later one changes nothing");
    pass(3000);
    reminders_silent(reminders, false, now); /* as after a look that has found nothing */
    CHECK(due_in() >= 4000 && due_in() <= 4001,
          "nor what is found meanwhile, for none later is told of");
    reminders_set(reminders, 0);
    tap_is_int(due_in(), 0, "a store that has begun is looked at");
    CHECK(look(), "looks");
    reminders_set(reminders, now.wall_us + 2 * S);
    found();
    CHECK(due_in() >= 2000 && due_in() <= 2001,
          "one that is set while it looks is not forgotten over what it finds");
    pass(2001);
    CHECK(look(), "looks");
    row("1", "far", now.wall_us + 3600LL * S, 0, 1);
    found();
    tap_is_int(due_in(), REMINDERS_ALONE_MS, "clocks are set: it looks once a minute");
    CHECK(told == 0, "what is to come is not told yet");
}

static void check_telling(void)
{
    begin();
    look();
    row("1", "tick", now.wall_us - 3600LL * S, S, 7);
    found();
    CHECK(told == 1 && telling[0]->count == 3601 && telling[0]->version == 7 &&
              telling[0]->next_us == now.wall_us + S && !strcmp(telling[0]->id, "1") &&
              !strcmp(telling[0]->name, "tick") && !strcmp(telling[0]->message, "wake"),
          "F40: an hour of seconds is told once, with its count");
    reminders_told(reminders, telling[0], NULL, now);
    CHECK(advanced == 1 && advancing[0]->version == 7, "then its row is advanced");
    reminders_advanced(reminders, advancing[0], LEDGER_DONE, now);
    CHECK(due_in() >= 1000 && due_in() <= 1001, "and looked for when it is due again");
    tap_is_int((long long)reminders_under_way(reminders), 0, "nothing is under way then");
    pass(1001);
    look();
    row("1", "tick", now.wall_us, S, 8);
    found();
    CHECK(told == 1 && telling[0]->count == 1, "which it is");
    reminders_told(reminders, telling[0], "error no thanks", now);
    tap_is_int((long long)advanced, 1, "an actor that answers with an error has had it");
}

static void check_stale_pages(void)
{
    struct reminder *one;

    begin();
    look();
    row("1", "tick", now.wall_us, 0, 7);
    found();
    one = telling[0];
    reminders_set(reminders, 0);
    look();
    row("1", "tick", now.wall_us, 0, 7);
    found();
    tap_is_int((long long)told, 0, "what is under way is not told a second time");
    reminders_set(reminders, 0);
    look();
    reminders_told(reminders, one, NULL, now);
    reminders_advanced(reminders, one, LEDGER_DONE, now);
    row("1", "tick", now.wall_us, 0, 7);
    found();
    tap_is_int((long long)told, 0, "nor by a page that was read before its row was advanced");
    reminders_set(reminders, 0);
    look();
    row("1", "tick", now.wall_us, 0, 9);
    found();
    tap_is_int((long long)told, 1, "but by one that was read after that");
}

static void check_failures(void)
{
    begin();
    for (int i = 0, ms = REMINDERS_REST_MS; i < 3; i++, ms *= 2) {
        look();
        row("1", "tick", now.wall_us - S, 0, 7);
        found();
        if (!tap_is_int((long long)told, 1, "it is told"))
            return;
        reminders_told(reminders, telling[0], "down signal:KILL", now);
        tap_is_int((long long)advanced, 0, "of one that failed the row stands");
        tap_is_int(due_in(), ms, "and it is tried again after a rest that doubles");
        reminders_set(reminders, 0);
        look();
        row("1", "tick", now.wall_us - S, 0, 7);
        row("2", "tick", now.wall_us, 0, 7);
        found();
        CHECK(told == 1 && !strcmp(telling[0]->id, "2"), "others do not wait for it");
        reminders_told(reminders, telling[0], NULL, now);
        reminders_advanced(reminders, advancing[0], LEDGER_DONE, now);
        pass(ms);
    }
    reminders_set(reminders, 0);
    look();
    found(); /* it was cleared */
    look();
    reminders_set(reminders, 0);
    look();
    row("1", "tick", now.wall_us, 0, 8);
    found();
    CHECK(told == 1 && telling[0]->failures == 0, "failures are forgotten with the row");
}

static void check_silence(void)
{
    struct reminder *one;

    begin();
    look();
    reminders_silent(reminders, false, now);
    tap_is_int(due_in(), -1, "where there is no store nobody is asked again");
    reminders_set(reminders, 0);
    for (int i = 0; i < 10; i++) {
        int64_t wanted[] = {1000, 2000, 4000, 5000};

        look();
        reminders_silent(reminders, true, now);
        tap_is_int(due_in(), wanted[i < 3 ? i : 3], "a silent store is asked ever more seldom");
        pass(due_in());
    }
    look();
    row("1", "tick", now.wall_us, 0, 7);
    found();
    one = telling[0];
    reminders_told(reminders, one, NULL, now);
    reminders_advanced(reminders, one, LEDGER_UNREACHABLE, now);
    CHECK(advanced == 1 && due_in() == 1000, "an advance that nobody answers goes again");
    pass(1000);
    tick();
    CHECK(advanced == 1 && told == 0, "and it is not told again for that");
    reminders_advanced(reminders, one, LEDGER_CONFLICT, now);
    CHECK(reminders_under_way(reminders) == 0 && due_in() == REMINDERS_GAP_MS,
          "a conflict says that the row is another by now");
}

static void check_bounds(void)
{
    char id[24];
    size_t first;

    begin();
    look();
    row("1", "a", now.wall_us, 0, 1);
    row("1", "b", now.wall_us, 0, 1);
    found();
    CHECK(told == 1 && !strcmp(telling[0]->name, "a"), "of one id one is told at a time");
    reminders_told(reminders, telling[0], NULL, now);
    reminders_advanced(reminders, advancing[0], LEDGER_DONE, now);
    tap_is_int(due_in(), REMINDERS_GAP_MS, "then the next one is looked for");
    pass(REMINDERS_GAP_MS);
    look();
    for (int i = 0; i < REMINDERS_PAGE; i++) {
        snprintf(id, sizeof id, "n%d", i);
        row(id, "tick", now.wall_us, 0, 1);
    }
    found();
    first = told;
    tap_is_int((long long)first, REMINDERS_AT_ONCE, "no more than so many at a time");
    tap_is_int(due_in(), REMINDERS_ALONE_MS, "which are waited for");
    reminders_told(reminders, telling[0], NULL, now);
    reminders_advanced(reminders, advancing[0], LEDGER_DONE, now);
    tap_is_int(due_in(), REMINDERS_GAP_MS, "until there is a place");
}

/* A page of rows that all fail hides one that would not. */
static void check_hidden_rows(void)
{
    char id[24];

    begin();
    for (int round = 0; round < 3; round++) {
        look();
        for (uint32_t i = 0; i < looked_limit; i++) {
            snprintf(id, sizeof id, "bad%u", i);
            row(id, "tick", now.wall_us, 0, 1);
        }
        found();
        for (size_t i = 0; i < told; i++)
            reminders_told(reminders, telling[i], "noproc", now);
        pass(REMINDERS_GAP_MS);
    }
    CHECK(looks == 3 && looked_limit == REMINDERS_PAGE, "a page that fails as a whole");
    look();
    tap_is_int(looked_limit, 2 * REMINDERS_PAGE, "then a larger one is read");
    row("good", "tick", now.wall_us, 0, 1);
    found();
    tap_is_int((long long)told, 1, "which shows what was hidden");
    reminders_set(reminders, 0);
    look();
    tap_is_int(looked_limit, REMINDERS_PAGE, "and when there is less, a small one");
}

static void check_company(void)
{
    struct node_row rows[3] = {{.name = "east", .state = NODE_ALIVE},
                               {.name = "west", .state = NODE_ALIVE},
                               {.name = "north", .state = NODE_JOINING}};
    unsigned ours = 0, once = 0, in_order = 0;
    char id[24];

    for (int i = 0; i < 1000; i++) {
        struct reminders_company all = {"east", rows, 3};
        const char *first, *second;

        snprintf(id, sizeof id, "%d", i);
        first = reminders_node(&all, "shop/carts", id, NULL);
        second = reminders_node(&all, "shop/carts", id, first);
        ours += !strcmp(first, "east");
        once += strcmp(first, "north") && second && strcmp(first, second) &&
                strcmp(second, "north") && !reminders_node(&all, "shop/carts", id, second);
        in_order += rendezvous_weight(first, "shop/carts", id) >
                    rendezvous_weight(second, "shop/carts", id);
    }
    CHECK(ours > 400 && ours < 600, "two nodes share the reminders (%u of 1000 are ours)", ours);
    tap_is_int(once, 1000, "each is of one of those alive, and then of each other, once");
    tap_is_int(in_order, 1000, "in the order of their weights");
    begin();
    company = (struct reminders_company){"east", rows, 3};
    CHECK(look() && looked_until == now.wall_us + S, "in company it asks for the next second only");
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "%d", i);
        row(id, "tick", now.wall_us, 0, 1);
    }
    found();
    ours = 0;
    for (size_t i = 0; i < told; i++)
        ours += !strcmp(reminders_node(&company, "shop/carts", telling[i]->id, NULL), "east");
    CHECK(told > 0 && told < 20 && ours == told, "what is another's is not told");
    tap_is_int(due_in(), REMINDERS_COMPANY_MS, "and it looks again in a second");
    rows[1].state = NODE_DEAD;
    pass(REMINDERS_COMPANY_MS);
    ours = (unsigned)told;
    look();
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "%d", i);
        row(id, "tick", now.wall_us, 0, 1);
    }
    found();
    tap_is_int((long long)told + ours, 20, "when the other is dead, what was the other's is ours");
    company.count = 0;
    begin();
    company.node = "east";
    look();
    row("1", "tick", now.wall_us, 0, 1);
    found();
    tap_is_int((long long)told, 0, "a node that is out tells nothing");
}

int main(void)
{
    check_rest();
    check_telling();
    check_stale_pages();
    check_failures();
    check_silence();
    check_bounds();
    check_hidden_rows();
    check_company();
    reminders_destroy(reminders);
    return tap_done();
}
