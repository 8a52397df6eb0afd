/*
 * The stats pages of a supervisor's children (PROTOCOL 5), on the supervisor's side: whose is which,
 * what an incarnation is handed, what it has written. A module finds its page in one table of all,
 * and lets go of the rest before its author's code runs. Whoever execs would keep that table's
 * descriptor, and so the pages of all its siblings: such an incarnation gets a page in a file of its
 * own, of which nothing is believed but what can be read at the moment.
 */
#ifndef TROUPE_PAGES_H
#define TROUPE_PAGES_H

#include "stats.h"

#include <stdbool.h>
#include <stdint.h>

struct child;

struct pages {
    int table_fd;
    struct stats_page *table; /* not in forks */
    bool *claimed;
    unsigned count;
};

/* A child's place among them. */
struct page_place {
    int index;  /* in the table; -1: it has none */
    int own_fd; /* the present incarnation's own file, or -1 */
};

/* A table for as many children. 0, or -1 with errno. */
int pages_init(struct pages *pages, unsigned count);

/* A place for a child, which it keeps through all incarnations. 0, or -1 (ENOSPC). */
int pages_claim(struct child *child);
void pages_release(struct child *child);

/* Before a birth: makes the file for one that shall have its own. 0, or -1 with errno. */
int pages_prepare(struct child *child);
/* What the incarnation is handed: a descriptor, -1 without a mailbox, and where in it its page is. */
int pages_fd(const struct child *child);
uint64_t pages_offset(const struct child *child);
/* What it has written: zeros, if it has none, or has broken it. */
struct stats_page pages_read(const struct child *child);
/* After its end: the next one begins with zeros, and what is left of this one writes to nobody. */
void pages_reset(struct child *child);

#endif
