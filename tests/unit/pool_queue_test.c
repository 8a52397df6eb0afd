/*
 * The queue of a pool: examples, then a long random life beside a slow model that is plainly right.
 */
#include "../../workers/pool_queue.h"
#include "tap.h"

#include <stdlib.h>

enum { LANES = 4, JOBS = 400, STEPS = 60000 };

static struct pool_lane lanes[LANES];

static void make(struct pool_queue *queue, size_t max, enum pool_full full)
{
    pool_queue_init(queue, max, SIZE_MAX, full);
    for (int i = 0; i < LANES; i++)
        pool_lane_init(&lanes[i]);
}

static struct pool_entry entry_of(unsigned priority, int64_t due_us)
{
    return (struct pool_entry){.priority = priority, .due_us = due_us};
}

/* Who had to go for it, the last of them; NULL: nobody. */
static struct pool_entry *put_one(struct pool_queue *queue, struct pool_lane *lane,
                                  struct pool_entry *entry)
{
    struct pool_entry *victim, *last = NULL;

    while ((victim = pool_queue_make_way(queue, entry))) {
        last = victim;
        if (victim == entry)
            return entry;
    }
    return pool_queue_put(queue, lane, entry) < 0 ? entry : last;
}

/* ---- examples ------------------------------------------------------------------------------ */

static void test_order(void)
{
    struct pool_entry a = entry_of(1, INT64_MAX), b = entry_of(1, INT64_MAX),
                      c = entry_of(0, INT64_MAX), d = entry_of(3, INT64_MAX);
    struct pool_queue queue;

    make(&queue, 10, POOL_REFUSE);
    put_one(&queue, &lanes[0], &d);
    put_one(&queue, &lanes[0], &a);
    put_one(&queue, &lanes[1], &b);
    put_one(&queue, &lanes[1], &c);
    CHECK(pool_queue_take(&queue, &lanes[0], &lanes[1]) == &c, "the most urgent comes first");
    CHECK(pool_queue_take(&queue, &lanes[0], &lanes[1]) == &a, "then the oldest of either lane");
    CHECK(pool_queue_return(&queue, &lanes[0], &a) == 0 &&
              pool_queue_take(&queue, &lanes[0], &lanes[1]) == &a,
          "one that is put back is where it was");
    CHECK(pool_queue_take(&queue, &lanes[1], &lanes[1]) == &b, "a lane may be asked alone");
    CHECK(pool_queue_take(&queue, &lanes[1], &lanes[1]) == NULL && !pool_lane_is_empty(&lanes[0]),
          "and when it is empty, others' jobs are not given away");
    CHECK(pool_queue_any(&queue) == &d && queue.count == 0, "in the end all is taken");
    pool_queue_finish(&queue);
}

static void test_refuse(void)
{
    struct pool_entry a = entry_of(3, INT64_MAX), b = entry_of(0, INT64_MAX);
    struct pool_queue queue;

    make(&queue, 1, POOL_REFUSE);
    CHECK(put_one(&queue, &lanes[0], &a) == NULL, "refuse: there is room for one");
    CHECK(put_one(&queue, &lanes[0], &b) == &b, "and the next one has to go, however urgent");
    pool_queue_finish(&queue);
    make(&queue, 0, POOL_OLDEST);
    CHECK(put_one(&queue, &lanes[0], &a) == &a, "where none may wait, none does");
    pool_queue_finish(&queue);
}

static void test_make_room(enum pool_full full, const char *name)
{
    struct pool_entry first = entry_of(2, INT64_MAX), second = entry_of(2, INT64_MAX),
                      urgent = entry_of(0, INT64_MAX), lazy = entry_of(3, INT64_MAX),
                      third = entry_of(2, INT64_MAX);
    struct pool_queue queue;
    bool is_oldest = full == POOL_OLDEST;

    make(&queue, 2, full);
    put_one(&queue, &lanes[0], &first);
    put_one(&queue, &lanes[0], &second);
    CHECK(put_one(&queue, &lanes[0], &lazy) == &lazy, "%s: the least urgent goes, if it is new too",
          name);
    CHECK(put_one(&queue, &lanes[0], &third) == (is_oldest ? &first : &third),
          "%s: of equals, the %s goes", name, name);
    CHECK(put_one(&queue, &lanes[0], &urgent) == &second, "%s: an urgent one has its place", name);
    pool_queue_finish(&queue);
}

static void test_expiry(void)
{
    struct pool_entry a = entry_of(1, 300), b = entry_of(0, 200), c = entry_of(1, 100);
    struct pool_queue queue;

    make(&queue, 10, POOL_REFUSE);
    CHECK(pool_queue_due(&queue) == INT64_MAX, "an empty queue is never due");
    put_one(&queue, &lanes[0], &a);
    put_one(&queue, &lanes[1], &b);
    put_one(&queue, &lanes[2], &c);
    CHECK(pool_queue_due(&queue) == 100, "the first to expire is known");
    CHECK(pool_queue_expire(&queue, 99) == NULL, "not before its time");
    CHECK(pool_queue_expire(&queue, 200) == &c && pool_queue_expire(&queue, 200) == &b &&
              pool_queue_expire(&queue, 200) == NULL,
          "all whose time is up, the first in front");
    pool_queue_finish(&queue);
}

static struct pool_entry sized(unsigned priority, size_t bytes)
{
    return (struct pool_entry){.priority = priority, .due_us = INT64_MAX, .bytes = bytes};
}

static void test_bytes(void)
{
    struct pool_entry a = sized(2, 40), b = sized(2, 40), c = sized(1, 10), huge = sized(1, 101),
                      big = sized(2, 91), urgent = sized(0, 70), small = sized(3, 10);
    struct pool_queue queue;

    make(&queue, 10, POOL_OLDEST);
    queue.max_bytes = 100;
    put_one(&queue, &lanes[0], &a);
    put_one(&queue, &lanes[0], &b);
    put_one(&queue, &lanes[0], &c);
    CHECK(!pool_queue_make_way(&queue, &small) && queue.bytes == 90, "bytes: what fits may wait");
    CHECK(pool_queue_make_way(&queue, &huge) == &huge && queue.count == 3,
          "bytes: what never fits goes, and nothing before it");
    CHECK(pool_queue_make_way(&queue, &big) == &big && queue.count == 3,
          "bytes: nor does anything go when all that may go would not be enough");
    CHECK(pool_queue_make_way(&queue, &urgent) == &a &&
              pool_queue_make_way(&queue, &urgent) == &b && !pool_queue_make_way(&queue, &urgent),
          "bytes: as many go as have to");
    CHECK(put_one(&queue, &lanes[0], &urgent) == NULL && queue.bytes == 80, "then there is room");
    CHECK(pool_queue_any(&queue) && pool_queue_any(&queue) && queue.bytes == 0,
          "in the end no byte is left");
    pool_queue_finish(&queue);
}

/* ---- the model ----------------------------------------------------------------------------- */

struct job {
    struct pool_entry entry;
    bool waits;
    int lane;
};

struct world {
    struct pool_queue queue;
    struct job jobs[JOBS];
    int64_t now;
    int wrong;
};

static bool is_before(const struct job *a, const struct job *b)
{
    return a->entry.priority != b->entry.priority ? a->entry.priority < b->entry.priority
                                                  : a->entry.number < b->entry.number;
}

static size_t count_waiting(const struct world *world)
{
    size_t n = 0;

    for (int i = 0; i < JOBS; i++)
        n += world->jobs[i].waits;
    return n;
}

/* Of those that wait in one of these lanes, the one before all others. */
static struct job *model_next(struct world *world, int own, int common)
{
    struct job *best = NULL;

    for (int i = 0; i < JOBS; i++) {
        struct job *job = &world->jobs[i];

        if (job->waits && (job->lane == own || job->lane == common) &&
            (!best || is_before(job, best)))
            best = job;
    }
    return best;
}

static bool may_go(const struct world *world, const struct job *job, const struct job *comer)
{
    bool is_newest = world->queue.full == POOL_NEWEST;

    if (!job->waits || world->queue.full == POOL_REFUSE)
        return false;
    return job->entry.priority > comer->entry.priority ||
           (!is_newest && job->entry.priority == comer->entry.priority);
}

static size_t model_bytes(const struct world *world, const struct job *without_those_for)
{
    size_t bytes = 0;

    for (int i = 0; i < JOBS; i++)
        if (world->jobs[i].waits &&
            !(without_those_for && may_go(world, &world->jobs[i], without_those_for)))
            bytes += world->jobs[i].entry.bytes;
    return bytes;
}

/* Who has to go when this one comes: NULL is that one. */
static struct job *model_victim(struct world *world, const struct job *comer)
{
    struct job *victim = NULL;

    if (model_bytes(world, comer) + comer->entry.bytes > world->queue.max_bytes)
        return NULL;
    for (int i = 0; i < JOBS; i++) {
        struct job *job = &world->jobs[i];
        bool is_newest = world->queue.full == POOL_NEWEST;

        if (!may_go(world, job, comer))
            continue;
        if (!victim || job->entry.priority > victim->entry.priority ||
            (job->entry.priority == victim->entry.priority &&
             (job->entry.number > victim->entry.number) == is_newest))
            victim = job;
    }
    return victim;
}

static struct job *idle_job(struct world *world)
{
    for (int i = 0; i < JOBS; i++)
        if (!world->jobs[i].waits)
            return &world->jobs[i];
    return NULL;
}

static struct job *job_of(struct pool_entry *entry)
{
    return entry ? (struct job *)entry : NULL; /* its first member */
}

/* False: it is the one that has to go. */
static bool make_way(struct world *world, struct job *job)
{
    for (;;) {
        bool is_full = world->queue.count >= world->queue.max ||
                       model_bytes(world, NULL) + job->entry.bytes > world->queue.max_bytes;
        struct job *expected = is_full ? model_victim(world, job) : NULL;
        struct job *got = job_of(pool_queue_make_way(&world->queue, &job->entry));

        if (is_full && !expected)
            expected = job;
        world->wrong += got != expected;
        if (!got || got == job)
            return !got;
        got->waits = false;
    }
}

static void put(struct world *world)
{
    struct job *job = idle_job(world);

    if (!job)
        return;
    job->entry = entry_of((unsigned)random() % POOL_PRIORITIES,
                          random() % 4 ? world->now + random() % 500 : INT64_MAX);
    job->entry.bytes = (size_t)random() % 200;
    job->lane = (int)(random() % LANES);
    if (!make_way(world, job))
        return;
    world->wrong += pool_queue_put(&world->queue, &lanes[job->lane], &job->entry) < 0;
    job->waits = true;
}

static void take(struct world *world)
{
    int own = (int)(random() % LANES), common = (int)(random() % LANES);
    struct job *expected = model_next(world, own, common);
    struct job *got = job_of(pool_queue_take(&world->queue, &lanes[own], &lanes[common]));

    world->wrong += got != expected;
    if (!got)
        return;
    got->waits = false;
    if (random() % 4)
        return;
    world->wrong += pool_queue_return(&world->queue, &lanes[got->lane], &got->entry) < 0;
    got->waits = true;
}

static void expire(struct world *world)
{
    struct job *got;

    world->now += random() % 100;
    while ((got = job_of(pool_queue_expire(&world->queue, world->now)))) {
        world->wrong += !got->waits || got->entry.due_us > world->now;
        got->waits = false;
    }
    for (int i = 0; i < JOBS; i++)
        world->wrong += world->jobs[i].waits && world->jobs[i].entry.due_us <= world->now;
}

static struct pool_lane *any_lane(struct pool_entry *entry, void *data)
{
    struct job *job = job_of(entry);

    (void)data;
    if (random() % 2)
        job->lane = (int)(random() % LANES);
    return &lanes[job->lane];
}

static void test_life(enum pool_full full, size_t max, size_t max_bytes, const char *name)
{
    struct world world = {.now = 1000};

    make(&world.queue, max, full);
    world.queue.max_bytes = max_bytes;
    for (int i = 0; i < STEPS; i++) {
        long what = random() % 20;

        if (what < 11)
            put(&world);
        else if (what < 18)
            take(&world);
        else if (what < 19)
            expire(&world);
        else
            pool_queue_reroute(&world.queue, any_lane, NULL);
        world.wrong += world.queue.count != count_waiting(&world);
        world.wrong += world.queue.bytes != model_bytes(&world, NULL);
    }
    tap_is_int(world.wrong, 0, name);
    pool_queue_finish(&world.queue);
}

int main(void)
{
    srandom(3);
    test_order();
    test_refuse();
    test_make_room(POOL_OLDEST, "oldest");
    test_make_room(POOL_NEWEST, "newest");
    test_expiry();
    test_bytes();
    test_life(POOL_REFUSE, 30, 2500, "refuse: a long life is as the model says");
    test_life(POOL_NEWEST, 30, 2500, "newest: a long life is as the model says");
    test_life(POOL_OLDEST, 100, 9000, "oldest: a long life is as the model says");
    test_life(POOL_OLDEST, 30, SIZE_MAX, "oldest: nor do bytes matter where they have no bound");
    return tap_done();
}
