/*
 * Which reminders are told by this node, when, and what becomes of their rows (CLUSTER 4). Pure but
 * for memory: pages of rows and outcomes go in, with times; what is to be done comes out through
 * hooks, and when to tick next.
 *
 *   look ── rows that are due ──→ tell ── the actor has had it ──→ advance ── by compare-and-set
 *
 * A row is told by the node that is alive and first for its (service, id); a node without company
 * tells all. Only when its actor has had it the row is advanced: at least once. Rows are not kept
 * here: those that find no free place, or failed and rest, are read again before they are told, so
 * that what was cleared meanwhile is not. Of one (service, id) one is told at a time.
 *
 * When is looked: at the time of the next row that a look has seen, of a rest that is over, of one
 * that was set through this node's store (reminders_set). In company once a second as well, for
 * others set reminders, too; alone once a minute while there are any, for clocks are set; and alone
 * and without any, never.
 */
#ifndef TROUPE_CLUSTER_REMINDERS_H
#define TROUPE_CLUSTER_REMINDERS_H

#include "ledger.h"
#include "membership.h"

enum {
    REMINDERS_AT_ONCE = 64, /* under way at a time */
    REMINDERS_PAGE = 128,   /* rows of one look; twice that when none of them can be told, … */
    REMINDERS_PAGE_MAX = 10000,  /* … and so on */
    REMINDERS_COMPANY_MS = 1000, /* between two looks */
    REMINDERS_ALONE_MS = 60000,
    REMINDERS_GAP_MS = 10,    /* before a look that only more places, or other rows, are for */
    REMINDERS_REST_MS = 1000, /* after a failure; then twice that … */
    REMINDERS_REST_MAX_MS = 60000,
    REMINDERS_SILENT_MAX_MS = 5000, /* the same for a store that does not answer */
};

struct reminders_time {
    int64_t wall_us; /* what rows are due by */
    int64_t mono_ms; /* what is waited by */
};

/* One that is under way. */
struct reminder {
    const char *service, *id, *name, *message;
    int64_t version;
    uint64_t count;    /* ticks that are told as one */
    int64_t next_us;   /* when it is due then; 0: never */
    unsigned failures; /* in a row */
};

/* Told while one of the functions below runs; must not call them. */
struct reminders_hooks {
    /* Read what is due until then: then comes reminders_found() or reminders_silent(). */
    void (*look)(void *data, int64_t until_us, uint32_t limit);
    /* Then comes reminders_told(). */
    void (*tell)(void *data, struct reminder *reminder);
    /* Where it has that version: then comes reminders_advanced(). */
    void (*advance)(void *data, struct reminder *reminder);
};

struct reminders;

/* hooks is borrowed. The first tick looks. */
struct reminders *reminders_create(const struct reminders_hooks *hooks, void *data);
/* Takes NULL. */
void reminders_destroy(struct reminders *reminders);

/* The nodes of a table, of which `node` is one; {0}: no company. rows are borrowed for the call. */
struct reminders_company {
    const char *node;
    const struct node_row *rows;
    size_t count;
};

/* Of those alive, the one that is first for (service, id): by rendezvous_weight(). after: the next
 * one after that. NULL: there is none. */
const char *reminders_node(const struct reminders_company *company, const char *service,
                           const char *id, const char *after);

/* ---- what happens ---- */

void reminders_tick(struct reminders *reminders, const struct reminders_company *company,
                    struct reminders_time now);
/* One was set that is due then, or (0) nothing is known any more. */
void reminders_set(struct reminders *reminders, int64_t due_us);
/* rows: of CONTROL_REMINDER_DUE. */
void reminders_found(struct reminders *reminders, const struct words *rows,
                     const struct reminders_company *company, struct reminders_time now);
/* The store does not answer; is_there: it may yet. Else reminders_set() says when it is there. */
void reminders_silent(struct reminders *reminders, bool is_there, struct reminders_time now);
/* failure: NULL, or that of the call (SEMANTICS 6). An actor that answers `error …` has had it. */
void reminders_told(struct reminders *reminders, struct reminder *reminder, const char *failure,
                    struct reminders_time now);
void reminders_advanced(struct reminders *reminders, struct reminder *reminder,
                        enum ledger_outcome outcome, struct reminders_time now);

/* ---- what is known ---- */

/* In how many ms to tick; -1: never. */
int64_t reminders_due_in_ms(const struct reminders *reminders, struct reminders_time now);
size_t reminders_under_way(const struct reminders *reminders);

#endif
