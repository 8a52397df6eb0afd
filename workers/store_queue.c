#include "store_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <uthash.h>

enum { TICK_MS = 20 };

/* A key that is with the store. */
struct busy {
    UT_hash_handle hh;
    char key[];
};

struct store {
    struct ev_loop *loop;
    const struct store_backend *backend;
    void *self;
    struct store_config config;
    struct store_jobs waiting, sent;
    size_t pending, bytes;
    struct busy *busy;
    ev_timer work, tick;
    uint64_t writer_prefix, writer_count;
    int64_t last_us;
    int64_t again_ms; /* 0: it answered last */
    char trouble[160];
};

static const struct store_backend *const backends[] = {&store_sqlite, &store_postgres, &store_redis};

/* ---- one job ------------------------------------------------------------------------------------
 */

bool store_op_is_read(enum store_op op)
{
    return op == STORE_STATE_GET || op == STORE_STATE_LIST || op == STORE_PLACE_READ ||
           op == STORE_NODE_LIST || op == STORE_PLACE_LIST || op == STORE_REMINDER_DUE;
}

/* The texts of a request, for copying. */
enum { TEXTS = 12 };

static void texts_of(struct store_request *request, const char **texts[TEXTS])
{
    const char **all[TEXTS] = {&request->service, &request->id,         &request->name,
                               &request->node,    &request->generation, &request->state,
                               &request->wanted,  &request->url,        &request->services,
                               &request->load,    &request->message,    &request->after};

    memcpy(texts, all, sizeof all);
}

static size_t key_size(const struct store_request *request)
{
    const char *service = request->service ? request->service : "";
    const char *id = request->id ? request->id : "";
    const char *node = request->node ? request->node : "";

    return strlen(service) + strlen(id) + strlen(node) + 3;
}

static void write_key(const struct store_request *request, char *key)
{
    if (request->op == STORE_STATE_LIST || request->op == STORE_NODE_LIST ||
        request->op == STORE_PLACE_LIST || request->op == STORE_REMINDER_DUE ||
        request->op == STORE_EPOCH)
        *key = '\0';
    else if (request->service)
        sprintf(key, "%s/%s", request->service, request->id);
    else
        sprintf(key, "@%s", request->node);
}

/* One allocation: the job, its value, its texts, its key. */
static struct store_job *job_create(const struct store_request *request)
{
    struct store_request copy = *request;
    const char **texts[TEXTS];
    size_t size = sizeof(struct store_job) + request->value_size + 1 + key_size(request);
    struct store_job *job;
    char *at;

    texts_of(&copy, texts);
    for (int i = 0; i < TEXTS; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 0;
    job = malloc(size);
    if (!job)
        return NULL;
    memset(job, 0, sizeof *job);
    job->bytes = size;
    job->request = copy;
    at = (char *)(job + 1);
    if (request->value_size > 0)
        memcpy(at, request->value, request->value_size);
    job->request.value = at;
    at += request->value_size + 1;
    texts_of(&job->request, texts);
    for (int i = 0; i < TEXTS; i++) {
        if (!*texts[i])
            continue;
        size_t length = strlen(*texts[i]) + 1;
        memcpy(at, *texts[i], length);
        *texts[i] = at;
        at += length;
    }
    job->key = at;
    write_key(&job->request, job->key);
    return job;
}

void store_answer_reset(struct store_answer *answer)
{
    free(answer->value);
    words_finish(&answer->rows);
    memset(answer, 0, sizeof *answer);
}

void store_answer_holder(struct store_answer *answer, const char *node, const char *generation)
{
    snprintf(answer->node, sizeof answer->node, "%s", node ? node : "");
    snprintf(answer->generation, sizeof answer->generation, "%s", generation ? generation : "");
}

void store_answer_set_state(struct store_answer *answer, const char *state)
{
    snprintf(answer->state, sizeof answer->state, "%s", state ? state : "");
}

int store_answer_value(struct store_answer *answer, const void *value, size_t size)
{
    char *copy = malloc(size + 1);

    if (!copy)
        return -1;
    if (size > 0)
        memcpy(copy, value, size);
    copy[size] = '\0';
    free(answer->value);
    answer->value = copy;
    answer->value_size = size;
    return 0;
}

/* ---- keys that are with the store ---------------------------------------------------------------
 */

static bool key_is_busy(const struct store *store, const char *key)
{
    struct busy *busy;

    if (!*key)
        return false;
    HASH_FIND_STR(store->busy, key, busy);
    return busy != NULL;
}

static int key_hold(struct store *store, const char *key)
{
    struct busy *busy;

    if (!*key)
        return 0;
    busy = malloc(sizeof *busy + strlen(key) + 1);
    if (!busy)
        return -1;
    strcpy(busy->key, key);
    HASH_ADD_STR(store->busy, key, busy);
    return 0;
}

static void key_release(struct store *store, const char *key)
{
    struct busy *busy = NULL;

    if (*key)
        HASH_FIND_STR(store->busy, key, busy);
    if (!busy)
        return;
    HASH_DEL(store->busy, busy);
    free(busy);
}

/* ---- the queue ----------------------------------------------------------------------------------
 */

struct ev_loop *store_loop(const struct store *store)
{
    return store->loop;
}

bool store_has_work(const struct store *store)
{
    return !TAILQ_EMPTY(&store->waiting);
}

size_t store_pending(const struct store *store)
{
    return store->pending;
}

/* A timer that is due, and comes after everything else of its turn: what is submitted in one turn
 * is one batch. */
void store_wake(struct store *store)
{
    if (ev_is_active(&store->work))
        return;
    ev_timer_set(&store->work, 0., 0.);
    ev_timer_start(store->loop, &store->work);
}

struct store_job *store_take(struct store *store)
{
    struct store_job *job;

    TAILQ_FOREACH(job, &store->waiting, entry)
    {
        if (!key_is_busy(store, job->key))
            break;
    }
    if (!job || key_hold(store, job->key) < 0)
        return NULL;
    TAILQ_REMOVE(&store->waiting, job, entry);
    TAILQ_INSERT_TAIL(&store->sent, job, entry);
    job->is_sent = true;
    job->step = 0;
    job->sent_at = mono_now();
    return job;
}

static void unlink_job(struct store *store, struct store_job *job)
{
    TAILQ_REMOVE(job->is_sent ? &store->sent : &store->waiting, job, entry);
    if (job->is_sent)
        key_release(store, job->key);
    job->is_sent = false;
}

static void free_job(struct store *store, struct store_job *job)
{
    store->pending--;
    store->bytes -= job->bytes;
    if (store->pending == 0)
        ev_timer_stop(store->loop, &store->tick);
    store_answer_reset(&job->answer);
    free(job);
}

static void tell(struct store_job *job)
{
    if (!job->is_abandoned && job->request.on_answer)
        job->request.on_answer(job->request.data, &job->answer);
    job->is_abandoned = true;
}

void store_finish(struct store *store, struct store_job *job)
{
    unlink_job(store, job);
    tell(job);
    free_job(store, job);
    if (store_has_work(store))
        store_wake(store);
}

void store_finish_as(struct store *store, struct store_job *job, enum store_status status,
                     const char *why)
{
    store_answer_reset(&job->answer);
    job->answer.status = status;
    job->answer.was_sent = job->is_sent || job->is_again;
    snprintf(job->answer.why, sizeof job->answer.why, "%s", why ? why : "");
    store_finish(store, job);
}

void store_put_back(struct store *store, struct store_job *job, bool may_have_arrived)
{
    unlink_job(store, job);
    store_answer_reset(&job->answer);
    job->is_again |= may_have_arrived;
    if (job->is_abandoned)
        free_job(store, job);
    else
        TAILQ_INSERT_HEAD(&store->waiting, job, entry);
}

void store_put_all_back(struct store *store)
{
    struct store_job *job;

    while ((job = TAILQ_LAST(&store->sent, store_jobs)))
        store_put_back(store, job, true);
}

int64_t store_again_ms(struct store *store)
{
    int64_t most = store->config.again_max_ms ? store->config.again_max_ms : STORE_AGAIN_MAX_MS;
    int64_t ms = store->again_ms ? store->again_ms : STORE_AGAIN_MS;

    store->again_ms = 2 * ms < most ? 2 * ms : most;
    return ms < most ? ms : most;
}

void store_set_trouble(struct store *store, const char *why)
{
    char text[sizeof store->trouble];

    if (!why)
        store->again_ms = 0;
    snprintf(text, sizeof text, "%s", why ? why : "");
    for (char *at = text; *at; at++) /* libpq's messages are of several lines */
        *at = *at == '\n' || *at == '\t' ? ' ' : *at;
    if (!strcmp(store->trouble, text))
        return;
    strcpy(store->trouble, text);
    if (store->config.on_trouble)
        store->config.on_trouble(store->config.data, *text ? text : NULL);
}

/* ---- deadlines ----------------------------------------------------------------------------------
 */

/* Answers at the deadline. One that is with the store stays there: its answer, or the end of its
 * connection, takes it away. */
static void expire(struct store *store, struct store_job *job)
{
    const char *why = *store->trouble ? store->trouble : "no answer in time";

    if (!job->is_sent) {
        store_finish_as(store, job, STORE_UNREACHABLE, why);
        return;
    }
    store_answer_reset(&job->answer);
    job->answer.status = STORE_UNREACHABLE;
    job->answer.was_sent = true;
    snprintf(job->answer.why, sizeof job->answer.why, "%s", why);
    tell(job);
}

static struct store_job *find_expired(const struct store_jobs *jobs, struct mono now)
{
    struct store_job *job;

    TAILQ_FOREACH(job, jobs, entry)
    {
        if (!job->is_abandoned && job->request.deadline.us <= now.us)
            return job;
    }
    return NULL;
}

static bool is_silent(const struct store *store, struct mono now)
{
    const struct store_job *oldest = TAILQ_FIRST(&store->sent);

    return oldest &&
           (oldest->is_abandoned || mono_diff_ms(now, oldest->sent_at) > STORE_PATIENCE_MS);
}

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct store *store = container_of(timer, struct store, tick);
    struct mono now = mono_now();
    struct store_job *job;

    (void)loop;
    (void)events;
    while ((job = find_expired(&store->sent, now)) || (job = find_expired(&store->waiting, now)))
        expire(store, job);
    if (is_silent(store, now) && store->backend->on_silence)
        store->backend->on_silence(store->self);
}

static void on_work(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct store *store = container_of(timer, struct store, work);

    (void)loop;
    (void)events;
    if (store_has_work(store))
        store->backend->on_work(store->self);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

/* A wall clock that never says the same twice. */
static int64_t fresh_us(struct store *store)
{
    int64_t now_us = wall_now_us();

    store->last_us = now_us > store->last_us ? now_us : store->last_us + 1;
    return store->last_us;
}

int store_submit(struct store *store, const struct store_request *request)
{
    struct store_job *job;

    if (request->value_size > STORE_VALUE_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    if (store->pending >= STORE_PENDING_MAX || store->bytes >= STORE_PENDING_BYTES) {
        errno = EAGAIN;
        return -1;
    }
    job = job_create(request);
    if (!job)
        return -1;
    if (!mono_is_set(job->request.deadline))
        job->request.deadline = mono_add_ms(mono_now(), STORE_DEADLINE_MS);
    if (job->request.limit == 0 || job->request.limit > STORE_LIST_MAX)
        job->request.limit = STORE_LIST_MAX;
    job->now_us = fresh_us(store);
    snprintf(job->writer, sizeof job->writer, "%016llx-%llx",
             (unsigned long long)store->writer_prefix, (unsigned long long)++store->writer_count);
    TAILQ_INSERT_TAIL(&store->waiting, job, entry);
    store->pending++;
    store->bytes += job->bytes;
    if (!ev_is_active(&store->tick))
        ev_timer_again(store->loop, &store->tick);
    store_wake(store);
    return 0;
}

static const struct store_backend *find_backend(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
        if (!strcmp(backends[i]->name, name))
            return backends[i];
    }
    return NULL;
}

struct store *store_open(struct ev_loop *loop, const struct store_config *config, struct error *err)
{
    const struct store_backend *backend = find_backend(config->backend);
    struct store *store;

    if (!backend) {
        error_set(err, EINVAL, "%s: expected sqlite, postgres or redis", config->backend);
        return NULL;
    }
    store = calloc(1, sizeof *store);
    if (!store || getrandom(&store->writer_prefix, sizeof store->writer_prefix, 0) < 0) {
        error_set_errno(err, errno, "store");
        free(store);
        return NULL;
    }
    store->loop = loop;
    store->backend = backend;
    store->config = *config;
    TAILQ_INIT(&store->waiting);
    TAILQ_INIT(&store->sent);
    ev_init(&store->work, on_work);
    ev_set_priority(&store->work, EV_MINPRI);
    ev_init(&store->tick, on_tick);
    store->tick.repeat = TICK_MS / 1000.;
    store->self = backend->create(store, config, err);
    if (store->self)
        return store;
    free(store);
    return NULL;
}

void store_close(struct store *store)
{
    struct store_job *job;

    if (!store)
        return;
    store->backend->destroy(store->self);
    store_put_all_back(store);
    while ((job = TAILQ_FIRST(&store->waiting))) {
        unlink_job(store, job);
        free_job(store, job);
    }
    ev_timer_stop(store->loop, &store->work);
    ev_timer_stop(store->loop, &store->tick);
    free(store);
}
