#include "saving.h"

#include "control.h"
#include "runtime.h"
#include "storecall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VALUE_MAX = 8 << 20 }; /* sys/store's bound */

struct saver {
    TAILQ_ENTRY(saver) link;
    saving_done *done;
    void *data;
};

/* ---- values ---------------------------------------------------------------------------------- */

static bool is_same(const struct buf *one, const struct buf *other)
{
    return buf_length(one) == buf_length(other) &&
           (buf_length(one) == 0 || memcmp(buf_front(one), buf_front(other), buf_length(one)) == 0);
}

static bool is_value(const struct buf *value, struct troupe_bytes bytes)
{
    return buf_length(value) == bytes.size &&
           (bytes.size == 0 || memcmp(buf_front(value), bytes.at, bytes.size) == 0);
}

static void replace(struct buf *to, struct buf *from)
{
    buf_finish(to);
    *to = *from;
    *from = (struct buf){0};
}

bool saving_differs(const struct saving *saving, const struct buf *value)
{
    return !is_same(&saving->kept, value);
}

void saving_set_kept(struct saving *saving, int64_t version, const void *bytes, size_t size)
{
    struct buf copy = {0};

    saving->version = version;
    buf_append(&copy, bytes, size); /* without memory for it, the same is saved once more */
    replace(&saving->kept, &copy);
}

/* ---- those who wait -------------------------------------------------------------------------- */

static void tell(struct saving *saving, struct savers *savers, const char *failure)
{
    struct saver *saver;

    while ((saver = TAILQ_FIRST(savers))) {
        TAILQ_REMOVE(savers, saver, link);
        if (saver->done)
            saver->done(saving->self, failure, saver->data);
        free(saver);
    }
}

static void drop(struct savers *savers)
{
    struct saver *saver;

    while ((saver = TAILQ_FIRST(savers))) {
        TAILQ_REMOVE(savers, saver, link);
        free(saver);
    }
}

static void forget(struct savers *savers, const void *data)
{
    struct saver *saver;

    TAILQ_FOREACH(saver, savers, link)
    if (saver->data == data)
        saver->done = NULL;
}

void saving_forget(struct saving *saving, const void *data)
{
    forget(&saving->now.savers, data);
    forget(&saving->next.savers, data);
}

/* ---- one save, step by step -------------------------------------------------------------------
 */

static void go(struct saving *saving);

static void begin_next(struct saving *saving)
{
    if (!saving->has_next)
        return;
    saving->has_next = false;
    replace(&saving->now.bytes, &saving->next.bytes);
    saving->now.deadline = saving->next.deadline;
    TAILQ_CONCAT(&saving->now.savers, &saving->next.savers, link);
    go(saving);
}

/* Another has the place: this actor is owner no more, and must not go on (CLUSTER 4, L5). */
static void end_fenced(const struct saving *saving)
{
    char reason[REASON_MAX];

    snprintf(reason, sizeof reason, "error state %.64s: fenced", saving->name);
    actor_end(saving->self, reason);
}

static void settle(struct saving *saving, const char *failure)
{
    struct savers savers = TAILQ_HEAD_INITIALIZER(savers);
    char text[REASON_MAX];

    TAILQ_CONCAT(&savers, &saving->now.savers, link);
    saving->is_busy = false;
    if (failure)
        storecall_explain(failure, text);
    if (failure && storecall_is(failure, CONTROL_E_FENCED))
        end_fenced(saving);
    begin_next(saving);
    tell(saving, &savers, failure ? text : NULL);
}

static void be_accepted(struct saving *saving, int64_t version)
{
    saving->version = version;
    saving->is_open = false;
    replace(&saving->kept, &saving->now.bytes);
    settle(saving, NULL);
}

static bool has_time(const struct saving *saving)
{
    return !saving->self->ending && mono_diff_ms(saving->now.deadline, mono_now()) > 0;
}

/* It may be there, or may yet come: what there is tells. */
static void leave_open(struct saving *saving, const char *failure)
{
    saving->is_open = true;
    replace(&saving->tried, &saving->now.bytes);
    if (!storecall_is(failure, "down") || !has_time(saving) ||
        buf_append(&saving->now.bytes, buf_front(&saving->tried), buf_length(&saving->tried)) < 0)
        settle(saving, failure);
    else
        go(saving);
}

static void on_put(struct troupe *self, const char *failure, const struct troupe_message *answer,
                   void *data)
{
    struct saving *saving = data;

    (void)self;
    if (!failure)
        be_accepted(saving, troupe_int(answer, 0));
    else if (storecall_is_open(failure))
        leave_open(saving, failure);
    else
        settle(saving, failure);
}

static int ask(struct saving *saving, const char *verb, const char *format,
               const union wire_value *values, bool is_read, storecall_done *done)
{
    const struct storecall call = {.verb = verb,
                                   .format = format,
                                   .values = values,
                                   .deadline = saving->now.deadline,
                                   .may_go_again = is_read,
                                   .done = done,
                                   .data = saving};

    return storecall_ask(saving->self, &call);
}

static union wire_value text_value(const char *text)
{
    return (union wire_value){.bytes = {(char *)text, strlen(text)}};
}

static void put(struct saving *saving)
{
    char service[ADDR_PATH_MAX + 1];
    const char *id;
    union wire_value values[7];

    saving_row(saving->self, service, &id);
    values[0] = text_value(service);
    values[1] = text_value(id);
    values[2] = text_value(saving->name);
    values[3].i = (int64_t)saving->epoch;
    values[4].i = saving->version;
    values[5].i = saving->schema;
    values[6].bytes.at =
        buf_length(&saving->now.bytes) ? (char *)buf_front(&saving->now.bytes) : "";
    values[6].bytes.size = buf_length(&saving->now.bytes);
    if (ask(saving, CONTROL_STATE_PUT, "sssIIIB", values, false, on_put) < 0)
        settle(saving, errno == EAGAIN ? "overloaded" : "failed out of memory");
}

/* Nothing of the open save is there: it is as if it had never been. */
static void go_over(struct saving *saving)
{
    saving->is_open = false;
    put(saving);
}

/* The open save was accepted; so what is to be saved now may be there already. */
static void go_after(struct saving *saving, int64_t version)
{
    saving->version = version;
    saving->is_open = false;
    replace(&saving->kept, &saving->tried);
    if (is_same(&saving->kept, &saving->now.bytes))
        settle(saving, NULL);
    else
        put(saving);
}

static void on_read(struct troupe *self, const char *failure, const struct troupe_message *answer,
                    void *data)
{
    struct saving *saving = data;
    int64_t version = failure ? 0 : troupe_int(answer, 0);

    (void)self;
    if (failure && !storecall_is(failure, CONTROL_E_NOT_FOUND))
        settle(saving, failure);
    else if (version == saving->version)
        go_over(saving);
    else if (version && is_value(&saving->tried, troupe_bytes(answer, 4)))
        go_after(saving, version);
    else
        settle(saving, CONTROL_E_CONFLICT);
}

static void read_back(struct saving *saving)
{
    char service[ADDR_PATH_MAX + 1];
    const char *id;

    saving_row(saving->self, service, &id);
    if (ask(saving, CONTROL_STATE_GET, "sss",
            (union wire_value[]){text_value(service), text_value(id), text_value(saving->name)},
            true, on_read) < 0)
        settle(saving, errno == EAGAIN ? "overloaded" : "failed out of memory");
}

static void go(struct saving *saving)
{
    saving->is_busy = true;
    if (saving->is_open)
        read_back(saving);
    else
        put(saving);
}

/* ---- the interface ----------------------------------------------------------------------------
 */

static struct saver *add_saver(struct saving_value *value, saving_done *done, void *data)
{
    struct saver *saver = calloc(1, sizeof *saver);

    if (!saver)
        return NULL;
    saver->done = done;
    saver->data = data;
    TAILQ_INSERT_TAIL(&value->savers, saver, link);
    return saver;
}

int saving_start(struct saving *saving, struct buf *bytes, struct mono deadline, saving_done *done,
                 void *data)
{
    struct saving_value *value = saving->is_busy ? &saving->next : &saving->now;

    if (buf_length(bytes) > VALUE_MAX || !add_saver(value, done, data)) {
        errno = buf_length(bytes) > VALUE_MAX ? EMSGSIZE : ENOMEM;
        buf_finish(bytes);
        return -1;
    }
    replace(&value->bytes, bytes);
    value->deadline = deadline;
    if (saving->is_busy)
        saving->has_next = true;
    else
        go(saving);
    return 0;
}

void saving_row(const struct troupe *self, char service[], const char **id)
{
    const char *path = self->boot->path, *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;

    memcpy(service, path, length);
    service[length] = '\0';
    *id = slash ? slash + 1 : path;
}

void saving_init(struct saving *saving, struct troupe *self, const char *name, uint32_t schema,
                 uint64_t epoch)
{
    *saving = (struct saving){.self = self, .name = name, .schema = schema, .epoch = epoch};
    TAILQ_INIT(&saving->now.savers);
    TAILQ_INIT(&saving->next.savers);
}

void saving_finish(struct saving *saving)
{
    drop(&saving->now.savers);
    drop(&saving->next.savers);
    buf_finish(&saving->now.bytes);
    buf_finish(&saving->next.bytes);
    buf_finish(&saving->kept);
    buf_finish(&saving->tried);
}
