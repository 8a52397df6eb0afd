/*
 * Stats pages (PROTOCOL 5): one page of counters a child, in a memfd that its supervisor made, of all
 * its modules or of one program. The child is the only writer, the supervisor only reads; words, no
 * locks.
 */
#ifndef TROUPE_STATS_H
#define TROUPE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

enum { STATS_PAGE_SIZE = 4096, STATS_HANDLER_NONE = 0, STATS_HANDLER_OTHER = 255 };

struct stats_page {
    _Atomic uint64_t messages_in, messages_out, expired, dropped;
    _Atomic uint64_t mailbox_depth, mailbox_bytes;
    _Atomic uint64_t last_activity_us; /* CLOCK_MONOTONIC */
    _Atomic uint64_t handling;         /* 1 + index of the message being handled; 0: none */
    _Atomic uint64_t busy_since_us;    /* CLOCK_MONOTONIC; 0: idle */
};

/* A memfd of n pages. Returns it, or -1 with errno. */
int stats_create(unsigned n);
/* Maps all pages (the supervisor), or NULL with errno. The mapping is not inherited by forks. */
struct stats_page *stats_map_all(int fd, unsigned n);
struct stats_page *stats_of(struct stats_page *all, unsigned index);
/* Maps one page (the child), or NULL with errno: then the child keeps its counters to itself. */
struct stats_page *stats_map_one(int fd, uint64_t offset);

#endif
