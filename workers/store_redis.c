/*
 * Redis, asynchronously: everything that is submitted in one turn of the loop goes in one pipeline.
 * It keeps what it acknowledges only with appendonly and appendfsync always, which is checked on
 * each connect: without these nothing is sent, unless the config says `unsafe`.
 *
 * A claim is the one request of several steps: is the claimer alive; the claim; if another holds
 * the place, is that one dead; then the claim over its epoch. Death is for ever, so what was looked
 * at first cannot be wrong later.
 */
#include "store_queue.h"
#include "store_redis_scripts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/adapters/libev.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_MS = 5000, /* from the beginning to READY */
    SHA_SIZE = 41,
    KEY_SIZE = 700,
    ARGUMENTS = 16,
};

#define NODES     "troupe:{nodes}"
#define PLACES    "troupe:place:{"
#define REMINDERS "troupe:{reminders}"

struct redis {
    struct store *store;
    char *where, *password; /* NULL: none */
    bool is_unsafe, is_ready;
    redisAsyncContext *context; /* NULL: not connected, nor about to be */
    ev_timer timer;             /* without context: the next try; not ready: the limit */
    int setup_left;             /* answers until it is ready */
    char shas[REDIS_SCRIPTS][SHA_SIZE];
};

/* ---- the connection's end -----------------------------------------------------------------------
 */

static void arm_timer(struct redis *self, int64_t ms)
{
    struct ev_loop *loop = store_loop(self->store);

    ev_timer_stop(loop, &self->timer);
    ev_timer_set(&self->timer, (double)ms / 1000., 0.);
    ev_timer_start(loop, &self->timer);
}

/* hiredis frees the context, now or when its callback returns; what is still asked is answered by
 * NULL, which nobody looks at. */
static void disconnect(struct redis *self)
{
    redisAsyncContext *context = self->context;

    self->context = NULL;
    self->is_ready = false;
    ev_timer_stop(store_loop(self->store), &self->timer);
    if (!context)
        return;
    context->data = NULL;
    redisAsyncFree(context);
}

static void fall_back(struct redis *self, const char *why)
{
    char line[160];

    snprintf(line, sizeof line, "redis: %.150s", why);
    store_set_trouble(self->store, line);
    store_put_all_back(self->store);
    arm_timer(self, store_again_ms(self->store));
}

/* All that was sent goes again, on the next connection: what of it was carried out is recognised.
 */
static void fail(struct redis *self, const char *why)
{
    char text[160];

    snprintf(text, sizeof text, "%s", why); /* it may be the context's */
    disconnect(self);
    fall_back(self, text);
}

static void on_silence(void *data)
{
    struct redis *self = data;

    if (self->context)
        fail(self, "no answer in time");
}

/* ---- commands -----------------------------------------------------------------------------------
 */

/* A command under construction. Texts and numbers live as long as it. */
struct command {
    const char *at[ARGUMENTS];
    size_t sizes[ARGUMENTS];
    int count;
    char numbers[ARGUMENTS][24];
    char keys[3][KEY_SIZE];
};

static void add_bytes(struct command *command, const void *bytes, size_t size)
{
    command->at[command->count] = bytes;
    command->sizes[command->count++] = size;
}

static void add(struct command *command, const char *text)
{
    text = text ? text : "";
    add_bytes(command, text, strlen(text));
}

static void add_number(struct command *command, long long number)
{
    char *text = command->numbers[command->count];

    snprintf(text, sizeof command->numbers[0], "%lld", number);
    add(command, text);
}

static void add_place(struct command *command, const struct store_request *request)
{
    snprintf(command->keys[0], KEY_SIZE, PLACES "%s/%s}", request->service, request->id);
    add(command, command->keys[0]);
}

static void add_state(struct command *command, const struct store_request *request)
{
    snprintf(command->keys[1], KEY_SIZE, "troupe:state:{%s/%s}:%s", request->service, request->id,
             request->name);
    add(command, command->keys[1]);
}

static void add_node(struct command *command, const char *node, const char *generation)
{
    snprintf(command->keys[0], KEY_SIZE, NODES ":%s:%s", node, generation);
    add(command, command->keys[0]);
}

static void begin_script(struct redis *self, struct command *command, enum redis_script script,
                         const char *keys)
{
    add(command, "EVALSHA");
    add(command, self->shas[script]);
    add(command, keys);
}

static void on_reply(redisAsyncContext *context, void *data, void *privdata);

/* What cannot be sent comes back with the connection's end. */
static void send_command(struct redis *self, struct store_job *job, const struct command *command)
{
    if (self->context)
        redisAsyncCommandArgv(self->context, on_reply, job, command->count,
                              (const char **)command->at, command->sizes);
}

/* ---- what is asked ------------------------------------------------------------------------------
 */

/* A claim's steps. */
enum { CLAIMER, CLAIM, HOLDER, CLAIM_OVER };

static void build_claim(struct redis *self, const struct store_job *job, struct command *command)
{
    const struct store_request *request = &job->request;
    const struct store_answer *so_far = &job->answer; /* epoch, node: the holder's */

    switch (job->step) {
    case CLAIMER:
        add(command, "HGET");
        add_node(command, request->node, request->generation);
        add(command, "state");
        break;
    case HOLDER:
        add(command, "HGET");
        add_node(command, so_far->node, so_far->generation);
        add(command, "state");
        break;
    default:
        begin_script(self, command, SCRIPT_PLACE_CLAIM, "1");
        add_place(command, request);
        add(command, request->node);
        add(command, request->generation);
        add_number(command, request->epoch);
        add(command, job->writer);
        add_number(command, job->step == CLAIM_OVER ? so_far->epoch : STORE_ANY);
    }
}

static void build_state(struct redis *self, const struct store_job *job, struct command *command)
{
    const struct store_request *request = &job->request;

    begin_script(self, command,
                 request->op == STORE_STATE_PUT ? SCRIPT_STATE_PUT : SCRIPT_STATE_REMOVE, "2");
    add_place(command, request);
    add_state(command, request);
    add_number(command, request->epoch);
    add_number(command, request->version);
    if (request->op == STORE_STATE_REMOVE) {
        add(command, job->is_again ? "true" : "false");
        return;
    }
    add_bytes(command, request->value, request->value_size);
    add(command, job->writer);
    add_number(command, job->now_us);
    add_number(command, request->schema);
}

static void build_state_get(const struct store_request *request, struct command *command)
{
    add(command, "HMGET");
    add_state(command, request);
    add(command, "version");
    add(command, "epoch");
    add(command, "saved_us");
    add(command, "value");
    add(command, "schema");
}

/* job->answer.beat: the scan's cursor. */
static void build_page(struct redis *self, const struct store_job *job, struct command *command)
{
    bool is_state = job->request.op == STORE_STATE_LIST;
    const char *service = job->request.service;

    begin_script(self, command, is_state ? SCRIPT_STATE_PAGE : SCRIPT_PLACE_PAGE, "0");
    add_number(command, job->answer.beat);
    snprintf(command->keys[0], KEY_SIZE,
             is_state   ? "troupe:state:{%s/*}:*"
             : *service ? "troupe:place:{%s/*}"
                        : PLACES "%s*}",
             service);
    add(command, command->keys[0]);
}

static void add_reminder(struct command *command, const struct store_request *request)
{
    snprintf(command->keys[1], KEY_SIZE, REMINDERS ":%s/%s:%s", request->service, request->id,
             request->name);
    add(command, command->keys[1]);
    add(command, REMINDERS);
}

/* What the sorted set holds of it: the end of its key. */
static const char *member_of(const struct command *command)
{
    return command->keys[1] + strlen(REMINDERS ":");
}

static void build_reminder_put(struct redis *self, const struct store_job *job,
                               struct command *command)
{
    const struct store_request *request = &job->request;

    begin_script(self, command, SCRIPT_REMINDER_PUT, "2");
    add_reminder(command, request);
    add_number(command, request->epoch);
    add_number(command, request->version);
    add_number(command, request->due);
    add_number(command, request->period);
    add(command, request->message);
    add(command, job->writer);
    add_number(command, job->now_us);
    add(command, member_of(command));
    add_place(command, request);
}

static void build_reminder_advance(struct redis *self, const struct store_job *job,
                                   struct command *command)
{
    const struct store_request *request = &job->request;

    begin_script(self, command, SCRIPT_REMINDER_ADVANCE, "2");
    add_reminder(command, request);
    add_number(command, request->version);
    add_number(command, request->due);
    add(command, job->writer);
    add(command, member_of(command));
}

static void build_reminder_remove(struct redis *self, const struct store_job *job,
                                  struct command *command)
{
    const struct store_request *request = &job->request;

    begin_script(self, command, SCRIPT_REMINDER_REMOVE, "2");
    add_reminder(command, request);
    add_number(command, request->epoch);
    add_number(command, request->version);
    add(command, job->is_again ? "true" : "false");
    add(command, member_of(command));
    add_place(command, request);
}

static void build_reminder(struct redis *self, const struct store_job *job, struct command *command)
{
    const struct store_request *request = &job->request;

    if (request->op == STORE_REMINDER_PUT) {
        build_reminder_put(self, job, command);
    } else if (request->op == STORE_REMINDER_DUE) {
        begin_script(self, command, SCRIPT_REMINDER_DUE, "1");
        add(command, REMINDERS);
        add_number(command, request->due);
        add_number(command, request->limit);
    } else if (request->op == STORE_REMINDER_ADVANCE && request->due) {
        build_reminder_advance(self, job, command);
    } else {
        build_reminder_remove(self, job, command);
    }
}

static void build_place(struct redis *self, const struct store_request *request,
                        struct command *command)
{
    if (request->op == STORE_PLACE_FREE) {
        begin_script(self, command, SCRIPT_PLACE_FREE, "1");
        add_place(command, request);
        add_number(command, request->epoch);
        return;
    }
    add(command, "HMGET");
    add_place(command, request);
    add(command, "epoch");
    add(command, "node");
    add(command, "generation");
}

static void build_node(struct redis *self, const struct store_job *job, struct command *command)
{
    static const enum redis_script scripts[] = {
        [STORE_NODE_INSERT] = SCRIPT_NODE_INSERT, [STORE_NODE_BEAT] = SCRIPT_NODE_BEAT,
        [STORE_NODE_SET] = SCRIPT_NODE_SET,       [STORE_NODE_REMOVE] = SCRIPT_NODE_REMOVE,
        [STORE_NODE_LIST] = SCRIPT_NODE_LIST,
    };
    const struct store_request *request = &job->request;

    begin_script(self, command, scripts[request->op], "1");
    add(command, NODES);
    add(command, request->node);
    add(command, request->generation);
    if (request->op != STORE_NODE_REMOVE)
        add(command, request->state);
    if (request->op == STORE_NODE_INSERT) {
        add(command, request->url);
        add(command, request->services);
    }
    if (request->op == STORE_NODE_INSERT || request->op == STORE_NODE_BEAT)
        add(command, request->load);
    if (request->op == STORE_NODE_SET) {
        add_number(command, request->beat);
        add(command, request->wanted);
    }
    add(command, job->is_again ? "true" : "false");
}

static void send_job(struct redis *self, struct store_job *job)
{
    struct command command = {.count = 0};

    switch (job->request.op) {
    case STORE_STATE_GET:
        build_state_get(&job->request, &command);
        break;
    case STORE_STATE_PUT:
    case STORE_STATE_REMOVE:
        build_state(self, job, &command);
        break;
    case STORE_STATE_LIST:
    case STORE_PLACE_LIST:
        build_page(self, job, &command);
        break;
    case STORE_REMINDER_PUT:
    case STORE_REMINDER_REMOVE:
    case STORE_REMINDER_DUE:
    case STORE_REMINDER_ADVANCE:
        build_reminder(self, job, &command);
        break;
    case STORE_EPOCH:
        add(&command, "INCR");
        add(&command, "troupe:epoch");
        break;
    case STORE_PLACE_CLAIM:
        build_claim(self, job, &command);
        break;
    case STORE_PLACE_FREE:
    case STORE_PLACE_READ:
        build_place(self, &job->request, &command);
        break;
    default:
        build_node(self, job, &command);
    }
    send_command(self, job, &command);
}

/* ---- what is answered ---------------------------------------------------------------------------
 */

/* Element i of an array as text; "" when it is none. */
static const char *text_at(const redisReply *reply, size_t i)
{
    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements || !reply->element[i]->str)
        return "";
    return reply->element[i]->str;
}

static int64_t number_at(const redisReply *reply, size_t i)
{
    return atoll(text_at(reply, i));
}

static enum store_status status_of(const char *outcome)
{
    if (!strcmp(outcome, "ok"))
        return STORE_OK;
    if (!strcmp(outcome, "not_found"))
        return STORE_NOT_FOUND;
    return !strcmp(outcome, "fenced") ? STORE_FENCED : STORE_CONFLICT;
}

static void take_state(struct store_job *job, const redisReply *reply)
{
    struct store_answer *answer = &job->answer;

    answer->version = number_at(reply, 0);
    answer->status = answer->version ? STORE_OK : STORE_NOT_FOUND;
    if (!answer->version)
        return;
    answer->epoch = number_at(reply, 1);
    answer->saved_us = number_at(reply, 2);
    answer->schema = number_at(reply, 4);
    if (store_answer_value(answer, text_at(reply, 3),
                           reply->elements > 3 ? reply->element[3]->len : 0) < 0) {
        answer->status = STORE_UNREACHABLE;
        snprintf(answer->why, sizeof answer->why, "out of memory");
    }
}

static void take_place(struct store_answer *answer, const redisReply *reply)
{
    answer->epoch = number_at(reply, 0);
    answer->status = answer->epoch ? STORE_OK : STORE_NOT_FOUND;
    store_answer_holder(answer, text_at(reply, 1), text_at(reply, 2));
}

static void take_node(struct store_job *job, const redisReply *reply)
{
    struct store_answer *answer = &job->answer;

    answer->status = status_of(text_at(reply, 0));
    if (job->request.op == STORE_NODE_INSERT) {
        store_answer_holder(answer, job->request.node, text_at(reply, 1));
        store_answer_set_state(answer, text_at(reply, 2));
        return;
    }
    store_answer_set_state(answer, text_at(reply, 1));
    answer->beat = number_at(reply, 2);
}

static int take_all(struct words *rows, const redisReply *reply, size_t from)
{
    for (size_t i = from; i < reply->elements; i++) {
        if (words_append(rows, text_at(reply, i)) < 0)
            return -1;
    }
    return 0;
}

/* ---- lists: pages of KEY and three columns, in no order, some twice
 * ------------------------------
 */

enum { PAGE_COLUMNS = 4 };

/* A row of the pages: what it is ordered by, and the columns behind its key. State: ID NAME; place:
 * SERVICE ID. */
struct listed {
    const char *first, *second;
    char *const *columns;
};

/* `…{SERVICE/ID}…`, in place. False: it is no such key. */
static bool cut_key(char *tagged, char **service, char **id, char **rest)
{
    char *end = strchr(tagged, '}'), *slash;

    if (!end)
        return false;
    *end = '\0';
    slash = strrchr(tagged, '/');
    if (!slash)
        return false;
    *slash = '\0';
    *service = tagged;
    *id = slash + 1;
    *rest = end + 1;
    return true;
}

/* Not of a service below the one that is meant. */
static bool read_state(const struct store_request *request, char *key, struct listed *listed)
{
    char *service, *id, *rest;

    if (!cut_key(key + strlen("troupe:state:{"), &service, &id, &rest) ||
        strcmp(service, request->service) != 0 || *rest != ':')
        return false;
    listed->first = id;
    listed->second = rest + 1;
    return true;
}

static bool read_place(const struct store_request *request, char *key, struct listed *listed)
{
    char *service, *id, *rest;

    if (!cut_key(key + strlen(PLACES), &service, &id, &rest) ||
        (*request->service && strcmp(service, request->service) != 0) ||
        (*request->node && (strcmp(listed->columns[1], request->node) != 0 ||
                            strcmp(listed->columns[2], request->generation) != 0)))
        return false;
    listed->first = service;
    listed->second = id;
    return true;
}

static bool is_after(const struct listed *listed, const char *first, const char *second)
{
    int order = strcmp(listed->first, first);

    return order > 0 || (order == 0 && strcmp(listed->second, second) > 0);
}

static bool is_wanted(const struct store_request *request, char *key, struct listed *listed)
{
    if (request->op == STORE_STATE_LIST)
        return read_state(request, key, listed) && is_after(listed, request->id, request->name);
    return read_place(request, key, listed) && is_after(listed, request->after, request->id);
}

static int append_row(struct words *rows, const struct listed *listed)
{
    int failed = words_append(rows, listed->first);

    failed |= words_append(rows, listed->second);
    for (int i = 1; i < PAGE_COLUMNS; i++)
        failed |= words_append(rows, listed->columns[i]);
    return failed;
}

static int in_order(const void *a, const void *b)
{
    const struct listed *one = a, *other = b;
    int order = strcmp(one->first, other->first);

    return order ? order : strcmp(one->second, other->second);
}

static size_t collect(const struct store_job *job, struct listed *listed)
{
    const struct words *pages = &job->answer.rows;
    size_t n = 0;

    for (size_t i = 0; i + PAGE_COLUMNS <= pages->count; i += PAGE_COLUMNS) {
        listed[n].columns = &pages->at[i];
        n += is_wanted(&job->request, pages->at[i], &listed[n]);
    }
    qsort(listed, n, sizeof *listed, in_order);
    return n;
}

/* Makes rows of the pages. 0, or -1. */
static int finish_list(struct store_job *job)
{
    struct words *pages = &job->answer.rows, rows = {0};
    struct listed *listed = malloc((pages->count / PAGE_COLUMNS + 1) * sizeof *listed);
    size_t n = listed ? collect(job, listed) : 0;
    int result = listed ? 0 : -1;
    uint32_t taken = 0;

    for (size_t i = 0; i < n && taken < job->request.limit && result == 0; i++) {
        if (i > 0 && in_order(&listed[i - 1], &listed[i]) == 0)
            continue;
        result = append_row(&rows, &listed[i]);
        taken++;
    }
    free(listed);
    words_finish(pages);
    *pages = rows;
    return result;
}

static void take_page(struct redis *self, struct store_job *job, const redisReply *reply)
{
    int result = take_all(&job->answer.rows, reply, 1);

    job->answer.beat = number_at(reply, 0);
    if (result == 0 && job->answer.beat != 0) {
        send_job(self, job);
        return;
    }
    job->answer.beat = 0;
    if (result < 0 || finish_list(job) < 0)
        store_finish_as(self->store, job, STORE_FAILED, "out of memory");
    else
        store_finish(self->store, job);
}

/* ---- a claim, step by step ----------------------------------------------------------------------
 */

static bool says_dead(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_NIL || (reply->str && !strcmp(reply->str, "dead"));
}

/* After a claim: the step to go on with, or -1: it is answered. */
static int after_claim(struct store_job *job, const redisReply *reply)
{
    struct store_answer *answer = &job->answer;
    const char *outcome = text_at(reply, 0);

    answer->epoch = number_at(reply, 1);
    store_answer_holder(answer, text_at(reply, 2), text_at(reply, 3));
    if (!strcmp(outcome, "held") && job->step == CLAIM)
        return HOLDER;
    answer->status = status_of(outcome);
    return -1;
}

static int after_step(struct store_job *job, const redisReply *reply)
{
    switch (job->step) {
    case CLAIMER:
        job->answer.status = STORE_FENCED;
        return says_dead(reply) ? -1 : CLAIM;
    case HOLDER:
        job->answer.status = STORE_CONFLICT;
        return says_dead(reply) ? CLAIM_OVER : -1;
    default:
        return after_claim(job, reply);
    }
}

static void take_claim(struct redis *self, struct store_job *job, const redisReply *reply)
{
    int next = after_step(job, reply);

    if (next >= 0) {
        job->step = next;
        send_job(self, job);
        return;
    }
    store_finish(self->store, job);
}

/* ---- replies ------------------------------------------------------------------------------------
 */

static void take_reply(struct redis *self, struct store_job *job, const redisReply *reply)
{
    switch (job->request.op) {
    case STORE_STATE_LIST:
    case STORE_PLACE_LIST:
        take_page(self, job, reply);
        return;
    case STORE_PLACE_CLAIM:
        take_claim(self, job, reply);
        return;
    case STORE_STATE_GET:
        take_state(job, reply);
        break;
    case STORE_STATE_PUT:
    case STORE_STATE_REMOVE:
    case STORE_REMINDER_PUT:
    case STORE_REMINDER_REMOVE:
    case STORE_REMINDER_ADVANCE:
        job->answer.status = status_of(text_at(reply, 0));
        job->answer.version = number_at(reply, 1);
        break;
    case STORE_EPOCH:
        job->answer.epoch = reply->integer;
        break;
    case STORE_PLACE_READ:
        take_place(&job->answer, reply);
        break;
    case STORE_PLACE_FREE:
        job->answer.status = status_of(text_at(reply, 0));
        job->answer.epoch = number_at(reply, 1);
        break;
    case STORE_NODE_LIST:
    case STORE_REMINDER_DUE:
        take_all(&job->answer.rows, reply, 0);
        break;
    default:
        take_node(job, reply);
    }
    store_finish(self->store, job);
}

static bool begins_with_one_of(const char *error, const char *const *heads)
{
    for (; *heads; heads++)
        if (!strncmp(error, *heads, strlen(*heads)))
            return true;
    return false;
}

/* Not all keys are this server's. */
static bool is_of_cluster(const char *error)
{
    static const char *const heads[] = {"MOVED",     "ASK",         "TRYAGAIN",
                                        "CROSSSLOT", "CLUSTERDOWN", NULL};

    return begins_with_one_of(error, heads) || strstr(error, "non local key");
}

/* Errors that are not the request's own: it goes again when they have passed. */
static bool passes(const char *error)
{
    static const char *const heads[] = {"NOSCRIPT", "LOADING", "READONLY",   "MASTERDOWN", "BUSY",
                                        "MISCONF",  "NOAUTH",  "NOREPLICAS", NULL};

    return begins_with_one_of(error, heads) || is_of_cluster(error);
}

static void fail_of_cluster(struct redis *self, const char *said)
{
    char why[160];

    snprintf(why, sizeof why,
             "of a cluster, not all keys are its own: expected one server that has all (%.60s)",
             said);
    fail(self, why);
}

/* As fail(), by what the server has said. */
static void fail_by_reply(struct redis *self, const char *error)
{
    if (is_of_cluster(error))
        fail_of_cluster(self, error);
    else
        fail(self, error);
}

static void on_reply(redisAsyncContext *context, void *data, void *privdata)
{
    struct redis *self = context->data;
    const redisReply *reply = data;
    char why[160];

    if (!reply || !self)
        return;
    if (reply->type != REDIS_REPLY_ERROR) {
        take_reply(self, privdata, reply);
    } else if (passes(reply->str)) {
        fail_by_reply(self, reply->str);
    } else {
        snprintf(why, sizeof why, "redis: %.150s", reply->str);
        store_finish_as(self->store, privdata, STORE_FAILED, why);
    }
}

/* ---- setting up ---------------------------------------------------------------------------------
 */

static void count_setup(struct redis *self)
{
    if (--self->setup_left > 0)
        return;
    self->is_ready = true;
    ev_timer_stop(store_loop(self->store), &self->timer);
    store_set_trouble(self->store, NULL);
    store_wake(self->store);
}

/* An error ends the connection. */
static bool is_good(struct redis *self, const redisReply *reply)
{
    if (!reply || !self)
        return false;
    if (reply->type == REDIS_REPLY_ERROR)
        fail_by_reply(self, reply->str);
    return reply->type != REDIS_REPLY_ERROR;
}

static void on_done(redisAsyncContext *context, void *data, void *privdata)
{
    struct redis *self = context->data;

    (void)privdata;
    if (is_good(self, data))
        count_setup(self);
}

/* CONFIG GET's answer: name and value. privdata: the value that it must have. */
static void on_config(redisAsyncContext *context, void *data, void *privdata)
{
    struct redis *self = context->data;
    const redisReply *reply = data;
    const char *wanted = privdata;
    char why[160];

    if (!self || !reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR && !self->is_unsafe) {
        fail(self, reply->str);
        return;
    }
    if (self->is_unsafe || !strcmp(text_at(data, 1), wanted)) {
        count_setup(self);
        return;
    }
    snprintf(why, sizeof why, "it does not keep what it acknowledges: %s is \"%s\", not \"%s\"",
             strcmp(wanted, "yes") ? "appendfsync" : "appendonly", text_at(data, 1), wanted);
    fail(self, why);
}

/* CLUSTER INFO's answer. How many serve keys, if it is of a cluster; the keys of a few would get
 * there, and those of other actors not. */
static void on_cluster(redisAsyncContext *context, void *data, void *privdata)
{
    struct redis *self = context->data;
    const redisReply *reply = data;
    const char *size;
    char said[40];
    int count;

    (void)privdata;
    if (!self || !reply)
        return;
    size = reply->type == REDIS_REPLY_ERROR ? NULL : strstr(reply->str, "cluster_size:");
    count = size ? atoi(size + strlen("cluster_size:")) : 0;
    if (count <= 1) { /* or it knows no clusters */
        count_setup(self);
        return;
    }
    snprintf(said, sizeof said, "%d share them", count);
    fail_of_cluster(self, said);
}

static void on_loaded(redisAsyncContext *context, void *data, void *privdata)
{
    struct redis *self = context->data;
    const redisReply *reply = data;

    if (!is_good(self, reply))
        return;
    snprintf(privdata, SHA_SIZE, "%s", reply->str ? reply->str : "");
    count_setup(self);
}

static void set_up(struct redis *self)
{
    redisAsyncContext *context = self->context;

    self->setup_left = 4 + REDIS_SCRIPTS + (self->password != NULL);
    if (self->password)
        redisAsyncCommand(context, on_done, NULL, "AUTH %s", self->password);
    redisAsyncCommand(context, on_cluster, NULL, "CLUSTER INFO");
    redisAsyncCommand(context, on_config, "yes", "CONFIG GET appendonly");
    redisAsyncCommand(context, on_config, "always", "CONFIG GET appendfsync");
    redisAsyncCommand(context, on_done, NULL, "EVAL %s 1 troupe:schema",
                      redis_scripts[SCRIPT_SCHEMA]);
    for (int i = 0; i < REDIS_SCRIPTS; i++)
        redisAsyncCommand(context, on_loaded, self->shas[i], "SCRIPT LOAD %s", redis_scripts[i]);
}

/* ---- connecting ---------------------------------------------------------------------------------
 */

/* hiredis frees a context that did not connect. */
static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis *self = context->data;

    if (!self)
        return;
    if (status == REDIS_OK) {
        set_up(self);
        return;
    }
    self->context = NULL;
    fall_back(self, context->errstr);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct redis *self = context->data;

    if (!self)
        return;
    self->context = NULL;
    self->is_ready = false;
    fall_back(self, status == REDIS_OK ? "the connection has ended" : context->errstr);
}

/* ADDRESS:PORT or [ADDRESS]:PORT, as numbers. */
static bool split_address(const char *where, char address[64], int *port)
{
    const char *colon = strrchr(where, ':');
    bool is_bracketed = *where == '[';
    unsigned char binary[16];
    int length = colon ? (int)(colon - where) - 2 * is_bracketed : 0;

    if (!colon || length <= 0 || length >= 64)
        return false;
    snprintf(address, 64, "%.*s", length, where + is_bracketed);
    *port = atoi(colon + 1);
    return *port > 0 && *port < 65536 &&
           (inet_pton(AF_INET, address, binary) == 1 || inet_pton(AF_INET6, address, binary) == 1);
}

static void connect_now(struct redis *self)
{
    redisAsyncContext *context;
    char address[64], why[160];
    int port;

    context = split_address(self->where, address, &port) ? redisAsyncConnect(address, port)
                                                         : redisAsyncConnectUnix(self->where);
    if (!context || context->err) {
        snprintf(why, sizeof why, "%s", context ? context->errstr : "out of memory");
        if (context)
            redisAsyncFree(context);
        fall_back(self, why);
        return;
    }
    self->context = context;
    context->data = self;
    arm_timer(self, CONNECT_MS);
    redisLibevAttach(store_loop(self->store), context);
    redisAsyncSetConnectCallback(context, on_connect);
    redisAsyncSetDisconnectCallback(context, on_disconnect);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct redis *self = container_of(timer, struct redis, timer);

    (void)loop;
    (void)events;
    if (!self->context)
        connect_now(self);
    else if (!self->is_ready)
        fail(self, "no connection in time");
}

static void on_work(void *data)
{
    struct redis *self = data;
    struct store_job *job = NULL;

    for (int n = 0; self->is_ready && n < STORE_BATCH_MAX && (job = store_take(self->store)); n++)
        send_job(self, job);
    if (self->is_ready && job && store_has_work(self->store))
        store_wake(self->store);
}

/* ---- life ---------------------------------------------------------------------------------------
 */

static void destroy(void *data)
{
    struct redis *self = data;

    disconnect(self);
    free(self->where);
    free(self->password);
    free(self);
}

static void *create(struct store *store, const struct store_config *config, struct error *err)
{
    const char *where = config->where ? config->where : "";
    struct redis *self;
    char address[64];
    int port;

    if (*where != '/' && !split_address(where, address, &port)) {
        error_set(err, EINVAL, "redis: \"%s\": expected /SOCKET or ADDRESS:PORT, in numbers",
                  where);
        return NULL;
    }
    self = calloc(1, sizeof *self);
    if (self) {
        self->store = store;
        self->where = strdup(where);
        self->password = config->password ? strdup(config->password) : NULL;
    }
    if (!self || !self->where || (config->password && !self->password)) {
        error_set_errno(err, ENOMEM, "redis");
        if (self)
            free(self->where);
        free(self);
        return NULL;
    }
    self->is_unsafe = config->is_unsafe;
    ev_init(&self->timer, on_timer);
    arm_timer(self, 0);
    return self;
}

const struct store_backend store_redis = {
    .name = "redis",
    .create = create,
    .destroy = destroy,
    .on_work = on_work,
    .on_silence = on_silence,
};
