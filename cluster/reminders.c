#include "reminders.h"

#include "loop.h"
#include "memory.h"
#include "rendezvous.h"
#include "ticks.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#define NEVER INT64_MAX

enum state {
    TELLING,
    TOLD,    /* its row is to be advanced */
    RESTING, /* after a failure, or because pages that are under way may still speak of it */
};

struct entry {
    UT_hash_handle hh; /* by key */
    LIST_ENTRY(entry) in_busy;
    struct reminder reminder; /* its texts are the entry's own */
    enum state state;
    bool is_advancing; /* TOLD: the store has been asked */
    bool is_seen;      /* by the page that is read */
    unsigned silences;
    int64_t again_ms; /* TOLD: when to ask; RESTING: until when */
    uint64_t settled; /* RESTING: the last look that had begun: what it has found is of before */
    char *key;
};

struct reminders {
    const struct reminders_hooks *hooks;
    void *data;
    struct entry *all;
    LIST_HEAD(busy, entry) busy;
    size_t under_way;
    uint64_t looks;
    bool is_looking;
    bool is_hungry; /* more was due than there were places */
    unsigned silences;
    uint32_t limit;
    int64_t look_ms;
    int64_t set_us; /* by the wall clock, as it was told: then is looked whatever was found
                     * meanwhile, for later ones are not told before */
};

static void sooner(struct reminders *reminders, int64_t when_ms)
{
    if (when_ms < reminders->look_ms)
        reminders->look_ms = when_ms;
}

static int64_t doubled(int64_t ms, unsigned times, int64_t most)
{
    while (times-- > 0 && ms < most)
        ms *= 2;
    return ms < most ? ms : most;
}

/* The moment, by the clock that is waited by; rounded up, for a tick must not come too early. */
static int64_t moment_of(int64_t due_us, struct reminders_time now)
{
    int64_t in_us = due_us - now.wall_us;

    return in_us <= 0 ? now.mono_ms : now.mono_ms + in_us / 1000 + 1;
}

/* ---- whose it is ----------------------------------------------------------------------------- */

struct rank {
    uint64_t weight;
    const char *node;
};

static bool is_before(struct rank one, struct rank other)
{
    return one.weight > other.weight ||
           (one.weight == other.weight && strcmp(one.node, other.node) < 0);
}

static struct rank rank_of(const char *node, const char *service, const char *id)
{
    return (struct rank){rendezvous_weight(node, service, id), node};
}

const char *reminders_node(const struct reminders_company *company, const char *service,
                           const char *id, const char *after)
{
    struct rank best = {0}, limit = {0};

    if (after)
        limit = rank_of(after, service, id);
    for (size_t i = 0; i < company->count; i++) {
        struct rank rank;

        if (company->rows[i].state != NODE_ALIVE)
            continue;
        rank = rank_of(company->rows[i].name, service, id);
        if ((!after || is_before(limit, rank)) && (!best.node || is_before(rank, best)))
            best = rank;
    }
    return best.node;
}

static bool is_ours(const struct reminders_company *company, const char *service, const char *id)
{
    const char *node;

    if (!company->node)
        return true;
    node = reminders_node(company, service, id, NULL);
    return node && !strcmp(node, company->node);
}

/* ---- rows of a page -------------------------------------------------------------------------- */

enum { SERVICE, ID, NAME, DUE, PERIOD, MESSAGE, VERSION, COLUMNS };

static char *key_of(char *const *row)
{
    const char *const parts[] = {row[SERVICE], "/", row[ID], ":", row[NAME]};
    size_t size = 1;
    char *key, *end;

    for (size_t i = 0; i < 5; i++)
        size += strlen(parts[i]);
    key = end = memory_zeroed(size);
    for (size_t i = 0; i < 5; i++)
        end = stpcpy(end, parts[i]);
    return key;
}

static int64_t number_of(const char *text)
{
    return strtoll(text, NULL, 10);
}

static struct entry *find(const struct reminders *reminders, char *const *row)
{
    struct entry *entry;
    char *key = key_of(row);

    HASH_FIND_STR(reminders->all, key, entry);
    free(key);
    return entry;
}

/* ---- entries --------------------------------------------------------------------------------- */

static void drop_texts(struct reminder *reminder)
{
    free((char *)reminder->service);
    free((char *)reminder->id);
    free((char *)reminder->name);
    free((char *)reminder->message);
}

static void drop(struct reminders *reminders, struct entry *entry)
{
    HASH_DEL(reminders->all, entry);
    drop_texts(&entry->reminder);
    free(entry->key);
    free(entry);
}

static struct entry *add(struct reminders *reminders, char *const *row)
{
    struct entry *entry = memory_zeroed(sizeof *entry);

    entry->key = key_of(row);
    entry->state = RESTING;
    HASH_ADD_KEYPTR(hh, reminders->all, entry->key, strlen(entry->key), entry);
    return entry;
}

static void fill(struct entry *entry, char *const *row, struct reminders_time now)
{
    struct reminder *reminder = &entry->reminder;
    struct ticks ticks = ticks_of(number_of(row[DUE]), number_of(row[PERIOD]), now.wall_us);

    drop_texts(reminder);
    reminder->service = memory_text(row[SERVICE]);
    reminder->id = memory_text(row[ID]);
    reminder->name = memory_text(row[NAME]);
    reminder->message = memory_text(row[MESSAGE]);
    reminder->version = number_of(row[VERSION]);
    reminder->count = ticks.count;
    reminder->next_us = ticks.next_us;
}

static void begin(struct reminders *reminders, struct entry *entry, char *const *row,
                  struct reminders_time now)
{
    if (!entry)
        entry = add(reminders, row);
    fill(entry, row, now);
    entry->state = TELLING;
    LIST_INSERT_HEAD(&reminders->busy, entry, in_busy);
    reminders->under_way++;
    reminders->hooks->tell(reminders->data, &entry->reminder);
}

/* It is no more under way; for how long it is not told. */
static void settle(struct reminders *reminders, struct entry *entry, int64_t until_ms,
                   struct reminders_time now)
{
    LIST_REMOVE(entry, in_busy);
    reminders->under_way--;
    entry->state = RESTING;
    entry->again_ms = until_ms;
    entry->settled = reminders->looks;
    if (reminders->is_hungry)
        sooner(reminders, now.mono_ms + REMINDERS_GAP_MS);
}

/* ---- a page ---------------------------------------------------------------------------------- */

static bool is_id_busy(const struct reminders *reminders, char *const *row)
{
    const struct entry *entry;

    LIST_FOREACH(entry, &reminders->busy, in_busy)
    if (!strcmp(entry->reminder.id, row[ID]) && !strcmp(entry->reminder.service, row[SERVICE]))
        return true;
    return false;
}

/* What this page says of it is of before, or it is not yet to be tried again. */
static bool is_at_rest(struct reminders *reminders, const struct entry *entry,
                       struct reminders_time now)
{
    if (entry->state != RESTING || entry->settled == reminders->looks)
        return true;
    if (entry->again_ms <= now.mono_ms)
        return false;
    sooner(reminders, entry->again_ms);
    return true;
}

/* One that is due, and ours. */
static void take(struct reminders *reminders, char *const *row, struct reminders_time now)
{
    struct entry *entry = find(reminders, row);

    if (entry) {
        entry->is_seen = true;
        if (is_at_rest(reminders, entry, now))
            return;
    }
    if (reminders->under_way == REMINDERS_AT_ONCE || is_id_busy(reminders, row))
        reminders->is_hungry = true;
    else
        begin(reminders, entry, row, now);
}

/* Failures are remembered for as long as their rows are due. */
static void drop_unseen(struct reminders *reminders)
{
    struct entry *entry, *next;

    for (entry = reminders->all; entry; entry = next) {
        next = entry->hh.next;
        if (!entry->is_seen && entry->state == RESTING && entry->settled < reminders->looks)
            drop(reminders, entry);
        else
            entry->is_seen = false;
    }
}

/* A page may hide rows that are due, too: those that were begun make room for them, and if there
 * were none, a larger one shows more. */
static void set_limit(struct reminders *reminders, bool is_full, bool has_begun,
                      struct reminders_time now)
{
    uint32_t limit = reminders->limit;

    if (!is_full)
        return;
    reminders->is_hungry = true;
    if (has_begun || reminders->under_way == REMINDERS_AT_ONCE || limit == REMINDERS_PAGE_MAX)
        return;
    reminders->limit = limit * 2 < REMINDERS_PAGE_MAX ? limit * 2 : REMINDERS_PAGE_MAX;
    sooner(reminders, now.mono_ms + REMINDERS_GAP_MS);
}

/* Returns how many of its rows are due: these come first. */
static size_t read_page(struct reminders *reminders, const struct words *rows,
                        const struct reminders_company *company, struct reminders_time now)
{
    size_t count = rows->count / COLUMNS;

    for (size_t i = 0; i < count; i++) {
        char *const *row = rows->at + i * COLUMNS;
        int64_t due_us = number_of(row[DUE]);

        if (due_us > now.wall_us) {
            sooner(reminders, moment_of(due_us, now));
            return i;
        }
        if (is_ours(company, row[SERVICE], row[ID]))
            take(reminders, row, now);
    }
    return count;
}

void reminders_found(struct reminders *reminders, const struct words *rows,
                     const struct reminders_company *company, struct reminders_time now)
{
    size_t before = reminders->under_way, due;

    reminders->is_looking = reminders->is_hungry = false;
    reminders->silences = 0;
    due = read_page(reminders, rows, company, now);
    drop_unseen(reminders);
    set_limit(reminders, due >= reminders->limit, reminders->under_way > before, now);
    if (due < reminders->limit / 2)
        reminders->limit = REMINDERS_PAGE;
    if (company->node)
        sooner(reminders, now.mono_ms + REMINDERS_COMPANY_MS);
    else if (rows->count || reminders->under_way)
        sooner(reminders, now.mono_ms + REMINDERS_ALONE_MS);
}

void reminders_silent(struct reminders *reminders, bool is_there, struct reminders_time now)
{
    reminders->is_looking = false;
    if (is_there)
        sooner(reminders, now.mono_ms + doubled(REMINDERS_REST_MS, reminders->silences++,
                                                REMINDERS_SILENT_MAX_MS));
}

/* ---- outcomes -------------------------------------------------------------------------------- */

static struct entry *entry_of(struct reminder *reminder)
{
    return container_of(reminder, struct entry, reminder);
}

/* What the actor itself makes of it is its own matter. */
static bool has_had_it(const char *failure)
{
    return !failure || !strcmp(failure, "error") || !strncmp(failure, "error ", 6);
}

static void advance(struct reminders *reminders, struct entry *entry)
{
    entry->is_advancing = true;
    reminders->hooks->advance(reminders->data, &entry->reminder);
}

void reminders_told(struct reminders *reminders, struct reminder *reminder, const char *failure,
                    struct reminders_time now)
{
    struct entry *entry = entry_of(reminder);
    int64_t until_ms;

    if (has_had_it(failure)) {
        entry->state = TOLD;
        entry->silences = 0;
        advance(reminders, entry);
        return;
    }
    until_ms =
        now.mono_ms + doubled(REMINDERS_REST_MS, reminder->failures++, REMINDERS_REST_MAX_MS);
    settle(reminders, entry, until_ms, now);
    sooner(reminders, until_ms);
}

/* An advance whose answer was lost goes again: if it was carried out, it finds another version. A
 * conflict otherwise is that the reminder was set anew, or told by another node as well. */
void reminders_advanced(struct reminders *reminders, struct reminder *reminder,
                        enum ledger_outcome outcome, struct reminders_time now)
{
    struct entry *entry = entry_of(reminder);

    entry->is_advancing = false;
    if (outcome == LEDGER_UNREACHABLE) {
        entry->again_ms =
            now.mono_ms + doubled(REMINDERS_REST_MS, entry->silences++, REMINDERS_SILENT_MAX_MS);
        return;
    }
    reminder->failures = 0;
    settle(reminders, entry, now.mono_ms, now);
    if (outcome == LEDGER_CONFLICT)
        sooner(reminders, now.mono_ms + REMINDERS_GAP_MS);
    else if (outcome == LEDGER_DONE && reminder->next_us)
        sooner(reminders, moment_of(reminder->next_us, now));
}

/* ---- time ------------------------------------------------------------------------------------ */

void reminders_set(struct reminders *reminders, int64_t due_us)
{
    if (due_us < reminders->set_us)
        reminders->set_us = due_us;
}

static int64_t when_to_look(const struct reminders *reminders, struct reminders_time now)
{
    int64_t set_ms = reminders->set_us == NEVER ? NEVER : moment_of(reminders->set_us, now);

    if (reminders->is_looking)
        return NEVER;
    return set_ms < reminders->look_ms ? set_ms : reminders->look_ms;
}

/* In company only what is due until the next look is of interest. */
static void look(struct reminders *reminders, const struct reminders_company *company,
                 struct reminders_time now)
{
    reminders->is_looking = true;
    reminders->looks++;
    reminders->look_ms = NEVER;
    if (reminders->set_us <= now.wall_us)
        reminders->set_us = NEVER;
    reminders->hooks->look(reminders->data,
                           company->node ? now.wall_us + REMINDERS_COMPANY_MS * 1000LL : INT64_MAX,
                           reminders->limit);
}

void reminders_tick(struct reminders *reminders, const struct reminders_company *company,
                    struct reminders_time now)
{
    struct entry *entry;

    LIST_FOREACH(entry, &reminders->busy, in_busy)
    if (entry->state == TOLD && !entry->is_advancing && entry->again_ms <= now.mono_ms)
        advance(reminders, entry);
    if (when_to_look(reminders, now) <= now.mono_ms)
        look(reminders, company, now);
}

int64_t reminders_due_in_ms(const struct reminders *reminders, struct reminders_time now)
{
    int64_t when_ms = when_to_look(reminders, now);
    const struct entry *entry;

    LIST_FOREACH(entry, &reminders->busy, in_busy)
    if (entry->state == TOLD && !entry->is_advancing && entry->again_ms < when_ms)
        when_ms = entry->again_ms;
    if (when_ms == NEVER)
        return -1;
    return when_ms > now.mono_ms ? when_ms - now.mono_ms : 0;
}

size_t reminders_under_way(const struct reminders *reminders)
{
    return reminders->under_way;
}

/* ---- life ------------------------------------------------------------------------------------ */

struct reminders *reminders_create(const struct reminders_hooks *hooks, void *data)
{
    struct reminders *reminders = memory_zeroed(sizeof *reminders);

    reminders->hooks = hooks;
    reminders->data = data;
    reminders->limit = REMINDERS_PAGE;
    reminders->set_us = NEVER;
    LIST_INIT(&reminders->busy);
    return reminders;
}

void reminders_destroy(struct reminders *reminders)
{
    struct entry *entry, *next;

    if (!reminders)
        return;
    for (entry = reminders->all; entry; entry = next) {
        next = entry->hh.next;
        drop(reminders, entry);
    }
    free(reminders);
}
