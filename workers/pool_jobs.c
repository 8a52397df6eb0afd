#include "pool.h"
#include "pool_field.h"

#include "loop.h"
#include "mono.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its worker may be at work long after the asker has given up, and has to be waited for. */
enum { JOB_MS = 7 * 24 * 3600 * 1000 };

struct pool_job {
    struct pool_entry entry;          /* while it waits */
    TAILQ_ENTRY(pool_job) in_running; /* while a worker has it: handed_on, or given_up */
    struct pool *pool;
    struct troupe_message *message; /* NULL: given up, and answered */
    uint64_t key;                   /* hash, with route: key */
    struct pool_worker *worker;     /* who has it */
    uint64_t incarnation;           /* … in this life */
    unsigned tries;
    int64_t stuck_us; /* when it is given up */
};

static void set_alarm(struct pool *pool);

static struct pool_job *job_of(struct pool_entry *entry)
{
    return container_of(entry, struct pool_job, entry);
}

/* ---- the fate of a job --------------------------------------------------------------------- */

static void count(struct pool *pool, struct pool_job *job, enum pool_fate fate)
{
    pool->counts.fates[fate]++;
    if (job->worker && fate < POOL_EXPIRED)
        job->worker->counts.fates[fate]++;
}

/* Its one end: counted, and whoever waits has been told. */
static void end_job(struct pool_job *job, enum pool_fate fate)
{
    struct pool *pool = job->pool;

    count(pool, job, fate);
    free(job);
    pool_on_job_end(pool);
}

static void __attribute__((format(printf, 3, 4)))
refuse(struct pool_job *job, enum pool_fate fate, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    troupe_refuse(job->message, "%s", text);
    end_job(job, fate);
}

static void expire(struct pool_job *job)
{
    refuse(job, POOL_EXPIRED, "timeout expired in queue");
}

/* ---- where it goes ------------------------------------------------------------------------- */

static struct pool_worker *turn(struct pool *pool)
{
    int seat = pool_route_turn(pool->crew.seats, pool->crew.count, pool->last);

    if (seat == POOL_NOBODY)
        return NULL;
    pool->last = seat;
    return pool_crew_at(&pool->crew, seat);
}

static struct pool_worker *by_key(struct pool *pool, const struct pool_job *job)
{
    int seat = pool_route_key(pool->crew.seats, pool->crew.count, job->key);

    return seat == POOL_NOBODY ? NULL : pool_crew_at(&pool->crew, seat);
}

static struct pool_worker *by_field(struct pool *pool, const struct pool_job *job)
{
    char room[POOL_FIELD_ROOM], name[ADDR_PART_MAX + 1];
    struct troupe_bytes text = pool_field_text(job->message, pool->args.field, room);

    if (text.size >= sizeof name)
        return NULL;
    memcpy(name, text.at, text.size);
    name[text.size] = '\0';
    return pool_crew_find(&pool->crew, name);
}

/* Whose job it is: with first_free anybody's, NULL. */
static struct pool_worker *choose(struct pool *pool, const struct pool_job *job)
{
    switch (pool->args.route) {
    case POOL_ROUND_ROBIN:
        return turn(pool);
    case POOL_BY_KEY:
        return by_key(pool, job);
    case POOL_BY_FIELD:
        return by_field(pool, job);
    case POOL_FIRST_FREE:
        break;
    }
    return NULL;
}

/* The lane where it waits for this worker, or for there to be one. */
static struct pool_lane *lane_for(struct pool *pool, struct pool_worker *worker)
{
    if (worker)
        return &worker->lane;
    if (pool->args.route == POOL_FIRST_FREE)
        return &pool->common;
    if (pool->args.route == POOL_BY_FIELD && pool->crew.is_known)
        return &pool->nowhere;
    return &pool->unplaced;
}

static bool is_free(const struct pool *pool, const struct pool_worker *worker)
{
    return worker->is_seated && worker->seat.is_up && worker->seat.running < pool->args.each;
}

/* ---- a worker has it ----------------------------------------------------------------------- */

static void on_outcome(struct troupe *self, struct troupe_message *answer, void *data);

static void enter_worker(struct pool_job *job, struct pool_worker *worker)
{
    struct pool *pool = job->pool;

    job->worker = worker;
    job->incarnation = worker->incarnation;
    job->tries++;
    job->stuck_us = INT64_MAX;
    if (pool->args.stuck_ms)
        job->stuck_us = mono_add_ms(mono_now(), pool->args.stuck_ms).us;
    worker->seat.running++;
    worker->counts.taken++;
    pool->running++;
    TAILQ_INSERT_TAIL(&pool->handed_on, job, in_running);
}

static void leave_running(struct pool_job *job)
{
    job->pool->running--;
    TAILQ_REMOVE(&job->pool->handed_on, job, in_running);
}

static void hand_on(struct pool_job *job, struct pool_worker *worker)
{
    char to[ADDR_TEXT_MAX + 1];
    const char *why;

    enter_worker(job, worker);
    snprintf(to, sizeof to, "%s#%llu", worker->path, (unsigned long long)worker->incarnation);
    if (troupe_forward_then(job->message, to, JOB_MS, on_outcome, job) == 0)
        return;
    why = errno == EMSGSIZE ? "bad_message too large" : "overloaded its worker takes no more";
    leave_running(job);
    worker->seat.running--;
    refuse(job, POOL_FAILED, "%s", why);
}

/* Gives a worker what waits for it, as long as it is free. */
static void feed(struct pool *pool, struct pool_worker *worker)
{
    int64_t now_us = mono_now().us;
    struct pool_entry *entry;

    while (is_free(pool, worker) &&
           (entry = pool_queue_take(&pool->queue, &worker->lane, &pool->common))) {
        if (entry->due_us <= now_us)
            expire(job_of(entry));
        else
            hand_on(job_of(entry), worker);
    }
}

static struct pool_lane *lane_anew(struct pool_entry *entry, void *data)
{
    struct pool_job *job = job_of(entry);
    struct pool *pool = data;

    if (pool->args.route == POOL_ROUND_ROBIN)
        for (size_t i = 0; i < pool->crew.count; i++) {
            struct pool_worker *worker = pool_crew_at(&pool->crew, (int)i);

            if (entry->lane == &worker->lane && worker->seat.is_up)
                return entry->lane;
        }
    return lane_for(pool, choose(pool, job));
}

static void refuse_nowhere(struct pool *pool)
{
    static const char why[] = "noproc the pool has no such worker";
    struct pool_entry *entry;

    while ((entry = pool_queue_take(&pool->queue, &pool->nowhere, &pool->nowhere)))
        refuse(job_of(entry), POOL_BAD, "%s", why);
}

void pool_jobs_reroute(struct pool *pool)
{
    if (pool->last >= (int)pool->crew.count)
        pool->last = POOL_NOBODY;
    if (pool->args.route != POOL_FIRST_FREE) {
        pool_queue_reroute(&pool->queue, lane_anew, pool);
        refuse_nowhere(pool);
    }
    for (size_t i = 0; i < pool->crew.count; i++)
        feed(pool, pool_crew_at(&pool->crew, (int)i));
    set_alarm(pool);
}

/* ---- what became of it --------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

/* This life of its worker was over before it was handled. */
static bool is_untouched(const char *failure)
{
    return failure && begins_with(failure, "noproc");
}

/* It did not answer because it is not there any more. */
static bool is_down(const char *failure)
{
    return failure && (begins_with(failure, "down ") || is_untouched(failure));
}

static void log_lost(struct pool_job *job, const char *failure, bool again)
{
    char tries[16];

    snprintf(tries, sizeof tries, "%u", job->tries);
    troupe_log(job->pool->self, "warn", "pool.job", "message", troupe_name(job->message), "worker",
               job->worker->path, "why", failure, "tries", tries, "again", again ? "true" : "false",
               NULL);
}

/* To where it was in the queue. */
static void retry(struct pool_job *job)
{
    struct pool *pool = job->pool;

    pool->counts.retried++;
    job->worker->counts.retried++;
    job->entry.bytes = troupe_size(job->message);
    job->worker = NULL;
    if (pool_queue_return(&pool->queue, lane_for(pool, choose(pool, job)), &job->entry) < 0)
        refuse(job, POOL_FULL, "overloaded out of memory");
    else
        pool_jobs_reroute(pool);
}

static void on_worker_down(struct pool_job *job, struct troupe_message *answer)
{
    struct pool *pool = job->pool;
    const char *failure = troupe_failure(answer);
    bool again = is_untouched(failure) || job->tries <= pool->args.retries;

    if (is_untouched(failure))
        job->tries--;
    if (job->entry.due_us <= mono_now().us) {
        expire(job);
        return;
    }
    log_lost(job, failure, again);
    if (again) {
        retry(job);
        return;
    }
    troupe_relay(job->message, answer);
    end_job(job, POOL_LOST);
}

/* Of a life that is over; but not when nobody knows how: the connection may have broken alone. */
static bool tells_of_end(const char *failure)
{
    return is_down(failure) && !begins_with(failure, "down unknown");
}

static void settle(struct pool_job *job, struct troupe_message *answer)
{
    const char *failure = troupe_failure(answer);

    if (!job->message) {
        TAILQ_REMOVE(&job->pool->given_up, job, in_running);
        free(job);
        return;
    }
    leave_running(job);
    if (is_down(failure)) {
        on_worker_down(job, answer);
        return;
    }
    troupe_relay(job->message, answer);
    end_job(job, failure ? POOL_FAILED : POOL_DONE);
}

static void on_outcome(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct pool_job *job = data;
    struct pool *pool = job->pool;
    struct pool_worker *worker = job->worker;

    (void)self;
    worker->seat.running--;
    if (tells_of_end(troupe_failure(answer)))
        pool_crew_lost(&pool->crew, worker, job->incarnation);
    settle(job, answer);
    feed(pool, worker);
    pool_crew_released(&pool->crew, worker);
    set_alarm(pool);
}

/* ---- time ---------------------------------------------------------------------------------- */

/* The dead man's switch. It is not tried again: it would hang the next one too. */
static void give_up(struct pool_job *job)
{
    struct pool *pool = job->pool;
    struct pool_worker *worker = job->worker;
    char limit[32];

    text_of_duration(pool->args.stuck_ms, limit, sizeof limit);
    troupe_log(pool->self, "error", "pool.stuck", "message", troupe_name(job->message), "worker",
               worker->path, "after", limit, NULL);
    leave_running(job);
    troupe_refuse(job->message, "timeout stuck for %s in %s", limit, worker->path);
    job->message = NULL;
    TAILQ_INSERT_TAIL(&pool->given_up, job, in_running);
    count(pool, job, POOL_STUCK);
    pool_on_job_end(pool);
    if (worker->lost == job->incarnation)
        return; /* condemned for another job of its */
    pool->counts.restarted++;
    worker->counts.restarted++;
    pool_crew_restart(&pool->crew, worker);
}

static void on_alarm(struct troupe *self, uint64_t periods, void *data)
{
    struct pool *pool = data;
    int64_t now_us = mono_now().us;
    struct pool_entry *entry;
    struct pool_job *job;

    (void)self;
    (void)periods;
    pool->alarm = 0;
    while ((entry = pool_queue_expire(&pool->queue, now_us)))
        expire(job_of(entry));
    while ((job = TAILQ_FIRST(&pool->handed_on)) && job->stuck_us <= now_us)
        give_up(job);
    set_alarm(pool);
}

static void set_alarm(struct pool *pool)
{
    int64_t due_us = pool_queue_due(&pool->queue);
    struct pool_job *first = TAILQ_FIRST(&pool->handed_on);

    if (first && first->stuck_us < due_us)
        due_us = first->stuck_us;
    if (due_us == INT64_MAX || (pool->alarm && pool->alarm_us <= due_us))
        return;
    troupe_cancel(pool->self, pool->alarm);
    pool->alarm_us = due_us;
    pool->alarm = troupe_after(pool->self, (due_us - mono_now().us) / 1000 + 1, on_alarm, pool);
}

/* ---- coming -------------------------------------------------------------------------------- */

static int64_t due_us(const struct pool *pool, const struct troupe_message *message)
{
    int64_t left = troupe_time_left(message), ttl = pool->args.ttl_ms;

    if (ttl == 0 || (left >= 0 && left < ttl))
        ttl = left;
    return left < 0 && pool->args.ttl_ms == 0 ? INT64_MAX : mono_add_ms(mono_now(), ttl).us;
}

/* 0; or -1: its field is no priority. */
static int read_priority(struct pool_job *job)
{
    const struct pool_args *args = &job->pool->args;
    char room[POOL_FIELD_ROOM];
    struct troupe_bytes text = {0};

    job->entry.priority = pool_args_priority(args, troupe_name(job->message));
    if (args->priority)
        text = pool_field_text(job->message, args->priority, room);
    if (!text.at)
        return 0;
    job->entry.priority =
        text.size == 1 ? (unsigned)(*(const char *)text.at - '0') : POOL_PRIORITIES;
    return job->entry.priority < POOL_PRIORITIES ? 0 : -1;
}

/* 0; or -1: there is no such argument. */
static int read_key(struct pool_job *job)
{
    const struct pool_args *args = &job->pool->args;
    char room[POOL_FIELD_ROOM];
    struct troupe_bytes text;

    if (!args->field)
        return 0;
    text = pool_field_text(job->message, args->field, room);
    if (!text.at)
        return -1;
    job->key = pool_route_hash(text.at, text.size);
    return 0;
}

static struct pool_job *create(struct pool *pool, struct troupe_message *message)
{
    struct pool_job *job = calloc(1, sizeof *job);

    if (!job) {
        troupe_refuse(message, "overloaded out of memory");
        return NULL;
    }
    job->pool = pool;
    job->message = troupe_keep(message);
    job->entry.due_us = due_us(pool, message);
    if (job->message)
        return job;
    free(job);
    return NULL;
}

/* Others go, as many as have to; or there is no room for it all the same, and it goes: false. */
static bool make_way(struct pool_job *job)
{
    struct pool_entry *victim;

    while ((victim = pool_queue_make_way(&job->pool->queue, &job->entry))) {
        bool is_this = victim == &job->entry;

        refuse(job_of(victim), is_this ? POOL_FULL : POOL_DISCARDED, "overloaded queue full");
        if (is_this)
            return false;
    }
    return true;
}

static void queue(struct pool_job *job, struct pool_lane *lane)
{
    struct pool *pool = job->pool;

    job->entry.bytes = troupe_size(job->message);
    if (!make_way(job))
        return;
    if (pool_queue_put(&pool->queue, lane, &job->entry) < 0)
        refuse(job, POOL_FULL, "overloaded out of memory");
    set_alarm(pool);
}

static struct pool_worker *free_one(struct pool *pool)
{
    int seat =
        pool_route_free(pool->crew.seats, pool->crew.count, (unsigned)pool->args.each, pool->last);

    if (seat == POOL_NOBODY)
        return NULL;
    pool->last = seat;
    return pool_crew_at(&pool->crew, seat);
}

/* To its worker at once, when that one is free; what is free has nothing waiting for it. */
static void place(struct pool_job *job)
{
    struct pool *pool = job->pool;
    struct pool_worker *worker =
        pool->args.route == POOL_FIRST_FREE ? free_one(pool) : choose(pool, job);
    struct pool_lane *lane;

    if (worker && is_free(pool, worker)) {
        pool_queue_number(&pool->queue, &job->entry);
        hand_on(job, worker);
        set_alarm(pool);
        return;
    }
    lane = lane_for(pool, worker);
    if (lane == &pool->nowhere)
        refuse(job, POOL_BAD, "noproc the pool has no such worker");
    else
        queue(job, lane);
}

void pool_jobs_take(struct pool *pool, struct troupe_message *message)
{
    struct pool_job *job;

    pool->counts.taken++;
    job = create(pool, message);
    if (!job)
        pool->counts.fates[POOL_FULL]++;
    else if (read_priority(job) < 0)
        refuse(job, POOL_BAD, "bad_message %.64s: argument %u: expected a priority from 0 to %d",
               troupe_name(message), (unsigned)pool->args.priority, POOL_PRIORITIES - 1);
    else if (read_key(job) < 0)
        refuse(job, POOL_BAD, "bad_message %.64s: argument %u: expected the key, got none",
               troupe_name(message), (unsigned)pool->args.field);
    else if (!pool_rate_take(&pool->rate, mono_now().us))
        refuse(job, POOL_LIMITED, "overloaded rate limit");
    else
        place(job);
}

/* ---- the end ------------------------------------------------------------------------------- */

bool pool_is_idle(const struct pool *pool)
{
    return pool->queue.count == 0 && pool->running == 0;
}

void pool_jobs_finish(struct pool *pool, const char *failure)
{
    struct pool_entry *entry;
    struct pool_job *job;

    while ((entry = pool_queue_any(&pool->queue)))
        refuse(job_of(entry), POOL_STOPPED, "%s", failure);
    while ((job = TAILQ_FIRST(&pool->handed_on))) {
        leave_running(job);
        refuse(job, POOL_STOPPED, "%s", failure);
    }
    while ((job = TAILQ_FIRST(&pool->given_up))) {
        TAILQ_REMOVE(&pool->given_up, job, in_running);
        free(job);
    }
    pool_queue_finish(&pool->queue);
}
