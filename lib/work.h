/*
 * Work that may block, in helpers (helper.h): many at once, each with its result, which is owed to
 * the author between messages. Also what an actor is that is nothing but its work: troupe_manage().
 * Private to the runtime.
 */
#ifndef TROUPE_WORK_H
#define TROUPE_WORK_H

#include "troupe.h"

#include <stdbool.h>
#include <stdint.h>

struct work;

enum {
    WORK_RESULT_MAX = 16 * 1024 * 1024, /* bytes */
    WORK_KILL_MS = 1000, /* how long an ending actor waits for a helper that it has killed */
};

struct works {
    struct work *all; /* by number */
    uint64_t last;
};

/* Work whose end is looked for, and not told by itself (troupe_watch_work). NULL with errno. */
struct work *work_watch(struct troupe *self, troupe_work_fn *fn, void *fn_data);
bool work_is_over(const struct work *work);
/* Tells of its end, or ends it; frees it. */
void work_tell(struct work *work, troupe_on_done *on_done, void *data);
void work_cancel(struct work *work);

/* Ends all helpers; nobody hears of them. */
void works_finish(struct troupe *self);

#endif
