#include "lease.h"
#include "memory.h"

#include <stdlib.h>
#include <string.h>

void lease_init(struct lease *lease, int64_t length_ms)
{
    *lease = (struct lease){.length_ms = length_ms};
}

void lease_finish(struct lease *lease)
{
    free(lease->members);
    lease->members = NULL;
    lease->count = 0;
}

bool lease_holds(const struct lease *lease, int64_t now_ms)
{
    return !lease->is_lost && now_ms < lease->until_ms;
}

bool lease_is_silent(const struct lease *lease, int64_t now_ms)
{
    return now_ms - lease->beaten_ms >= 2 * lease->length_ms / LEASE_BEATS;
}

/* An end that nobody has ticked for is still an end. */
static void notice_end(struct lease *lease, int64_t now_ms)
{
    if (!lease->is_held || lease_holds(lease, now_ms))
        return;
    lease->is_held = false;
    lease->has_ended = true;
}

static void extend(struct lease *lease, int64_t until_ms, int64_t now_ms)
{
    if (until_ms > lease->until_ms)
        lease->until_ms = until_ms;
    lease->is_held = lease_holds(lease, now_ms);
}

void lease_begin(struct lease *lease, int64_t now_ms)
{
    if (!lease->due_ms)
        lease->due_ms = now_ms;
}

void lease_taken(struct lease *lease, int64_t sent_ms, int64_t now_ms)
{
    notice_end(lease, now_ms);
    if (lease->is_lost)
        return;
    if (sent_ms > lease->beaten_ms)
        lease->beaten_ms = sent_ms;
    extend(lease, sent_ms + lease->length_ms, now_ms);
}

void lease_lose(struct lease *lease)
{
    lease->is_lost = true;
    lease->has_ended |= lease->is_held;
    lease->is_held = false;
}

/* ---- the members ------------------------------------------------------------------------- */

static struct lease_member *find(const struct lease *lease, uint64_t generation)
{
    for (size_t i = 0; i < lease->count; i++)
        if (lease->members[i].generation == generation)
            return &lease->members[i];
    return NULL;
}

static struct lease_member *need(struct lease *lease, uint64_t generation)
{
    struct lease_member *member = find(lease, generation);

    if (member)
        return member;
    lease->members = memory_resize(lease->members, lease->count + 1, sizeof *lease->members);
    member = &lease->members[lease->count++];
    *member = (struct lease_member){.generation = generation};
    return member;
}

static bool is_among(uint64_t generation, const uint64_t *generations, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (generations[i] == generation)
            return true;
    return false;
}

/* One that was confirmed after the reading began may have come into the store after it was read. */
static bool stays(const struct lease_member *member, const uint64_t *generations, size_t n,
                  int64_t sent_ms)
{
    return member->confirmed_ms >= sent_ms || is_among(member->generation, generations, n);
}

void lease_table(struct lease *lease, const uint64_t *generations, size_t n, int64_t sent_ms)
{
    size_t kept = 0;

    if (sent_ms < lease->table_ms)
        return;
    lease->table_ms = sent_ms;
    for (size_t i = 0; i < lease->count; i++)
        if (stays(&lease->members[i], generations, n, sent_ms))
            lease->members[kept++] = lease->members[i];
    lease->count = kept;
    for (size_t i = 0; i < n; i++)
        need(lease, generations[i]);
}

void lease_confirm(struct lease *lease, uint64_t generation, int64_t now_ms)
{
    need(lease, generation)->confirmed_ms = now_ms;
}

/* ---- the silence ------------------------------------------------------------------------- */

/* Since when, at the latest, all have promised; 0: not all have. */
static int64_t vouched_ms(const struct lease *lease)
{
    int64_t least = lease->count ? INT64_MAX : 0;

    for (size_t i = 0; i < lease->count; i++)
        if (lease->members[i].vouched_ms < least)
            least = lease->members[i].vouched_ms;
    return least;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void lease_promised(struct lease *lease, uint64_t generation, int64_t asked_ms, int64_t now_ms)
{
    struct lease_member *member = find(lease, generation);
    int64_t since_ms;

    notice_end(lease, now_ms);
    if (!member || asked_ms > lease->asked_ms || asked_ms <= member->vouched_ms)
        return;
    member->vouched_ms = asked_ms;
    since_ms = vouched_ms(lease);
    if (since_ms && lease->table_ms && lease_holds(lease, now_ms))
        extend(lease, earlier(since_ms + lease->length_ms, lease->beaten_ms + LEASE_SILENT_MAX_MS),
               now_ms);
}

/* There is something to keep, and somebody who can help to keep it: from when on they are asked;
 * INT64_MAX: nobody is. */
static int64_t ask_ms(const struct lease *lease)
{
    int64_t silent_ms = lease->beaten_ms + 2 * lease->length_ms / LEASE_BEATS;

    if (!lease->table_ms || !lease->count)
        return INT64_MAX;
    return later(silent_ms, lease->asked_ms + lease->length_ms / LEASE_QUESTIONS);
}

/* ---- time -------------------------------------------------------------------------------- */

/* At its time, though the tick before came late; but what was missed is not made up for. */
static void set_next_beat(struct lease *lease, int64_t now_ms)
{
    int64_t apart_ms = lease->length_ms / LEASE_BEATS;

    lease->due_ms = later(lease->due_ms + apart_ms, now_ms + apart_ms / 2);
}

struct lease_orders lease_tick(struct lease *lease, int64_t now_ms)
{
    struct lease_orders orders = {0};

    notice_end(lease, now_ms);
    orders.has_ended = lease->has_ended;
    lease->has_ended = false;
    if (lease->is_lost || !lease->due_ms)
        return orders;
    orders.is_beat_due = now_ms >= lease->due_ms;
    orders.is_asking = lease_holds(lease, now_ms) && now_ms >= ask_ms(lease);
    if (orders.is_beat_due)
        set_next_beat(lease, now_ms);
    if (orders.is_asking)
        lease->asked_ms = now_ms;
    return orders;
}

int64_t lease_due_ms(const struct lease *lease)
{
    int64_t due_ms = lease->due_ms && !lease->is_lost ? lease->due_ms : INT64_MAX;

    if (lease->has_ended)
        return 0;
    return lease->is_held ? earlier(earlier(due_ms, ask_ms(lease)), lease->until_ms) : due_ms;
}
