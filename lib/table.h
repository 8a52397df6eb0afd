/*
 * The table file of a supervisor, $TROUPE_RUN/PATH/.table: what outlives it (SEMANTICS 3). One
 * writer, the supervisor, through a shared mapping; its next incarnation maps it again, and `ps`
 * reads it when the supervisor hangs. Fixed layout, one slot a child name. A name keeps its slot,
 * and with it its incarnation number, while there is room: then the name that is gone for longest
 * gives its slot to the new one, whose numbers go on above, so that none ever repeats in the run of
 * a node. Room for a slot is allocated before it is touched: a full file system is ENOSPC, not
 * SIGBUS.
 */
#ifndef TROUPE_TABLE_H
#define TROUPE_TABLE_H

#include "addr.h"
#include "reason.h"
#include "wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TABLE_ENDS = 5,            /* ends remembered a child */
    TABLE_GONE = 100,          /* ends remembered of names that are gone */
    TABLE_LAST_STATE = 65536,  /* bytes of last state a child */
    TABLE_STATUS = 128,
    TABLE_CRASH = 1024,        /* text of the last crash: its frames, one a line */
};

struct table_end {
    uint64_t incarnation; /* 0: empty */
    int64_t wall_us;
    int64_t ran_ms;
    char reason[REASON_MAX];
};

struct table_slot {
    char name[ADDR_PART_MAX + 1]; /* "" in a slot that was never used */
    uint8_t present;              /* 0: the name is gone, its numbers are kept while there is room */
    uint8_t held;                 /* stopped by a person */
    uint8_t kind, state;          /* enum row_kind, enum row_state */
    uint32_t pid;
    uint64_t incarnation, restarts_total;
    int64_t since_us, started_us;
    char last[REASON_MAX];
    char status[TABLE_STATUS];
    char crash[TABLE_CRASH];
    uint32_t end_count; /* ends so far; the newest is at (end_count - 1) % TABLE_ENDS */
    struct table_end ends[TABLE_ENDS];
    uint32_t last_state_size;
};

struct table_gone {
    char name[ADDR_PART_MAX + 1];
    struct table_end end;
};

struct table;

/* Opens or creates run_dir/path/.table with room for max slots (an existing one may have more).
 * NULL with errno. The mapping is not inherited by forks. */
struct table *table_open(const char *run_dir, const char *path, unsigned max);
/* A new incarnation of the supervisor: nobody is present until its child is made. */
void table_begin(struct table *table);
void table_close(struct table *table);

/* The slot of name, made when there is none. NULL with errno (ENOSPC: as many are present as there
 * is room for). Pointers stay valid while their names are present. */
struct table_slot *table_slot(struct table *table, const char *name);
/* The slot of name, or NULL. */
struct table_slot *table_find(struct table *table, const char *name);
/* Forgets a slot whose name will never come again (a template's number), so that it serves another. */
void table_release(struct table *table, struct table_slot *slot);

void table_record_end(struct table_slot *slot, const struct table_end *end);
/* The i-th newest end, or NULL. */
const struct table_end *table_end(const struct table_slot *slot, unsigned i);

void table_record_gone(struct table *table, const char *name, const struct table_end *end);
/* The newest end of a name that is gone, or NULL. */
const struct table_gone *table_gone(struct table *table, const char *name);

/* Last state: 0 or -1 with EMSGSIZE, ENOSPC. */
int table_set_last_state(struct table *table, struct table_slot *slot, const void *bytes, size_t size);
/* A copy to be freed, or NULL; *size is its length. */
void *table_last_state(struct table *table, const struct table_slot *slot, size_t *size);

/* The next number of a template's child; never the same twice in one run of the node. */
uint64_t table_next_number(struct table *table);

/* Read by others: rows of the children that are present, all `lost`. 0 or -1 with errno. */
int table_read(const char *file, const char *parent_path, struct rows *rows);

#endif
