/*
 * How much happens to an actor in a second: the difference between two looks at the totals that it
 * keeps itself, in a page that others read (PROTOCOL 5). So it is known of one that hangs, too.
 */
#ifndef TROUPE_CLI_RATES_H
#define TROUPE_CLI_RATES_H

#include "actors.h"
#include "mono.h"

enum { RATES_MS = 1000 }; /* from one look to the next */

struct earlier;

struct rates {
    struct earlier *by_path;
    struct mono taken;
    int64_t us; /* between the looks; 0: there was no second one */
};

/* The first look. */
void rates_begin(struct rates *rates, const struct actors *actors);
/* Waits until it is time for the second. */
void rates_wait(const struct rates *rates);
/* After the second. */
void rates_end(struct rates *rates);
void rates_finish(struct rates *rates);

/* Messages a second. False: this incarnation was not there at the first look. */
bool rates_of(const struct rates *rates, const struct row *row, uint64_t *in, uint64_t *out);

#endif
