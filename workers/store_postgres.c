/*
 * PostgreSQL, asynchronously: one connection in pipeline mode. What was submitted in one turn of
 * the loop is one batch, and one transaction (everything before a Sync is), sorted so that two
 * nodes' batches take their locks in the same order. A batch is answered when its Sync is, which is
 * its COMMIT's answer.
 *
 *   APART ─→ RESOLVING ─→ CONNECTING ─→ SETTING UP ─→ READY ⇄ BUSY (a batch is under way)
 *     ↑          │             │             │          │
 *     └──────────┴─────────────┴─────────────┴──────────┘ any failure: what was sent goes again
 */
#include "store_postgres_schema.h"
#include "store_queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <postgresql/libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_MS = 5000, /* from the beginning to READY */
    RESOLVE_LOOK_MS = 20,
    PARAMETERS = 10,
};

enum phase { APART, RESOLVING, CONNECTING, SETTING_UP, READY, BUSY };

struct postgres {
    struct store *store;
    char *where, *host; /* host: a name to be resolved, or NULL */
    char *password;     /* or NULL */
    enum phase phase;
    PGconn *connection;
    ev_io reading, writing;
    ev_timer
        timer; /* APART: until the next try; before READY: the limit, and looks for the resolver */
    struct gaicb resolver;
    struct addrinfo hints;
    struct store_job *batch[STORE_BATCH_MAX];
    int batch_count, at; /* whose result comes next */
    int alone;           /* so many jobs go one by one, as their batch failed */
    bool has_failed;     /* the batch has: with this */
    char sqlstate[6], why[160];
};

static void connect_now(struct postgres *self);
static void take_batch(struct postgres *self);

/* ---- what is asked ------------------------------------------------------------------------------
 */

static const struct statement {
    const char *sql;
    const char *parameters; /* letters: see parameter_of() */
} statements[] = {
    [STORE_STATE_GET] = {"select 'ok' outcome, value, schema, version, epoch, saved_us from troupe.state"
                         " where service = $1 and id = $2 and name = $3",
                         "sin"},
    [STORE_STATE_PUT] =
        {"select * from troupe.state_put($1, $2, $3, $4::bigint, $5::bigint, $6::bytea, $7,"
         " $8::bigint, $9::bigint)",
         "sinevBwuc"},
    [STORE_STATE_REMOVE] =
        {"select * from troupe.state_remove($1, $2, $3, $4::bigint, $5::bigint, $6::boolean)",
         "sineva"},
    [STORE_STATE_LIST] =
        {"select id, name, version, length(value), saved_us from troupe.state where service = $1"
         " and (id, name) > ($2, $3) order by id, name limit $4::bigint",
         "sinm"},
    [STORE_EPOCH] = {"select 'ok' outcome, nextval('troupe.epoch') epoch", ""},
    [STORE_PLACE_CLAIM] = {"select * from troupe.place_claim($1, $2, $3, $4, $5::bigint, $6)",
                           "siNgew"},
    [STORE_PLACE_FREE] = {"select * from troupe.place_free($1, $2, $3::bigint)", "sie"},
    [STORE_PLACE_READ] = {"select 'ok' outcome, node, generation, epoch from troupe.place"
                          " where service = $1 and id = $2",
                          "si"},
    [STORE_PLACE_LIST] = {"select service, id, node, generation, epoch from troupe.place"
                          " where ($1 = '' or service = $1) and ($2 = '' or (node = $2 and generation = $3))"
                          " and (service, id) > ($4, $5) order by service, id limit $6::bigint",
                          "sNgfim"},
    [STORE_REMINDER_PUT] = {"select * from troupe.reminder_put($1, $2, $3, $4::bigint, $5::bigint,"
                            " $6::bigint, $7::bigint, $8, $9, $10::bigint)",
                            "sinevdpMwu"},
    [STORE_REMINDER_REMOVE] =
        {"select * from troupe.reminder_remove($1, $2, $3, $4::bigint, $5::bigint, $6::boolean)",
         "sineva"},
    [STORE_REMINDER_DUE] = {"select service, id, name, due, period, message, version"
                            " from troupe.reminder where due <= $1::bigint"
                            " order by due, service, id, name limit $2::bigint",
                            "dm"},
    [STORE_REMINDER_ADVANCE] = {"select * from troupe.reminder_advance($1, $2, $3, $4::bigint,"
                                " $5::bigint, $6, $7::boolean)",
                                "sinvdwa"},
    [STORE_NODE_INSERT] = {"select * from troupe.node_insert($1, $2, $3, $4, $5, $6, $7::boolean)",
                           "NgtUSla"},
    [STORE_NODE_BEAT] = {"select * from troupe.node_beat($1, $2, $3, $4)", "Ngtl"},
    [STORE_NODE_SET] = {"select * from troupe.node_set($1, $2, $3, $4::bigint, $5)", "NgtbW"},
    [STORE_NODE_REMOVE] = {"select * from troupe.node_remove($1, $2, $3::boolean)", "Nga"},
    [STORE_NODE_LIST] =
        {"select name, generation, state, beat, url, services, load from troupe.node"
         " order by name, generation",
         ""},
};

static const char *text_of(const struct store_job *job, char letter)
{
    const struct store_request *request = &job->request;

    switch (letter) {
    case 's':
        return request->service;
    case 'i':
        return request->id;
    case 'n':
        return request->name;
    case 'N':
        return request->node;
    case 'g':
        return request->generation;
    case 't':
        return request->state;
    case 'W':
        return request->wanted;
    case 'U':
        return request->url;
    case 'S':
        return request->services;
    case 'l':
        return request->load;
    case 'M':
        return request->message;
    case 'f':
        return request->after;
    case 'w':
        return job->writer;
    case 'a':
        return job->is_again ? "true" : "false";
    default:
        return NULL;
    }
}

static long long number_of(const struct store_job *job, char letter)
{
    const struct store_request *request = &job->request;

    switch (letter) {
    case 'e':
        return request->epoch;
    case 'v':
        return request->version;
    case 'b':
        return request->beat;
    case 'm':
        return request->limit;
    case 'c':
        return request->schema;
    case 'd':
        return request->due;
    case 'p':
        return request->period;
    default:
        return job->now_us;
    }
}

static bool is_text(char letter)
{
    return strchr("sinNgtWUSlMfwa", letter) != NULL;
}

static int send_job(struct postgres *self, const struct store_job *job)
{
    const struct statement *statement = &statements[job->request.op];
    const char *values[PARAMETERS];
    char numbers[PARAMETERS][24];
    int lengths[PARAMETERS] = {0}, formats[PARAMETERS] = {0}, n = 0;

    for (const char *letter = statement->parameters; *letter; letter++, n++) {
        if (*letter == 'B') {
            values[n] = job->request.value;
            lengths[n] = (int)job->request.value_size;
            formats[n] = 1;
        } else if (is_text(*letter)) {
            values[n] = text_of(job, *letter);
            values[n] = values[n] ? values[n] : "";
        } else {
            snprintf(numbers[n], sizeof numbers[n], "%lld", number_of(job, *letter));
            values[n] = numbers[n];
        }
    }
    return PQsendQueryParams(self->connection, statement->sql, n, NULL, values, lengths, formats, 0)
               ? 0
               : -1;
}

/* ---- what is answered ---------------------------------------------------------------------------
 */

static const char *column(const PGresult *result, const char *name)
{
    int number = PQfnumber(result, name);

    return number >= 0 ? PQgetvalue(result, 0, number) : "";
}

static enum store_status status_of(const char *outcome)
{
    if (!strcmp(outcome, "ok"))
        return STORE_OK;
    if (!strcmp(outcome, "not_found"))
        return STORE_NOT_FOUND;
    return !strcmp(outcome, "fenced") ? STORE_FENCED : STORE_CONFLICT;
}

static int take_value(struct store_answer *answer, const PGresult *result)
{
    size_t size;
    unsigned char *bytes;
    int taken;

    if (PQfnumber(result, "value") < 0)
        return 0;
    bytes = PQunescapeBytea((const unsigned char *)column(result, "value"), &size);
    taken = bytes ? store_answer_value(answer, bytes, size) : -1;
    PQfreemem(bytes);
    return taken;
}

static int take_rows(struct words *rows, const PGresult *result)
{
    for (int i = 0; i < PQntuples(result); i++) {
        for (int j = 0; j < PQnfields(result); j++) {
            if (words_append(rows, PQgetvalue(result, i, j)) < 0)
                return -1;
        }
    }
    return 0;
}

static int take_answer(struct store_job *job, const PGresult *result)
{
    struct store_answer *answer = &job->answer;

    store_answer_reset(answer);
    if (PQfnumber(result, "outcome") < 0)
        return take_rows(&answer->rows, result);
    if (PQntuples(result) == 0) {
        answer->status = STORE_NOT_FOUND;
        return 0;
    }
    answer->status = status_of(column(result, "outcome"));
    answer->version = atoll(column(result, "version"));
    answer->epoch = atoll(column(result, "epoch"));
    answer->beat = atoll(column(result, "beat"));
    answer->schema = atoll(column(result, "schema"));
    answer->saved_us = atoll(column(result, "saved_us"));
    store_answer_set_state(answer, column(result, "state"));
    store_answer_holder(answer, column(result, "node"), column(result, "generation"));
    return take_value(answer, result);
}

/* ---- the connection -----------------------------------------------------------------------------
 */

static void arm_timer(struct postgres *self, int64_t ms)
{
    struct ev_loop *loop = store_loop(self->store);

    ev_timer_stop(loop, &self->timer);
    ev_timer_set(&self->timer, (double)ms / 1000., 0.);
    ev_timer_start(loop, &self->timer);
}

/* libpq may have changed its socket: both are set anew each time. */
static void watch(struct postgres *self, bool reads, bool writes)
{
    struct ev_loop *loop = store_loop(self->store);
    int fd = PQsocket(self->connection);

    ev_io_stop(loop, &self->reading);
    ev_io_stop(loop, &self->writing);
    if (fd < 0)
        return;
    ev_io_set(&self->reading, fd, EV_READ);
    ev_io_set(&self->writing, fd, EV_WRITE);
    if (reads)
        ev_io_start(loop, &self->reading);
    if (writes)
        ev_io_start(loop, &self->writing);
}

static void disconnect(struct postgres *self)
{
    struct ev_loop *loop = store_loop(self->store);

    ev_io_stop(loop, &self->reading);
    ev_io_stop(loop, &self->writing);
    ev_timer_stop(loop, &self->timer);
    PQfinish(self->connection);
    self->connection = NULL;
    self->phase = APART;
    self->batch_count = self->at = 0;
    self->has_failed = false;
}

/* All that was sent goes again, on the next connection: what of it was carried out is recognised.
 */
static void fail(struct postgres *self, const char *why)
{
    char line[160];

    snprintf(line, sizeof line, "postgres: %.140s", why);
    store_set_trouble(self->store, line);
    disconnect(self);
    store_put_all_back(self->store);
    arm_timer(self, store_again_ms(self->store));
}

static void fail_by_libpq(struct postgres *self)
{
    fail(self, PQerrorMessage(self->connection));
}

static void on_silence(void *data)
{
    struct postgres *self = data;

    if (self->connection)
        fail(self, "no answer in time");
}

/* ---- batches ------------------------------------------------------------------------------------
 */

static int by_key(const void *a, const void *b)
{
    const struct store_job *one = *(struct store_job *const *)a,
                           *other = *(struct store_job *const *)b;

    return strcmp(one->key, other->key); /* of one key there is one in a batch */
}

static void flush(struct postgres *self)
{
    int left = PQflush(self->connection);

    if (left < 0)
        fail_by_libpq(self);
    else
        watch(self, true, left > 0);
}

static void take_batch(struct postgres *self)
{
    int most = self->alone > 0 ? 1 : STORE_BATCH_MAX, n = 0;

    while (n < most && (self->batch[n] = store_take(self->store)))
        n++;
    if (n == 0)
        return;
    self->alone -= self->alone > 0;
    qsort(self->batch, (size_t)n, sizeof *self->batch, by_key);
    self->phase = BUSY;
    self->batch_count = n;
    self->at = 0;
    self->has_failed = false;
    for (int i = 0; i < n; i++) {
        if (send_job(self, self->batch[i]) < 0) {
            fail_by_libpq(self);
            return;
        }
    }
    if (PQpipelineSync(self->connection))
        flush(self);
    else
        fail_by_libpq(self);
}

static bool sqlstate_is(const struct postgres *self, const char *class)
{
    return !strncmp(self->sqlstate, class, strlen(class));
}

/* The transaction was rolled back. Alone, a request answers for itself. */
static void settle_failure(struct postgres *self)
{
    int n = self->batch_count;
    bool again = sqlstate_is(self, "40") || n > 1; /* a deadlock, or some may do */

    self->phase = READY;
    self->batch_count = 0;
    if (sqlstate_is(self, "57") || sqlstate_is(self, "08")) { /* it is stopping, or was killed */
        fail(self, self->why);
        return;
    }
    if (again && n > 1)
        self->alone = n;
    for (int i = n; i-- > 0;) {
        if (again)
            store_put_back(self->store, self->batch[i], false);
        else
            store_finish_as(self->store, self->batch[i], STORE_FAILED, self->why);
    }
    store_wake(self->store);
}

static void settle_batch(struct postgres *self)
{
    struct store_job *done[STORE_BATCH_MAX];
    int n = self->batch_count;

    if (self->has_failed) {
        settle_failure(self);
        return;
    }
    self->phase = READY;
    self->batch_count = 0;
    memcpy(done, self->batch, (size_t)n * sizeof *done);
    for (int i = 0; i < n; i++)
        store_finish(self->store, done[i]);
}

static void note_failure(struct postgres *self, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    if (self->has_failed)
        return;
    self->has_failed = true;
    snprintf(self->sqlstate, sizeof self->sqlstate, "%s", state ? state : "");
    snprintf(self->why, sizeof self->why, "postgres: %.140s", text ? text : "no answer");
}

/* One result of the pipeline. */
static void take_result(struct postgres *self, const PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_PIPELINE_SYNC:
        settle_batch(self);
        break;
    case PGRES_TUPLES_OK:
        if (self->at < self->batch_count && take_answer(self->batch[self->at++], result) < 0)
            fail(self, "out of memory");
        break;
    case PGRES_PIPELINE_ABORTED:
        self->at++;
        break;
    default:
        note_failure(self, result);
        self->at++;
    }
}

static void take_results(struct postgres *self)
{
    bool was_null = false;

    while (self->phase == BUSY && !PQisBusy(self->connection)) {
        PGresult *result = PQgetResult(self->connection);

        if (!result && was_null)
            break;
        was_null = !result; /* each query's results end with one */
        if (result)
            take_result(self, result);
        PQclear(result);
    }
}

/* ---- connecting ---------------------------------------------------------------------------------
 */

static void become_ready(struct postgres *self)
{
    if (!PQenterPipelineMode(self->connection)) {
        fail_by_libpq(self);
        return;
    }
    self->phase = READY;
    ev_timer_stop(store_loop(self->store), &self->timer);
    watch(self, true, false);
    store_set_trouble(self->store, NULL);
    store_wake(self->store);
}

static void take_setup(struct postgres *self)
{
    while (!PQisBusy(self->connection)) {
        PGresult *result = PQgetResult(self->connection);
        bool is_bad = PQresultStatus(result) == PGRES_FATAL_ERROR;

        if (!result) {
            become_ready(self);
            return;
        }
        if (is_bad) {
            const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

            fail(self, text ? text : PQerrorMessage(self->connection));
        }
        PQclear(result);
        if (is_bad)
            return;
    }
}

static void set_up(struct postgres *self)
{
    self->phase = SETTING_UP;
    if (PQsetnonblocking(self->connection, 1) < 0 ||
        !PQsendQuery(self->connection, store_postgres_schema))
        fail_by_libpq(self);
    else
        flush(self);
}

static void go_on_connecting(struct postgres *self)
{
    switch (PQconnectPoll(self->connection)) {
    case PGRES_POLLING_OK:
        set_up(self);
        break;
    case PGRES_POLLING_READING:
        watch(self, true, false);
        break;
    case PGRES_POLLING_WRITING:
        watch(self, false, true);
        break;
    default:
        fail_by_libpq(self);
    }
}

/* address: of the host that `where` names, or NULL. */
static void begin_connecting(struct postgres *self, const char *address)
{
    const char *keywords[] = {"dbname", "hostaddr", "password", "application_name", NULL};
    const char *values[] = {self->where, address, self->password, "troupe", NULL};

    self->phase = CONNECTING;
    self->connection = PQconnectStartParams(keywords, values, 1);
    if (!self->connection)
        fail(self, "out of memory");
    else if (PQstatus(self->connection) == CONNECTION_BAD)
        fail_by_libpq(self);
    else
        watch(self, false, true);
}

/* A host's name is resolved aside: libpq would wait for it. */
static void begin_resolving(struct postgres *self)
{
    struct gaicb *list[] = {&self->resolver};

    self->hints = (struct addrinfo){.ai_socktype = SOCK_STREAM};
    self->resolver = (struct gaicb){.ar_name = self->host, .ar_request = &self->hints};
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) == 0) {
        self->phase = RESOLVING;
        arm_timer(self, RESOLVE_LOOK_MS);
    } else {
        fail(self, "the resolver does not start");
    }
}

static void look_for_address(struct postgres *self)
{
    int code = gai_error(&self->resolver);
    char address[64];

    if (code == EAI_INPROGRESS) { /* it has a limit of its own */
        arm_timer(self, RESOLVE_LOOK_MS);
        return;
    }
    if (code) {
        fail(self, gai_strerror(code));
        return;
    }
    code = getnameinfo(self->resolver.ar_result->ai_addr, self->resolver.ar_result->ai_addrlen,
                       address, sizeof address, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(self->resolver.ar_result);
    if (code) {
        fail(self, gai_strerror(code));
        return;
    }
    arm_timer(self, CONNECT_MS);
    begin_connecting(self, address);
}

static void connect_now(struct postgres *self)
{
    if (self->host) {
        begin_resolving(self);
        return;
    }
    arm_timer(self, CONNECT_MS);
    begin_connecting(self, NULL);
}

/* ---- events -------------------------------------------------------------------------------------
 */

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct postgres *self = container_of(timer, struct postgres, timer);

    (void)loop;
    (void)events;
    if (self->phase == APART)
        connect_now(self);
    else if (self->phase == RESOLVING)
        look_for_address(self);
    else if (self->phase < READY)
        fail(self, "no connection in time");
}

static void on_readable(struct postgres *self)
{
    if (!PQconsumeInput(self->connection)) {
        fail_by_libpq(self);
        return;
    }
    if (self->phase == SETTING_UP)
        take_setup(self);
    else if (self->phase == BUSY)
        take_results(self);
    if (self->phase >= SETTING_UP && PQstatus(self->connection) == CONNECTION_BAD)
        fail_by_libpq(self); /* libpq has closed its socket: it will not wake us again */
    else if (self->phase == READY && store_has_work(self->store))
        store_wake(self->store);
}

static void on_io(struct postgres *self, bool is_writable)
{
    if (self->phase == CONNECTING)
        go_on_connecting(self);
    else if (is_writable)
        flush(self);
    else
        on_readable(self);
}

static void on_reading(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    on_io(container_of(io, struct postgres, reading), false);
}

static void on_writing(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    (void)events;
    on_io(container_of(io, struct postgres, writing), true);
}

static void on_work(void *data)
{
    struct postgres *self = data;

    if (self->phase == READY)
        take_batch(self);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static bool is_numeric(const char *host)
{
    unsigned char address[16];

    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* The host that has to be resolved, if there is one. -1 with err. */
static int read_where(struct postgres *self, struct error *err)
{
    char *why = NULL;
    PQconninfoOption *options = PQconninfoParse(self->where, &why);
    const char *host = NULL, *address = NULL;

    if (!options) {
        error_set(err, EINVAL, "postgres: %s", why ? why : "out of memory");
        PQfreemem(why);
        return -1;
    }
    for (PQconninfoOption *option = options; option->keyword; option++) {
        if (!strcmp(option->keyword, "host"))
            host = option->val;
        else if (!strcmp(option->keyword, "hostaddr"))
            address = option->val;
    }
    if (host && *host && *host != '/' && *host != '@' && !address && !is_numeric(host))
        self->host = strdup(host);
    PQconninfoFree(options);
    return 0;
}

/* The resolver's thread writes into self. */
static void end_resolving(struct postgres *self)
{
    const struct gaicb *const list[] = {&self->resolver};

    if (gai_cancel(&self->resolver) == EAI_NOTCANCELED)
        gai_suspend(list, 1, NULL);
    if (gai_error(&self->resolver) == 0)
        freeaddrinfo(self->resolver.ar_result);
}

/* And itself. Takes NULL. */
static void free_texts(struct postgres *self)
{
    if (!self)
        return;
    free(self->host);
    free(self->where);
    free(self->password);
    free(self);
}

static void destroy(void *data)
{
    struct postgres *self = data;

    if (self->phase == RESOLVING)
        end_resolving(self);
    disconnect(self);
    free_texts(self);
}

static int copy_texts(struct postgres *self, const struct store_config *config)
{
    self->where = strdup(config->where ? config->where : "");
    self->password = config->password ? strdup(config->password) : NULL;
    return self->where && (self->password || !config->password) ? 0 : -1;
}

static void *create(struct store *store, const struct store_config *config, struct error *err)
{
    struct postgres *self = calloc(1, sizeof *self);

    if (!self || copy_texts(self, config) < 0) {
        error_set_errno(err, errno, "postgres");
        free_texts(self);
        return NULL;
    }
    self->store = store;
    ev_init(&self->reading, on_reading);
    ev_init(&self->writing, on_writing);
    ev_init(&self->timer, on_timer);
    if (read_where(self, err) < 0) {
        free_texts(self);
        return NULL;
    }
    arm_timer(self, 0);
    return self;
}

const struct store_backend store_postgres = {
    .name = "postgres",
    .create = create,
    .destroy = destroy,
    .on_work = on_work,
    .on_silence = on_silence,
};
