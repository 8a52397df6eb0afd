/*
 * Work that may block, in helpers (helper.h): many at once, each with its result, which is owed to
 * the author between messages. Also what an actor is that is nothing but its work: troupe_manage().
 * Private to the runtime.
 */
#ifndef TROUPE_WORK_H
#define TROUPE_WORK_H

#include <stdint.h>

struct troupe;
struct work;

enum {
    WORK_RESULT_MAX = 16 * 1024 * 1024, /* bytes */
    WORK_KILL_MS = 1000, /* how long an ending actor waits for a helper that it has killed */
};

struct works {
    struct work *all; /* by number */
    uint64_t last;
};

/* Ends all helpers; nobody hears of them. */
void works_finish(struct troupe *self);

#endif
