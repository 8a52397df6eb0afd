#include "pool_stats.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[POOL_FATES] = {
    [POOL_DONE] = "done",           [POOL_FAILED] = "failed",        [POOL_LOST] = "lost",
    [POOL_STUCK] = "stuck",         [POOL_EXPIRED] = "expired",      [POOL_FULL] = "full",
    [POOL_DISCARDED] = "discarded", [POOL_LIMITED] = "rate_limited", [POOL_BAD] = "bad",
    [POOL_STOPPED] = "stopped",
};

const char *pool_fate_text(enum pool_fate fate)
{
    return names[fate];
}

/* What was written so far may be more than there is room for: only the length goes on. */
static char *rest(char *out, size_t size, int length)
{
    return out + ((size_t)length < size ? (size_t)length : size);
}

static size_t room(size_t size, int length)
{
    return (size_t)length < size ? size - (size_t)length : 0;
}

static int write_fates(const struct pool_counts *counts, enum pool_fate end, char *out, size_t size,
                       int length)
{
    for (int i = 0; i < (int)end; i++)
        length += snprintf(rest(out, size, length), room(size, length), " %s=%" PRIu64, names[i],
                           counts->fates[i]);
    return length + snprintf(rest(out, size, length), room(size, length),
                             " retried=%" PRIu64 " restarted=%" PRIu64, counts->retried,
                             counts->restarted);
}

int pool_stats_write(const struct pool_counts *counts, size_t queued, size_t bytes, size_t running,
                     char *out, size_t size)
{
    int length = snprintf(out, size, "queued=%zu queued_bytes=%zu running=%zu taken=%" PRIu64,
                          queued, bytes, running, counts->taken);

    return write_fates(counts, POOL_FATES, out, size, length);
}

int pool_stats_worker(const struct pool_counts *counts, const char *path, const char *state,
                      size_t running, char *out, size_t size)
{
    int length = snprintf(out, size, "worker=%s state=%s running=%zu taken=%" PRIu64, path, state,
                          running, counts->taken);

    return write_fates(counts, POOL_EXPIRED, out, size, length);
}
