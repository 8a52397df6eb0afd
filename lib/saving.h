/*
 * The saves of one row of state: one under way at a time, the newest value waits behind it, and
 * answers for those it has replaced. Compare-and-set: each is over the version that was accepted
 * last. When it is open whether one was accepted, the next first reads what there is. Private to
 * the runtime.
 */
#ifndef TROUPE_SAVING_H
#define TROUPE_SAVING_H

#include "buf.h"
#include "mono.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct troupe;

/* failure: NULL, or as storecall_explain() says. The runtime's own, as storecall_done. */
typedef void saving_done(struct troupe *self, const char *failure, void *data);

struct saver; /* one who waits to hear of it */
TAILQ_HEAD(savers, saver);

/* A value on its way. */
struct saving_value {
    struct buf bytes;
    struct mono deadline;
    struct savers savers;
};

struct saving {
    struct troupe *self;
    const char *name;
    uint32_t schema;
    uint64_t epoch;
    int64_t version;  /* of what was accepted last; 0: nothing yet */
    struct buf kept;  /* … that */
    struct buf tried; /* may have been accepted as well, if is_open */
    bool is_open;
    bool is_busy; /* `now` is with the store */
    bool has_next;
    struct saving_value now, next;
};

void saving_init(struct saving *saving, struct troupe *self, const char *name, uint32_t schema,
                 uint64_t epoch);
/* Those who wait hear nothing. */
void saving_finish(struct saving *saving);

/* What the store holds: taken over, as accepted. */
void saving_set_kept(struct saving *saving, int64_t version, const void *bytes, size_t size);
/* Is this another value than the last that was accepted? */
bool saving_differs(const struct saving *saving, const struct buf *value);

/* Saves; the bytes are taken over, also on failure. 0; or -1 with ENOMEM, EMSGSIZE: done is not
 * called. Else it is, exactly once, perhaps before this returns. */
int saving_start(struct saving *saving, struct buf *bytes, struct mono deadline, saving_done *done,
                 void *data);
/* Does not tell this one. */
void saving_forget(struct saving *saving, const void *data);

/* Where an actor's rows are: the service is its parent, the id its own name. */
void saving_row(const struct troupe *self, char service[], const char **id);

#endif
