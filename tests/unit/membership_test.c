/*
 * Who is a member and who is dead: the rules of CLUSTER 4 one by one, as a node "a" of generation 1
 * lives them. What it asks for is compared as a text. What many such nodes do to each other is
 * placement_sim_test.c's.
 */
#include "../../cluster/membership.h"
#include "tap.h"

#include <stdlib.h>

enum { L = 5000, DEATH = L * 6 / 5, STRANGER = 72000 };

static struct lease lease;
static struct membership *membership;
static char asked[512];
static struct membership_request last, reading;

static void on_ask(void *data, const struct membership_request *request)
{
    static const char *const words[] = {"read", "insert", "alive",  "leaving",
                                        "left", "bury",   "confirm"};
    size_t used = strlen(asked);
    int n;

    (void)data;
    last = *request;
    if (request->what == MEMBERSHIP_READ)
        reading = *request;
    n = snprintf(asked + used, sizeof asked - used, "%s%s", used ? ", " : "", words[request->what]);
    used += (size_t)n;
    if (request->what == MEMBERSHIP_BURY)
        snprintf(asked + used, sizeof asked - used, " %s:%d at %d", request->name,
                 (int)request->generation, (int)request->beat);
    if (request->what == MEMBERSHIP_CONFIRM)
        snprintf(asked + used, sizeof asked - used, " %s", request->name);
    if (request->what == MEMBERSHIP_INSERT)
        snprintf(asked + used, sizeof asked - used, " over %d", (int)request->replaced);
}

/* What was asked for since the last time. */
static const char *wanted(void)
{
    static char text[sizeof asked];

    memcpy(text, asked, sizeof text);
    asked[0] = 0;
    return text;
}

static void create(void)
{
    static const struct node_row self = {.name = "a", .generation = 1, .lease_ms = L};

    membership_destroy(membership);
    lease_finish(&lease);
    lease_init(&lease, L);
    membership = membership_create(&self, &lease, on_ask, NULL);
    asked[0] = 0;
}

static const char *tick(int64_t now_ms)
{
    membership_tick(membership, now_ms);
    return wanted();
}

static struct node_row row(const char *name, uint64_t generation, enum node_state state,
                           uint64_t beat)
{
    struct node_row made = {.generation = generation, .state = state, .beat = beat, .lease_ms = L};

    snprintf(made.name, sizeof made.name, "%s", name);
    return made;
}

/* Reads at now_ms and finds these, 10 ms later. */
static const char *found(const struct node_row *rows, size_t n, int64_t now_ms)
{
    membership_read(membership, now_ms);
    asked[0] = 0;
    membership_table(membership, &reading, rows, n, now_ms + 10);
    return wanted();
}

static const char *answered(enum membership_what what, const char *name, uint64_t generation,
                            uint64_t beat, bool is_done, int64_t now_ms)
{
    struct membership_request request = {
        .what = what, .generation = generation, .beat = beat, .number = reading.number};

    snprintf(request.name, sizeof request.name, "%s", name);
    membership_answered(membership, &request, is_done, now_ms);
    return wanted();
}

#define ROWS(...)                                                                                  \
    (const struct node_row[])                                                                      \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define ME(state, beat)  row("a", 1, state, beat)
#define HIM(state, beat) row("b", 2, state, beat)

/* Alive with b, which has confirmed us, at 1000. */
static void alive(void)
{
    create();
    tick(900);
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 6)), 2, 950);
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 7)), 2, 1000);
    membership_confirmed(membership, 2, 1000);
    lease_tick(&lease, 1010);
    lease_taken(&lease, 1010, 1020);
}

/* The lease is kept without a further look at b's beat. */
static void keep(int64_t now_ms)
{
    lease_taken(&lease, now_ms - 10, now_ms);
}

static void check_joining(void)
{
    create();
    tap_is_text(tick(1000), "read", "a node begins by reading the table");
    CHECK(membership_state(membership) == NODE_LEFT, "of which it is no part yet");
    tap_is_text(tick(1999), "", "not more often than five times in a lease");
    tap_is_text(tick(2000), "read", "a reading without an answer is begun again");
    tap_is_text(found(NULL, 0, 2100), "insert over 0", "its row is put into an empty table");
    tap_is_text(answered(MEMBERSHIP_INSERT, "a", 1, 0, true, 2200), "read", "and looked for");
    CHECK(!lease_tick(&lease, 2200).is_beat_due, "before it is seen there are no beats");
    tap_is_text(found(ROWS(ME(NODE_JOINING, 0)), 1, 2300), "alive", "alone it is alive at once");
    CHECK(lease_tick(&lease, 2310).is_beat_due, "beats begin with the row");
    found(ROWS(ME(NODE_ALIVE, 1)), 1, 2400);
    CHECK(membership_state(membership) == NODE_ALIVE, "alive is what the table says");
}

static void check_joining_others(void)
{
    create();
    tick(1000);
    tap_is_text(found(ROWS(HIM(NODE_ALIVE, 3)), 1, 1000), "insert over 0", "others are there");
    answered(MEMBERSHIP_INSERT, "a", 1, 0, true, 1100);
    tap_is_text(
        found(ROWS(ME(NODE_JOINING, 0), HIM(NODE_ALIVE, 3), row("c", 3, NODE_ALIVE, 1)), 3, 1100),
        "confirm b, confirm c", "each of them is asked to confirm");
    membership_met(membership, "c", 1150);
    tap_is_text(wanted(), "confirm c", "and again when there is a session with it");
    membership_confirmed(membership, 2, 1200);
    membership_met(membership, "b", 1200);
    tap_is_text(tick(1200), "", "one has: that is not enough");
    membership_confirmed(membership, 3, 1300);
    tap_is_text(wanted(), "alive", "all have: alive at once");
    membership_met(membership, "z", 1300);
    tap_is_text(wanted(), "", "whose row is not known yet need not confirm");
    found(ROWS(ME(NODE_JOINING, 0), HIM(NODE_ALIVE, 3), row("d", 4, NODE_ALIVE, 1)), 3, 2400);
    tap_is_text(tick(2410), "", "one that has come meanwhile has to confirm as well");
    tap_is_text(
        found(ROWS(ME(NODE_JOINING, 0), HIM(NODE_ALIVE, 3), row("d", 4, NODE_DEAD, 1)), 3, 2500),
        "alive", "unless it has died");
    create();
    tick(1000);
    tap_is_text(found(ROWS(ME(NODE_JOINING, 0), row("j", 5, NODE_JOINING, 0)), 2, 1000),
                "confirm j, alive", "another that joins need not have confirmed, but is asked");
}

static void check_namesakes(void)
{
    create();
    tick(1000);
    tap_is_text(found(ROWS(row("a", 9, NODE_DEAD, 4)), 1, 1000), "insert over 9",
                "the row of a dead generation of our name is replaced");
    create();
    tick(1000);
    tap_is_text(found(ROWS(row("a", 9, NODE_LEFT, 4)), 1, 1000), "insert over 9",
                "and of one that left");
    create();
    tick(1000);
    tap_is_text(found(ROWS(row("a", 9, NODE_ALIVE, 4)), 1, 1000), "", "one that lives is not");
    membership_released(membership, 9, 1100);
    tap_is_text(wanted(), "bury a:9 at 4", "its lock was free: it is dead at once, lease or not");
    tap_is_text(answered(MEMBERSHIP_BURY, "a", 9, 4, true, 1200), "read", "that is done");
    tap_is_text(tick(1250), "insert over 9", "then its row is replaced");
    create();
    membership_released(membership, 9, 900);
    tick(1000);
    tap_is_text(found(ROWS(row("a", 9, NODE_ALIVE, 4)), 1, 1000), "bury a:9 at 4",
                "the same when the lock is known of first");
    create();
    tick(1000);
    found(ROWS(row("a", 9, NODE_ALIVE, 4), row("z", 26, NODE_ALIVE, 1)), 2, 1000);
    tap_is_text(tick(1010 + STRANGER - 1), "read", "without the lock it has to stand still");
    tap_is_text(tick(1010 + STRANGER), "bury a:9 at 4",
                "for 72 s, and nobody else is our business yet");
    found(ROWS(row("a", 9, NODE_ALIVE, 5)), 1, 1010 + STRANGER);
    tap_is_text(tick(1020 + 2 * STRANGER - 1), "read", "from its last beat on");
}

static void check_death(void)
{
    alive();
    keep(1010 + DEATH - 1);
    tap_is_text(tick(1010 + DEATH - 1), "read", "a beat that stands still for less is no death");
    tap_is_text(tick(1010 + DEATH), "bury b:2 at 7", "for 1.2 of the lease it is");
    alive();
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 8)), 2, 3000);
    keep(3010 + DEATH - 1);
    tap_is_text(tick(3010 + DEATH - 1), "read", "a beat begins the time anew");
    tap_is_text(tick(3010 + DEATH), "bury b:2 at 8", "which counts from the reading's answer");
    alive();
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 7)), 2, 3000);
    keep(1010 + DEATH);
    CHECK(strstr(tick(1010 + DEATH), "bury b:2 at 7"), "the same beat seen again does not");
    alive();
    tap_is_text(tick(1010 + DEATH), "read", "outside our own lease we declare nobody dead");
    alive();
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 7), row("c", 3, NODE_ALIVE, 1)), 3, 2000);
    keep(2010 + STRANGER - 1);
    CHECK(!strstr(tick(2010 + STRANGER - 1), "bury c"),
          "one that has not confirmed us does not know to ask us");
    CHECK(strstr(tick(2010 + STRANGER), "bury c:3 at 1"), "it has 72 s");
    alive();
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_DEAD, 7), row("c", 3, NODE_LEFT, 1)), 3, 2000);
    keep(2010 + STRANGER);
    tap_is_text(tick(2010 + STRANGER), "read", "who is dead or left does not die");
    create();
    tick(900);
    found(ROWS(ME(NODE_ALIVE, 1), row("f", 6, NODE_ALIVE, 1)), 2, 1000);
    membership_confirmed(membership, 6, 1010);
    {
        struct node_row slow = row("f", 6, NODE_ALIVE, 2);

        slow.lease_ms = 2 * L;
        found(ROWS(ME(NODE_ALIVE, 1), slow), 2, 2000);
    }
    keep(2010 + DEATH);
    tap_is_text(tick(2010 + DEATH), "read", "it is that node's lease that counts");
    keep(2010 + 2 * DEATH);
    tap_is_text(tick(2010 + 2 * DEATH), "bury f:6 at 2, read", "not ours");
}

static void check_burials(void)
{
    alive();
    keep(1010 + DEATH);
    tick(1010 + DEATH);
    tap_is_text(tick(1010 + DEATH + 999), "", "a declaration is not repeated at once");
    tap_is_text(tick(1010 + DEATH + 1000), "bury b:2 at 7, read", "but when no answer comes");
    tap_is_text(answered(MEMBERSHIP_BURY, "b", 2, 7, true, 9000), "read",
                "done: the table is read again");
    CHECK(membership_judge(membership, "b", 2, 99) == MEMBERSHIP_GONE, "it is known to be dead");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 7)), 2, 9100);
    CHECK(membership_judge(membership, "b", 2, 99) == MEMBERSHIP_GONE,
          "for good, whatever an overtaken reading says");
    alive();
    membership_released(membership, 2, 1100);
    wanted();
    answered(MEMBERSHIP_BURY, "b", 2, 7, false, 1110);
    tap_is_text(found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_LEAVING, 7)), 2, 1110), "bury b:2 at 7",
                "not done, since it had begun to leave: it is declared anew, at once");
    tap_is_text(found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_LEAVING, 7)), 2, 1130), "",
                "and that, too, is not repeated at once");
    alive();
    keep(1010 + DEATH);
    tick(1010 + DEATH);
    answered(MEMBERSHIP_BURY, "b", 2, 7, false, 7100);
    keep(8200);
    CHECK(!strstr(tick(8200), "bury"), "not done: it lives, and has its time again");
}

static void check_promises(void)
{
    alive();
    CHECK(!membership_promise(membership, 2, 2000), "whom the store answers promises nothing");
    CHECK(membership_promise(membership, 2, 3500), "whom it does not answer does");
    keep(3600);
    keep(3500 + DEATH - 1);
    CHECK(!strstr(tick(3500 + DEATH - 1), "bury"), "and declares nobody dead");
    keep(3500 + DEATH);
    CHECK(strstr(tick(3500 + DEATH), "bury b:2"), "until the other's clock, too, has come so far");
    create();
    tick(900);
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 7)), 2, 1000);
    CHECK(!membership_promise(membership, 2, 3500),
          "whom we have not seen beat a troupe-node before us may have declared dead");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 8)), 2, 3600);
    CHECK(membership_promise(membership, 2, 3700), "once it has beaten that is void");
    alive();
    CHECK(!membership_promise(membership, 77, 3500), "a stranger is promised nothing");
    alive();
    lease_taken(&lease, 1020 + DEATH - 3000, 1020 + DEATH - 2000);
    CHECK(strstr(tick(1020 + DEATH), "bury b:2 at 7") &&
              !membership_promise(membership, 2, 1030 + DEATH),
          "nor is one whose death we have declared and had no answer");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 7)), 2, 1040 + DEATH);
    CHECK(!membership_promise(membership, 2, 1060 + DEATH), "nor after a look at the same beat");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 8)), 2, 1070 + DEATH);
    CHECK(membership_promise(membership, 2, 1090 + DEATH),
          "a beat that has moved on has made that void");
    alive();
    lease_taken(&lease, 1020 + DEATH - 3000, 1020 + DEATH - 2000);
    tick(1020 + DEATH);
    answered(MEMBERSHIP_BURY, "b", 2, 7, false, 1030 + DEATH);
    CHECK(membership_promise(membership, 2, 1040 + DEATH), "and so has an answer");
    alive();
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_DEAD, 7)), 2, 1100);
    CHECK(!membership_promise(membership, 2, 3500), "the dead are promised nothing");
    alive();
    membership_promise(membership, 2, 3500);
    membership_released(membership, 2, 3600);
    tap_is_text(wanted(), "bury b:2 at 7", "what is certain needs no promise");
    alive();
    found(ROWS(HIM(NODE_ALIVE, 7)), 1, 3000);
    CHECK(!membership_promise(membership, 2, 4000), "who is out itself promises nothing");
}

static void check_confirming(void)
{
    alive();
    CHECK(membership_confirm(membership, 5, 1100) && lease.count == 2,
          "who is confirmed will be asked when the store is silent");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 8), row("j", 5, NODE_JOINING, 0)), 3, 1200);
    tap_is_int((long long)lease.count, 2, "those who join are asked like those who live");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_LEFT, 8), row("j", 5, NODE_DEAD, 0)), 3, 1300);
    tap_is_int((long long)lease.count, 0, "the dead are not, nor who left, nor we ourselves");
    alive();
    found(ROWS(HIM(NODE_ALIVE, 8)), 1, 1100);
    CHECK(!membership_confirm(membership, 5, 1200), "who is out confirms nobody");
    alive();
    found(ROWS(ME(NODE_ALIVE, 1), row("b", 20, NODE_ALIVE, 0)), 2, 1100);
    keep(1110 + DEATH);
    CHECK(!strstr(tick(1110 + DEATH), "bury"), "a new generation has to confirm anew");
    membership_confirmed(membership, 99, 1110 + DEATH);
    CHECK(membership_judge(membership, "", 99, 0) == MEMBERSHIP_GONE,
          "a confirmation of somebody who is not known makes nobody known");
}

static void check_fence(void)
{
    alive();
    found(ROWS(ME(NODE_DEAD, 1), HIM(NODE_ALIVE, 8)), 2, 1100);
    CHECK(membership_state(membership) == NODE_DEAD && !lease_holds(&lease, 1120),
          "who reads that it is dead is fenced");
    tap_is_text(tick(9000), "", "and asks for nothing any more");
    alive();
    found(ROWS(HIM(NODE_ALIVE, 8)), 1, 1100);
    CHECK(membership_state(membership) == NODE_DEAD && !lease_holds(&lease, 1120),
          "so is who is not in the table any more");
    alive();
    found(ROWS(row("a", 11, NODE_JOINING, 0)), 1, 1100);
    CHECK(membership_state(membership) == NODE_DEAD, "or finds another in its place");
}

/* Reading 1 was sent first and saw less than reading 2. */
static void check_overtaking(void)
{
    struct membership_request first;

    create();
    tick(1000);
    membership_read(membership, 1100);
    first = reading;
    membership_read(membership, 1200);
    membership_table(membership, &reading, ROWS(ME(NODE_ALIVE, 4), HIM(NODE_ALIVE, 7)), 2, 1300);
    membership_table(membership, &first, ROWS(HIM(NODE_ALIVE, 6)), 1, 1400);
    CHECK(membership_state(membership) == NODE_ALIVE,
          "an older reading that comes late is ignored");
    create();
    tick(1000);
    membership_read(membership, 1100);
    first = reading;
    membership_read(membership, 1200);
    membership_table(membership, &first, ROWS(ME(NODE_ALIVE, 4), HIM(NODE_ALIVE, 7)), 2, 1300);
    membership_table(membership, &reading, ROWS(row("b", 3, NODE_DEAD, 2)), 1, 1400);
    CHECK(membership_state(membership) == NODE_ALIVE &&
              membership_judge(membership, "b", 2, 99) == MEMBERSHIP_LIVES,
          "a later one that was overtaken in the store takes nobody away");
    wanted();
    found(ROWS(ME(NODE_JOINING, 3), HIM(NODE_ALIVE, 6)), 2, 1500);
    CHECK(membership_state(membership) == NODE_ALIVE, "no state goes back");
    keep(1310 + DEATH);
    membership_confirmed(membership, 2, 1000);
    CHECK(strstr(tick(1310 + DEATH), "bury b:2 at 7"), "nor does a beat");
}

static void check_judging(void)
{
    uint64_t mark;

    alive();
    mark = membership_mark(membership);
    CHECK(membership_judge(membership, "b", 2, mark) == MEMBERSHIP_LIVES, "who is alive lives");
    CHECK(membership_judge(membership, "b", 3, mark) == MEMBERSHIP_UNKNOWN,
          "a generation that is not in an older table may have come since");
    CHECK(membership_judge(membership, "x", 2, mark) == MEMBERSHIP_UNKNOWN,
          "names are looked at, too");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_ALIVE, 7)), 2, 1200);
    CHECK(membership_judge(membership, "b", 3, mark) == MEMBERSHIP_GONE,
          "when a newer table has it not either it is gone");
    found(ROWS(ME(NODE_ALIVE, 1), HIM(NODE_LEFT, 7)), 2, 1300);
    CHECK(membership_judge(membership, "b", 2, membership_mark(membership)) == MEMBERSHIP_GONE,
          "who has left is gone, however old the table");
}

static void check_leaving(void)
{
    alive();
    membership_leave(membership, 1100);
    tap_is_text(wanted(), "leaving", "a node that leaves says so first");
    tap_is_text(answered(MEMBERSHIP_LEAVING, "a", 1, 0, true, 1200), "read", "and looks");
    found(ROWS(ME(NODE_LEAVING, 2), HIM(NODE_ALIVE, 8)), 2, 1300);
    tap_is_text(tick(1400), "", "it stays until its instances have ended");
    membership_drained(membership, 1500);
    tap_is_text(wanted(), "left", "then it is gone");
    found(ROWS(ME(NODE_LEFT, 2), HIM(NODE_ALIVE, 8)), 2, 1600);
    CHECK(membership_state(membership) == NODE_LEFT && !lease_holds(&lease, 1620),
          "without a lease");
    alive();
    keep(1010 + DEATH);
    tick(1010 + DEATH);
    membership_leave(membership, 7100);
    wanted();
    found(ROWS(ME(NODE_LEAVING, 2), HIM(NODE_ALIVE, 7)), 2, 7200);
    membership_drained(membership, 7300);
    tap_is_text(wanted(), "", "nobody leaves while a death of his declaring is under way");
    found(ROWS(ME(NODE_LEAVING, 2), HIM(NODE_ALIVE, 8)), 2, 7400);
    CHECK(strstr(tick(9000), "left"), "once that is void it may");
    alive();
    keep(1000 + DEATH);
    found(ROWS(ME(NODE_LEAVING, 2), HIM(NODE_ALIVE, 7)), 2, 1900);
    membership_leave(membership, 2000);
    membership_drained(membership, 2100);
    wanted();
    CHECK(!strstr(tick(1010 + DEATH), "bury"), "nor does it declare any more when all has ended");
}

static void check_services(void)
{
    static struct node_service offered[MEMBERSHIP_SERVICES_MAX + 1] = {{"shop/carts", 3, 10}};
    struct node_row with = HIM(NODE_ALIVE, 7);
    const struct node_row *rows;

    alive();
    with.services = offered;
    with.service_count = MEMBERSHIP_SERVICES_MAX + 1;
    found(ROWS(ME(NODE_ALIVE, 1), with), 2, 1100);
    memset(offered, 0, sizeof offered);
    tap_is_int((long long)membership_rows(membership, &rows), 2, "the rows are there to see");
    CHECK(rows[1].service_count == MEMBERSHIP_SERVICES_MAX &&
              !strcmp(rows[1].services[0].path, "shop/carts") && rows[1].services[0].max == 10,
          "with what they offer, copied, as much as is allowed");
}

int main(void)
{
    check_joining();
    check_joining_others();
    check_namesakes();
    check_death();
    check_burials();
    check_promises();
    check_confirming();
    check_fence();
    check_overtaking();
    check_judging();
    check_leaving();
    check_services();
    membership_destroy(membership);
    lease_finish(&lease);
    return tap_done();
}
