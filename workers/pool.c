/*
 * Many workers behind one mailbox (ractor's factory). What is sent to the pool is a job: it goes on
 * to one of its workers, whose answer comes back through the pool. The workers are actors like
 * others, under a supervisor of their own beside the pool, which restarts them; the natural tree is
 *
 *     supervisor:
 *       children:
 *         - name: crew                  # its children are the workers
 *           supervisor:
 *             template: {module: resize_image}
 *         - name: pool                  # after them: it is stopped first, and finishes its jobs
 *           module: pool
 *           args: {workers: crew, size: 4, route: first_free}
 *
 * (etc/examples/factory.yaml has all the arguments.) With `size` the pool keeps so many workers, of
 * the template; without it, it takes the children that the supervisor has, of whatever kind.
 *
 * A job is handled at most once, unless `retries` says otherwise: then one whose worker went down,
 * for whatever reason, is done again. What an asker is told besides its worker's answer:
 *
 *     overloaded queue full          no room, or it had to make room for another
 *     overloaded rate limit
 *     overloaded draining            the pool is about to end
 *     timeout expired in queue       older than `ttl`, or than its asker's patience
 *     timeout stuck for 10s in PATH  and that worker is being restarted
 *     noproc …, bad_message …        no such worker, no key, no such priority
 *     down REASON                    its worker went down
 *
 * Casts are counted the same way; their senders are told, when they want to be (`undelivered`).
 * What waits is in the pool's memory: when the pool itself is killed, callers hear `down`, and
 * casts are lost. The size that it was given at run time is kept by its next life, until its spec
 * says another one.
 */
#include "pool.h"

#include "buf.h"
#include "loop.h"

#include <stdio.h>
#include <string.h>

enum { STATUS_MS = 1000 };

/* ---- messages ------------------------------------------------------------------------------ */

static void on_job(struct troupe *self, struct troupe_message *message)
{
    pool_jobs_take(troupe_state(self), message);
}

/* One line for all, and one for each worker. */
static int write_stats(const struct pool *pool, struct buf *text)
{
    const struct pool_worker *worker;
    char line[1024];
    int failed;

    pool_stats_write(&pool->counts, pool->queue.count, pool->queue.bytes, pool->running, line,
                     sizeof line);
    failed = buf_printf(text, "%s workers=%zu", line, pool->crew.count);
    for (worker = pool->crew.all; worker; worker = worker->hh.next) {
        pool_stats_worker(&worker->counts, worker->path, pool_crew_state(worker),
                          worker->seat.running, line, sizeof line);
        failed |= buf_printf(text, "\n%s", line);
    }
    return failed | buf_append(text, "", 1);
}

static void on_stats(struct troupe *self, struct troupe_message *message)
{
    struct buf text = {0};

    if (write_stats(troupe_state(self), &text) == 0)
        troupe_reply(message, (const char *)buf_front(&text));
    else
        troupe_fail(message, "out of memory");
    buf_finish(&text);
}

static void on_resize(struct troupe *self, struct troupe_message *message)
{
    struct pool *pool = troupe_state(self);
    uint64_t size = troupe_uint(message, 0);

    if (!pool->args.size) {
        troupe_fail(message, "the workers are not the pool's to add: its args have no size");
        return;
    }
    if (size < 1 || size > POOL_SIZE_MAX) {
        troupe_fail(message, "expected a size from 1 to %d", POOL_SIZE_MAX);
        return;
    }
    if (pool->to_resize)
        troupe_fail(pool->to_resize, "another resize came after it");
    pool->to_resize = troupe_keep(message);
    troupe_log(self, "info", "pool.resize", "workers", pool->crew.path, NULL);
    pool_crew_resize(&pool->crew, size);
}

static void answer_drain(struct pool *pool)
{
    struct troupe_message *message = pool->to_drain;

    if (!message || !pool_is_idle(pool))
        return;
    pool->to_drain = NULL;
    troupe_reply(message);
}

static void on_drain(struct troupe *self, struct troupe_message *message)
{
    struct pool *pool = troupe_state(self);

    if (pool->to_drain) {
        troupe_refuse(message, "overloaded draining");
        return;
    }
    pool->to_drain = troupe_keep(message);
    troupe_drain(self, "shutdown drained");
    answer_drain(pool);
}

void pool_on_job_end(struct pool *pool)
{
    answer_drain(pool);
}

/* ---- its size, in this life and the next --------------------------------------------------- */

/* What the next life is told: a spec that says another size by then counts for more. */
struct last_size {
    uint64_t told, reached;
};

static void recall_size(struct pool *pool)
{
    struct last_size last;
    size_t size;
    const void *bytes = troupe_last_state(pool->self, &size);

    pool->told_size = pool->args.size;
    if (!bytes || size != sizeof last)
        return;
    memcpy(&last, bytes, sizeof last);
    if (pool->told_size && last.told == pool->told_size && last.reached >= 1 &&
        last.reached <= POOL_SIZE_MAX)
        pool->args.size = last.reached;
}

static void reach_size(struct pool *pool, uint64_t size)
{
    struct last_size last = {pool->told_size, size};

    if (pool->args.size == size)
        return;
    pool->args.size = size;
    if (troupe_set_last_state(pool->self, &last, sizeof last) == 0)
        troupe_save_last_state(pool->self);
}

/* ---- the crew ------------------------------------------------------------------------------ */

static struct pool *pool_of(struct pool_crew *crew)
{
    return container_of(crew, struct pool, crew);
}

static void on_change(struct pool_crew *crew)
{
    pool_jobs_reroute(pool_of(crew));
}

static void on_size(struct pool_crew *crew, const char *why)
{
    struct pool *pool = pool_of(crew);
    struct troupe_message *message = pool->to_resize;

    pool->to_resize = NULL;
    if (!why)
        reach_size(pool, crew->wanted);
    if (message && !why) {
        troupe_reply(message, (uint64_t)crew->wanted);
    } else if (message) {
        troupe_fail(message, "%s", why);
        pool_crew_resize(crew, pool->args.size);
    }
}

/* ---- life ---------------------------------------------------------------------------------- */

static void tell_status(struct troupe *self, uint64_t periods, void *data)
{
    struct pool *pool = data;
    size_t up = 0;
    char text[sizeof pool->status];

    (void)periods;
    for (size_t i = 0; i < pool->crew.count; i++)
        up += pool->crew.seats[i]->is_up;
    snprintf(text, sizeof text, "%zu of %zu workers up, %zu jobs running, %zu queued", up,
             pool->crew.count, pool->running, pool->queue.count);
    if (strcmp(text, pool->status) == 0)
        return;
    strcpy(pool->status, text);
    troupe_status(self, "%s", text);
}

static int read_args(struct troupe *self, struct pool_args *args)
{
    char why[POOL_WHY_SIZE];
    const char *key;

    pool_args_init(args);
    for (unsigned i = 0; (key = troupe_arg_key(self, i)); i++)
        if (pool_args_set(args, key, troupe_arg(self, key), why) < 0)
            return troupe_error(self, "args: %s", why);
    if (pool_args_check(args, why) < 0)
        return troupe_error(self, "args: %s", why);
    return TROUPE_READY;
}

static int init(struct troupe *self)
{
    static const struct pool_crew_handlers handlers = {.on_change = on_change, .on_size = on_size};
    struct pool *pool = troupe_state(self);

    pool->self = self;
    pool->last = POOL_NOBODY;
    TAILQ_INIT(&pool->handed_on);
    TAILQ_INIT(&pool->given_up);
    pool_lane_init(&pool->common);
    pool_lane_init(&pool->unplaced);
    pool_lane_init(&pool->nowhere);
    if (read_args(self, &pool->args) != TROUPE_READY)
        return TROUPE_ERROR;
    recall_size(pool);
    pool_rate_init(&pool->rate, pool->args.rate, pool->args.burst);
    pool_queue_init(&pool->queue, pool->args.queue, pool->args.bytes, pool->args.full);
    if (pool_crew_init(&pool->crew, self, pool->args.workers, pool->args.size, &handlers) < 0)
        return troupe_error(self, "args: workers: the path is too long");
    pool_crew_start(&pool->crew);
    troupe_every(self, STATUS_MS, tell_status, pool);
    return TROUPE_READY;
}

static void terminate(struct troupe *self, const char *reason)
{
    struct pool *pool = troupe_state(self);
    char failure[300];

    if (!pool->crew.self)
        return; /* it has not begun */
    snprintf(failure, sizeof failure, "down %s", reason);
    pool_jobs_finish(pool, failure);
    pool_crew_finish(&pool->crew);
}

static const struct troupe_handler messages[] = {
    {"stats", "", "s", on_stats, "counts of jobs: a line for all, then one for each worker"},
    {"resize", "U", "U", on_resize, "keeps N workers from now on; tells when they are there"},
    {"drain", "", "", on_drain, "takes nothing new, finishes what it has, answers, and ends"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct pool), .init = init, .messages = messages,
             .receive = on_job, .terminate = terminate, .drains = true);
