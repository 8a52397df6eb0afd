/* Watches somebody, and tells somebody else once for each time that it is told: args who and tell.
 */
#include <troupe.h>

static int init(struct troupe *self)
{
    if (!troupe_monitor(self, troupe_arg(self, "who")))
        return troupe_error(self, "no monitor");
    return TROUPE_READY;
}

static void down(struct troupe *self, uint64_t monitor, const char *who, const char *reason)
{
    (void)monitor;
    (void)who;
    (void)reason;
    troupe_cast(self, troupe_arg(self, "tell"), "add", 1);
}

TROUPE_ACTOR(.init = init, .down = down);
