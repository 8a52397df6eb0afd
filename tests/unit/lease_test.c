/*
 * A node's lease: L1 and L6 by hand, then any order of what can happen, against the rules written
 * down once more as what must hold (CLUSTER 4).
 */
#include "../../cluster/lease.h"
#include "tap.h"

#include <stdlib.h>

enum { L = 5000, BEAT = L / LEASE_BEATS };

static struct lease lease;

static void fresh(void)
{
    lease_finish(&lease);
    lease_init(&lease, L);
}

static bool has_ended(int64_t now_ms)
{
    return lease_tick(&lease, now_ms).has_ended;
}

/* Begun at 1000, its first beat taken. */
static void held(void)
{
    fresh();
    lease_begin(&lease, 1000);
    lease_tick(&lease, 1000);
    lease_taken(&lease, 1000, 1200);
}

/* The same, with members 7 and 8 in the table. */
static void held_among(void)
{
    held();
    lease_table(&lease, (const uint64_t[]){7, 8}, 2, 1300);
}

static void check_beats(void)
{
    fresh();
    CHECK(lease_due_ms(&lease) == INT64_MAX && !lease_tick(&lease, 900).is_beat_due,
          "without a row in the store there is nothing to beat");
    CHECK(!lease_holds(&lease, 900), "and no lease");
    lease_begin(&lease, 1000);
    CHECK(lease_due_ms(&lease) == 1000 && lease_tick(&lease, 1000).is_beat_due,
          "the first beat is due at once");
    CHECK(lease_due_ms(&lease) == 1000 + BEAT, "the next a fifth of the lease later");
    CHECK(!lease_tick(&lease, 1999).is_beat_due, "not a moment before");
    CHECK(lease_tick(&lease, 2000).is_beat_due, "then it is due, answered or not");
    lease_begin(&lease, 2500);
    CHECK(lease_due_ms(&lease) == 3000, "to begin twice is to begin once");
}

static void check_length(void)
{
    held();
    CHECK(lease_holds(&lease, 1200) && lease_holds(&lease, 5999),
          "a beat that was taken makes a lease");
    CHECK(!lease_holds(&lease, 6000), "that counts from before it was sent, not from the answer");
    held();
    lease_taken(&lease, 3000, 3100);
    lease_taken(&lease, 2000, 3200);
    CHECK(lease_holds(&lease, 7999) && !lease_holds(&lease, 8000),
          "an older beat's answer does not shorten it");
    held();
    CHECK(!has_ended(5999) && has_ended(6000), "its end is told in its time");
    CHECK(!has_ended(6001), "once");
    lease_taken(&lease, 1500, 7000);
    CHECK(!lease_holds(&lease, 7000), "an answer that comes after its own time brings nothing");
    CHECK(!has_ended(7001), "and ends nothing");
    lease_taken(&lease, 6500, 7100);
    CHECK(lease_holds(&lease, 7100), "a beat begins the lease again");
    held();
    lease_taken(&lease, 5900, 6100);
    CHECK(lease_holds(&lease, 6100) && has_ended(6101),
          "an end between two ticks is told, though the lease has begun again");
    CHECK(!has_ended(6102), "once");
    held();
    lease_tick(&lease, 5900);
    CHECK(lease_due_ms(&lease) == 6000, "the end is something to tick for");
}

static void check_lost(void)
{
    held();
    lease_lose(&lease);
    CHECK(!lease_holds(&lease, 1300), "no row: fenced at once");
    CHECK(lease_due_ms(&lease) == 0 && has_ended(1300), "which is told");
    CHECK(lease_due_ms(&lease) == INT64_MAX && !lease_tick(&lease, 9000).is_beat_due,
          "and no beat is sent any more");
    lease_taken(&lease, 1250, 1400);
    CHECK(!lease_holds(&lease, 1400), "an earlier beat's answer does not bring it back");
    fresh();
    lease_lose(&lease);
    CHECK(!has_ended(100), "what was not held does not end");
}

static void check_asking(void)
{
    held_among();
    CHECK(!lease_is_silent(&lease, 2999) && lease_is_silent(&lease, 3000),
          "two fifths without a beat that is taken are silence");
    CHECK(!lease_tick(&lease, 2999).is_asking, "the members are not asked before");
    held_among();
    CHECK(lease_tick(&lease, 3000).is_asking, "then they are, with the beat");
    CHECK(lease_tick(&lease, 4000).is_asking, "and with each beat that follows");
    CHECK(!lease_tick(&lease, 6000).is_asking, "but not when the lease has ended");
    held();
    CHECK(!lease_tick(&lease, 3000).is_asking, "who has read no table asks nobody");
    held();
    lease_table(&lease, NULL, 0, 1300);
    CHECK(!lease_tick(&lease, 3000).is_asking, "who is alone asks nobody");
}

static void check_promises(void)
{
    held_among();
    lease_tick(&lease, 3000);
    lease_promised(&lease, 7, 3000, 3100);
    CHECK(!lease_holds(&lease, 6000), "the promise of one of two is not enough");
    held_among();
    lease_tick(&lease, 3000);
    lease_promised(&lease, 7, 3000, 3100);
    lease_promised(&lease, 8, 3000, 3900);
    CHECK(lease_holds(&lease, 7999) && !lease_holds(&lease, 8000),
          "the promises of all make it last, from before the question was sent");
    lease_tick(&lease, 4000);
    lease_promised(&lease, 8, 4000, 4100);
    CHECK(!lease_holds(&lease, 8000), "until the oldest of them");
    lease_promised(&lease, 7, 4000, 4200);
    CHECK(lease_holds(&lease, 8999) && !lease_holds(&lease, 9000), "and on when all have again");
    held_among();
    lease_tick(&lease, 3000);
    lease_promised(&lease, 7, 3000, 3100);
    lease_promised(&lease, 9, 3000, 3100);
    lease_promised(&lease, 7, 3000, 3200);
    CHECK(!lease_holds(&lease, 6000),
          "a stranger's promise counts for nobody, nor one given twice");
    held_among();
    lease_tick(&lease, 3000);
    lease_promised(&lease, 7, 3500, 3600);
    lease_promised(&lease, 8, 3500, 3600);
    CHECK(!lease_holds(&lease, 6000), "what was never asked cannot be answered");
    held_among();
    lease_tick(&lease, 5000);
    lease_promised(&lease, 7, 5000, 5100);
    lease_promised(&lease, 8, 5000, 6000);
    CHECK(!lease_holds(&lease, 6000), "a lease that has ended is not brought back by promises");
    CHECK(has_ended(6001), "its end is told");
}

/* All members always promise, and the store says nothing. */
static void check_cap(void)
{
    int64_t now_ms;

    held_among();
    for (now_ms = 2000; lease_holds(&lease, now_ms) && now_ms < 200000; now_ms += BEAT) {
        if (!lease_tick(&lease, now_ms).is_asking)
            continue;
        lease_promised(&lease, 7, now_ms, now_ms + 1);
        lease_promised(&lease, 8, now_ms, now_ms + 2);
    }
    tap_is_int(lease.until_ms, 1000 + LEASE_SILENT_MAX_MS,
               "whatever is promised, it ends 60 s after the last beat");
}

/* Two nodes beat, at times that have nothing to do with each other, and the store falls silent just
 * after the other's beat: is the lease kept, though a way takes so long, and ticks are late? */
static bool outlives(int64_t silent_ms)
{
    enum { TICK = L / 10, WAY = L / 16 };
    int64_t asked_ms[3 * L / TICK] = {0};
    size_t asked = 0, answered = 0;
    int64_t now_ms = 1000;

    fresh();
    lease_begin(&lease, now_ms);
    lease_table(&lease, (const uint64_t[]){7}, 1, 1);
    for (int tick = 0; now_ms < silent_ms + 2 * L; tick++) {
        struct lease_orders orders;

        now_ms = 1000 + tick * TICK + random() % TICK;
        for (; answered < asked && asked_ms[answered] + 2 * WAY <= now_ms; answered++)
            if (asked_ms[answered] + WAY >= silent_ms + 2 * L / LEASE_BEATS)
                lease_promised(&lease, 7, asked_ms[answered], asked_ms[answered] + 2 * WAY);
        orders = lease_tick(&lease, now_ms);
        if (orders.has_ended)
            return false;
        if (orders.is_asking)
            asked_ms[asked++] = now_ms;
        if (orders.is_beat_due && now_ms < silent_ms)
            lease_taken(&lease, now_ms, now_ms);
    }
    return true;
}

static void check_silence_at_any_moment(void)
{
    int64_t kept = 0, all = 0;

    srandom(1);
    for (int round = 0; round < 20; round++)
        for (int64_t silent_ms = 2 * L; silent_ms < 3 * L; silent_ms += 10, all++)
            kept += outlives(silent_ms);
    tap_is_int(kept, all, "at whatever moment the store falls silent, there is time for an answer");
}

static void check_members(void)
{
    held_among();
    lease_confirm(&lease, 9, 1400);
    lease_tick(&lease, 3000);
    lease_promised(&lease, 7, 3000, 3100);
    lease_promised(&lease, 8, 3000, 3100);
    CHECK(!lease_holds(&lease, 6000), "one that was confirmed since is asked, too");
    lease_promised(&lease, 9, 3000, 3200);
    CHECK(lease_holds(&lease, 7999), "and its promise completes the others'");
    lease_confirm(&lease, 10, 3300);
    lease_tick(&lease, 4000);
    lease_promised(&lease, 7, 4000, 4100);
    lease_promised(&lease, 8, 4000, 4100);
    lease_promised(&lease, 9, 4000, 4100);
    CHECK(!lease_holds(&lease, 8000), "one that comes in the midst of it has to promise as well");
    held();
    lease_confirm(&lease, 9, 1400);
    lease_table(&lease, (const uint64_t[]){7}, 1, 1400);
    tap_is_int((long long)lease.count, 2, "a table that was read before the confirmation keeps it");
    lease_table(&lease, (const uint64_t[]){7}, 1, 1401);
    tap_is_int((long long)lease.count, 1, "one read after it, without the row, does not");
    lease_table(&lease, (const uint64_t[]){7, 8}, 2, 1350);
    tap_is_int((long long)lease.count, 1, "an older reading that comes late is of no use");
    held_among();
    lease_tick(&lease, 3000);
    lease_promised(&lease, 7, 3000, 3100);
    lease_table(&lease, (const uint64_t[]){7, 8}, 2, 3200);
    lease_promised(&lease, 8, 3000, 3300);
    CHECK(lease_holds(&lease, 7999), "a new table leaves promises standing");
}

/* ---- any order --------------------------------------------------------------------------- */

enum { MEMBERS = 4, STEPS = 60, RUNS = 20000 };

/* The rules, as plainly as can be: what is known of each member, and the latest end allowed. */
struct shadow {
    bool is_member[MEMBERS];
    int64_t confirmed_ms[MEMBERS], vouched_ms[MEMBERS];
    int64_t asked_ms[STEPS], sent_ms[STEPS]; /* questions and beats that were sent */
    size_t asked, sent;
    int64_t beaten_ms, table_ms, until_ms;
    bool is_lost;
};

static int64_t all_vouched(const struct shadow *shadow)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < MEMBERS; i++)
        if (shadow->is_member[i] && shadow->vouched_ms[i] < least)
            least = shadow->vouched_ms[i];
    return least == INT64_MAX ? 0 : least;
}

static void shadow_promise(struct shadow *shadow, size_t member, int64_t asked_ms, int64_t now_ms)
{
    int64_t until_ms;

    if (!shadow->is_member[member] || asked_ms <= shadow->vouched_ms[member])
        return;
    shadow->vouched_ms[member] = asked_ms;
    until_ms = all_vouched(shadow) ? all_vouched(shadow) + L : 0;
    if (until_ms > shadow->beaten_ms + 60000)
        until_ms = shadow->beaten_ms + 60000;
    if (shadow->table_ms && now_ms < shadow->until_ms && until_ms > shadow->until_ms)
        shadow->until_ms = until_ms;
}

static void random_table(struct shadow *shadow, int64_t now_ms)
{
    uint64_t generations[MEMBERS];
    size_t n = 0;
    int64_t sent_ms = now_ms - random() % 2000;

    if (sent_ms < 1)
        sent_ms = 1;
    for (size_t i = 0; i < MEMBERS; i++) {
        bool is_in = random() % 2;

        if (is_in)
            generations[n++] = i + 1;
        if (sent_ms < shadow->table_ms)
            continue;
        if (!is_in && shadow->confirmed_ms[i] < sent_ms) {
            shadow->is_member[i] = false;
            shadow->vouched_ms[i] = shadow->confirmed_ms[i] = 0;
        }
        shadow->is_member[i] |= is_in;
    }
    if (sent_ms > shadow->table_ms)
        shadow->table_ms = sent_ms;
    lease_table(&lease, generations, n, sent_ms);
}

static void random_event(struct shadow *shadow, int64_t now_ms)
{
    size_t member = (size_t)random() % MEMBERS;
    int64_t at_ms;

    switch (random() % 16) {
    case 0:
    case 1:
        if (!shadow->sent)
            return;
        at_ms = shadow->sent_ms[shadow->sent - 1 - (size_t)random() % (shadow->sent > 2 ? 2 : 1)];
        lease_taken(&lease, at_ms, now_ms);
        if (at_ms > shadow->beaten_ms)
            shadow->beaten_ms = at_ms;
        if (at_ms + L > shadow->until_ms)
            shadow->until_ms = at_ms + L;
        return;
    case 2:
        random_table(shadow, now_ms);
        return;
    case 3:
        shadow->is_member[member] = true;
        shadow->confirmed_ms[member] = now_ms;
        lease_confirm(&lease, member + 1, now_ms);
        return;
    case 4:
        if (random() % 20 == 0) {
            lease_lose(&lease);
            shadow->is_lost = true;
        }
        return;
    default:
        if (!shadow->asked)
            return;
        at_ms =
            shadow->asked_ms[shadow->asked - 1 - (size_t)random() % (shadow->asked > 2 ? 2 : 1)];
        shadow_promise(shadow, member, at_ms, now_ms);
        lease_promised(&lease, member + 1, at_ms, now_ms);
    }
}

static const char *random_life(unsigned seed, unsigned *extended)
{
    struct shadow shadow = {0};
    bool was_held = false;
    int64_t now_ms = 1;

    srandom(seed);
    fresh();
    lease_begin(&lease, now_ms);
    for (int step = 0; step < STEPS; step++) {
        struct lease_orders orders = lease_tick(&lease, now_ms);

        if (orders.has_ended && !was_held)
            return "what was not held has ended";
        if (was_held && !lease_holds(&lease, now_ms) && !orders.has_ended)
            return "an end that nobody is told of";
        if (orders.is_beat_due)
            shadow.sent_ms[shadow.sent++] = now_ms;
        if (orders.is_asking)
            shadow.asked_ms[shadow.asked++] = now_ms;
        random_event(&shadow, now_ms);
        if (lease_holds(&lease, now_ms) != (!shadow.is_lost && now_ms < shadow.until_ms))
            return "it is not as the rules say";
        if (!shadow.is_lost && lease.until_ms != shadow.until_ms)
            return "its end is not where the rules say";
        *extended += lease.until_ms > shadow.beaten_ms + L;
        was_held = lease_holds(&lease, now_ms) || lease.has_ended;
        now_ms += 1 + random() % 700;
    }
    return NULL;
}

static void check_any_order(void)
{
    unsigned wrong = 0, extended = 0;

    for (unsigned seed = 1; seed <= RUNS && wrong < 5; seed++) {
        const char *why = random_life(seed, &extended);

        if (why) {
            tap_note("seed %u: %s", seed, why);
            wrong++;
        }
    }
    tap_is_int(wrong, 0, "20000 random lives of a lease: its end is where the rules say");
    CHECK(extended > 1000, "and promises made it longer %u times", extended);
}

int main(void)
{
    check_beats();
    check_length();
    check_lost();
    check_asking();
    check_promises();
    check_cap();
    check_silence_at_any_moment();
    check_members();
    check_any_order();
    lease_finish(&lease);
    return tap_done();
}
