/*
 * Connections that their owner is done with, while what was queued on them is not written yet: an
 * actor that is busy for a while does not lose what had been taken over for it. Each is closed when
 * all is written, and read if it has a name, or when the other has gone; casts that nobody got then are counted.
 */
#ifndef TROUPE_CLUSTER_PARTINGS_H
#define TROUPE_CLUSTER_PARTINGS_H

#include "losses.h"
#include "sp.h"

struct parting;

struct partings {
    struct losses *losses; /* borrowed */
    /* None is left under this name, which is not "". */
    void (*on_over)(struct partings *partings, const char *name);
    unsigned max, count;   /* how many may wait at a time */
    struct parting *first;
};

/* Takes conn over. What it still says is heard by nobody. Beyond max, it has the time of
 * sp_conn_close(). name (copied): who spoke by it to whom; or "". */
void partings_take(struct partings *partings, struct sp_conn *conn, const char *name);
/* Is there one under this name? What is sent by another connection could be read before it. */
bool partings_have(const struct partings *partings, const char *name);
/* The same for all that wait. */
void partings_finish(struct partings *partings);

#endif
