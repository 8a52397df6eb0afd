#include "state.h"

#include "control.h"
#include "runtime.h"
#include "saving.h"
#include "storecall.h"
#include "text.h"
#include "verdict.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOAD_MS = 5000,
    LOAD_ABSENT_MS = 2000, /* so long a sys/store that is not there may be about to come */
    LOAD_AGAIN_MS = 50,
    SAVE_MS = 5000,
    SAVE_BY_ITSELF_MS = 2000, /* no message is handled meanwhile */
    OUTCOME_MS = 50,          /* after its time: for the word why it has failed */
};

struct troupe_image {
    struct buf bytes;
    bool has_failed;
};

/* One row. */
struct kept {
    const struct troupe_stored *what;
    struct saving saving;
    bool is_asked;
    char failure[REASON_MAX]; /* of its load; "": there is none */
};

struct state {
    bool is_automatic; /* some of it is saved without being told to */
    unsigned pending;  /* such saves under way */
    char failure[REASON_MAX];
    unsigned loading;
    bool is_loaded;
    bool is_releasing; /* what was withheld goes out */
    struct withheld_list withheld;
    size_t count;
    struct kept rows[];
};

/* ---- values ---------------------------------------------------------------------------------- */

int troupe_put(struct troupe_image *image, const void *bytes, size_t size)
{
    if (buf_append(&image->bytes, bytes, size) == 0)
        return 0;
    image->has_failed = true;
    return -1;
}

static void *memory_of(struct troupe *self, const struct troupe_stored *what)
{
    return (char *)self->state + what->offset;
}

/* Its value as of now. 0, or -1 (ENOMEM). */
static int pack(struct troupe *self, const struct troupe_stored *what, struct buf *value)
{
    struct troupe_image image = {0};

    if (what->save)
        what->save(self, &image);
    else
        troupe_put(&image, memory_of(self, what), what->size);
    *value = image.bytes;
    if (!image.has_failed)
        return 0;
    buf_finish(value);
    errno = ENOMEM;
    return -1;
}

static int fail(struct kept *kept, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct kept *kept, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(kept->failure, sizeof kept->failure, format, args);
    va_end(args);
    return -1;
}

/* Puts a value of the present schema into the actor's memory. */
static int unpack(struct troupe *self, struct kept *kept, struct troupe_bytes value)
{
    const struct troupe_stored *what = kept->what;

    if (what->load)
        return what->load(self, value) == 0 ? 0
                                            : fail(kept, "cannot read its %zu bytes", value.size);
    if (value.size != what->size)
        return fail(kept, "%zu bytes, expected %zu", value.size, what->size);
    memcpy(memory_of(self, what), value.at, value.size);
    return 0;
}

/* One schema further. */
static int migrate_once(struct troupe *self, struct kept *kept, uint32_t from, struct buf *value)
{
    struct troupe_image image = {0};
    struct troupe_bytes bytes = {buf_front(value), buf_length(value)};

    if (!kept->what->migrate)
        return fail(kept, "saved by schema %u, and there is no way to %u", from,
                    kept->what->schema);
    if (kept->what->migrate(self, from, bytes, &image) < 0 || image.has_failed) {
        buf_finish(&image.bytes);
        return fail(kept, "cannot migrate from schema %u", from);
    }
    buf_finish(value);
    *value = image.bytes;
    return 0;
}

static int take_in(struct troupe *self, struct kept *kept, int64_t schema,
                   struct troupe_bytes value)
{
    const struct troupe_stored *what = kept->what;
    struct buf now = {0};
    int result = 0;

    /* Schema 0: put by hand, which is by the present one. */
    if (schema > what->schema)
        return fail(kept, "saved by schema %lld, this module knows %u", (long long)schema,
                    what->schema);
    if (buf_append(&now, value.at, value.size) < 0)
        return fail(kept, "out of memory");
    for (int64_t from = schema; from && from < what->schema && result == 0; from++)
        result = migrate_once(self, kept, (uint32_t)from, &now);
    if (result == 0)
        result = unpack(self, kept, (struct troupe_bytes){buf_front(&now), buf_length(&now)});
    buf_finish(&now);
    return result;
}

/* ---- loading --------------------------------------------------------------------------------- */

static struct kept *find(const struct troupe *self, const char *name)
{
    struct state *state = self->keeping;

    for (size_t i = 0; state && i < state->count; i++)
        if (strcmp(state->rows[i].what->name, name) == 0)
            return &state->rows[i];
    errno = EINVAL;
    return NULL;
}

/* What was there is in `kept` as it came: a value of an older schema differs from what is made of
 * it. */
static void on_loaded(struct troupe *self, const char *failure, const struct troupe_message *answer,
                      void *data)
{
    struct state *state = self->keeping;
    struct kept *kept = data;
    struct troupe_bytes value;

    kept->failure[0] = '\0';
    state->is_loaded = --state->loading == 0;
    if (failure && storecall_is(failure, CONTROL_E_NOT_FOUND))
        return;
    if (failure) {
        fail(kept, "%s", failure);
        return;
    }
    value = troupe_bytes(answer, 4);
    if (take_in(self, kept, troupe_int(answer, 3), value) == 0)
        saving_set_kept(&kept->saving, troupe_int(answer, 0), value.at, value.size);
}

static void ask_for(struct troupe *self, struct kept *kept, struct mono deadline)
{
    char service[ADDR_PATH_MAX + 1];
    const char *id, *name = kept->what->name;
    union wire_value values[3];
    struct storecall call = {.verb = CONTROL_STATE_GET,
                             .format = "sss",
                             .values = values,
                             .deadline = deadline,
                             .may_go_again = true,
                             .done = on_loaded,
                             .data = kept};

    saving_row(self, service, &id);
    values[0].bytes.at = service;
    values[0].bytes.size = strlen(service);
    values[1].bytes.at = (char *)id;
    values[1].bytes.size = strlen(id);
    values[2].bytes.at = (char *)name;
    values[2].bytes.size = strlen(name);
    self->keeping->loading++;
    if (storecall_ask(self, &call) == 0)
        return;
    self->keeping->loading--;
    fail(kept, "%s", strerror(errno));
}

/* A sys/store that was only just asked for is not there yet. */
static bool may_come(const struct kept *kept, struct mono begin)
{
    return storecall_is(kept->failure, "noproc") &&
           mono_diff_ms(mono_now(), begin) < LOAD_ABSENT_MS;
}

static struct kept *first_failed(struct state *state)
{
    for (size_t i = 0; i < state->count; i++)
        if (*state->rows[i].failure)
            return &state->rows[i];
    return NULL;
}

static void load_all(struct troupe *self)
{
    struct state *state = self->keeping;
    struct mono begin = mono_now(), deadline = mono_add_ms(begin, LOAD_MS);
    const bool never = false;

    for (;;) {
        for (size_t i = 0; i < state->count; i++)
            if (!state->rows[i].is_asked || *state->rows[i].failure) {
                state->rows[i].is_asked = true;
                ask_for(self, &state->rows[i], deadline);
            }
        state->is_loaded = state->loading == 0;
        agenda_wait(self, &state->is_loaded);
        if (self->ending || !first_failed(state) || !may_come(first_failed(state), begin))
            return;
        agenda_wait_for(self, &never, LOAD_AGAIN_MS);
    }
}

static int create(struct troupe *self)
{
    const struct troupe_stored *all = self->actor.state;
    struct state *state;
    size_t count = 0;

    while (all[count].name)
        count++;
    state = calloc(1, sizeof *state + count * sizeof *state->rows);
    if (!state)
        return -1;
    state->count = count;
    TAILQ_INIT(&state->withheld);
    for (size_t i = 0; i < count; i++) {
        state->rows[i].what = &all[i];
        state->is_automatic |= all[i].every_message;
        saving_init(&state->rows[i].saving, self, all[i].name, all[i].schema,
                    troupe_epoch(self));
    }
    self->keeping = state;
    return 0;
}

static bool is_declared_well(struct troupe *self, char why[REASON_MAX])
{
    for (const struct troupe_stored *what = self->actor.state; what->name; what++) {
        bool is_memory = !what->save && !what->load && what->size > 0 &&
                         what->offset + what->size <= self->actor.state_size;

        if (!addr_is_part(what->name, strlen(what->name)) || what->schema == 0 ||
            (!is_memory && (!what->save || !what->load))) {
            snprintf(
                why, REASON_MAX,
                "error state %.64s: expected a name, a schema from 1, and a part of the actor's "
                "memory, or save and load",
                what->name);
            return false;
        }
    }
    return true;
}

int state_begin(struct troupe *self)
{
    char why[REASON_MAX], explained[REASON_MAX];
    const struct kept *failed;

    if (!self->actor.state || self->keeping)
        return 0;
    if (!is_declared_well(self, why)) {
        actor_end(self, why);
        return -1;
    }
    if (create(self) < 0) {
        actor_end(self, "error state: out of memory");
        return -1;
    }
    load_all(self);
    failed = first_failed(self->keeping);
    if (failed && !self->ending) {
        storecall_explain(failed->failure, explained);
        snprintf(why, sizeof why, "error state %.64s: %.170s", failed->what->name, explained);
        actor_end(self, why);
    }
    return self->ending ? -1 : 0;
}

/* ---- saving without being told to
 * ---------------------------------------------------------------- */

/* What there is not yet is as init has left it. */
void state_settle(struct troupe *self)
{
    struct state *state = self->keeping;
    struct buf value;

    for (size_t i = 0; state && i < state->count; i++) {
        struct kept *kept = &state->rows[i];

        if (!kept->what->every_message || kept->saving.version ||
            pack(self, kept->what, &value) < 0)
            continue;
        saving_set_kept(&kept->saving, 0, buf_front(&value), buf_length(&value));
        buf_finish(&value);
    }
}

bool state_withholds(const struct troupe *self)
{
    return self->keeping && self->keeping->is_automatic && self->serving &&
           (self->busy > 0 || self->saving) && !self->keeping->is_releasing;
}

struct withheld_list *state_withheld(struct troupe *self)
{
    return &self->keeping->withheld;
}

static void end_for(struct troupe *self, const char *failure)
{
    char reason[REASON_MAX];

    snprintf(reason, sizeof reason, "error %.240s", failure);
    actor_end(self, reason);
}

/* What its caller is told not to have happened has not: the memory is again what was accepted last.
 * When somebody else has saved, that is past, too: this actor's next life reads what there is. */
static void undo(struct troupe *self, struct kept *kept, const char *failure)
{
    struct state *state = self->keeping;
    const struct buf *last = &kept->saving.kept;

    snprintf(state->failure, REASON_MAX, "state %.64s: %.170s", kept->what->name, failure);
    if (storecall_is(failure, CONTROL_E_CONFLICT) ||
        unpack(self, kept, (struct troupe_bytes){buf_front(last), buf_length(last)}) < 0)
        end_for(self, state->failure);
}

static void release(struct state *state, const char *failure)
{
    state->is_releasing = true;
    withheld_release(&state->withheld, failure);
    state->is_releasing = false;
}

static void let_go(struct troupe *self)
{
    struct state *state = self->keeping;

    self->saving = false;
    release(state, *state->failure ? state->failure : NULL);
    state->failure[0] = '\0';
    mailbox_wake(self);
}

static void on_kept(struct troupe *self, const char *failure, void *data)
{
    if (failure)
        undo(self, data, failure);
    if (--self->keeping->pending == 0)
        let_go(self);
}

static void save_changed(struct troupe *self, struct kept *kept, int64_t ms)
{
    struct buf value;

    if (pack(self, kept->what, &value) < 0) {
        undo(self, kept, "out of memory");
        return;
    }
    if (!saving_differs(&kept->saving, &value)) {
        buf_finish(&value);
        return;
    }
    self->keeping->pending++;
    if (saving_start(&kept->saving, &value, mono_add_ms(mono_now(), ms), on_kept, kept) == 0)
        return;
    self->keeping->pending--;
    undo(self, kept, errno == EMSGSIZE ? "more than 8 MiB" : "out of memory");
}

static void save_all_changed(struct troupe *self, int64_t ms)
{
    struct state *state = self->keeping;

    state->pending++; /* none of them is the last before all are asked for */
    self->saving = true;
    mailbox_rest(self);
    for (size_t i = 0; i < state->count; i++)
        if (state->rows[i].what->every_message)
            save_changed(self, &state->rows[i], ms);
    if (--state->pending == 0)
        let_go(self);
}

void state_look(struct troupe *self)
{
    if (self->keeping && self->keeping->is_automatic && self->serving && !self->saving &&
        !self->ending)
        save_all_changed(self, SAVE_BY_ITSELF_MS);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool is_busy(const struct state *state)
{
    for (size_t i = 0; i < state->count; i++)
        if (state->rows[i].saving.is_busy)
            return true;
    return false;
}

static void wait_while_busy(struct troupe *self, struct mono deadline)
{
    while (is_busy(self->keeping) && mono_diff_ms(deadline, mono_now()) > 0)
        loop_run_for(self->loop, 20);
}

static bool was_fenced(const struct troupe *self)
{
    size_t length = strlen(self->reason);

    return (length > 8 && !strcmp(self->reason + length - 8, ": fenced")) ||
           (length > 10 && !strcmp(self->reason + length - 10, ": conflict"));
}

void state_drain(struct troupe *self, int64_t ms)
{
    struct state *state = self->keeping;
    struct mono deadline = mono_add_ms(mono_now(), ms);

    if (!state)
        return;
    wait_while_busy(self, deadline);
    if (state->is_automatic && self->serving && !was_fenced(self)) {
        save_all_changed(self, ms);
        wait_while_busy(self, deadline);
    }
    release(state, self->saving ? "state: the actor has ended before it was kept" : NULL);
}

void state_finish(struct troupe *self)
{
    struct state *state = self->keeping;

    if (!state)
        return;
    for (size_t i = 0; i < state->count; i++)
        saving_finish(&state->rows[i].saving);
    free(state);
    self->keeping = NULL;
}

/* ---- the author's side --------------------------------------------------------------------------
 */

/* A row that is saved by itself may have to be so behind this one: that takes no longer. */
static int64_t patience_ms(const struct kept *kept)
{
    return kept->what->every_message ? SAVE_BY_ITSELF_MS : SAVE_MS;
}

int troupe_state_save(struct troupe *self, const char *name, troupe_on_saved *on_saved, void *data)
{
    struct kept *kept = find(self, name);
    struct verdict *verdict;
    struct buf value;
    int saved;

    if (!kept || pack(self, kept->what, &value) < 0)
        return -1;
    verdict = verdict_create(on_saved, data);
    if (!verdict) {
        buf_finish(&value);
        return -1;
    }
    if (saving_start(&kept->saving, &value, mono_add_ms(mono_now(), patience_ms(kept)),
                     verdict_post, verdict) == 0)
        return 0;
    saved = errno;
    free(verdict);
    errno = saved;
    return -1;
}

/* What a blocking save waits for. */
struct awaited {
    bool is_done;
    char failure[REASON_MAX];
};

static void take_outcome(struct troupe *self, const char *failure, void *data)
{
    struct awaited *awaited = data;

    (void)self;
    snprintf(awaited->failure, sizeof awaited->failure, "%s", failure ? failure : "");
    awaited->is_done = true;
}

/* Behind a save that has more time it may not even have been sent by then. */
static void wait_for_outcome(struct troupe *self, struct awaited *awaited, struct mono deadline)
{
    int64_t left_ms = mono_diff_ms(deadline, mono_now());

    if (!agenda_wait_for(self, &awaited->is_done, left_ms > 0 ? left_ms + OUTCOME_MS : OUTCOME_MS))
        strcpy(awaited->failure, self->ending ? "failed ending" : "unreachable sys/store: timeout");
}

const char *troupe_state_save_now(struct troupe *self, const char *name, int64_t timeout_ms)
{
    static char failure[REASON_MAX];
    struct awaited awaited = {0};
    struct kept *kept = find(self, name);
    struct mono deadline = call_deadline(timeout_ms);
    struct buf value;

    if (!kept)
        return "failed no such state";
    if (pack(self, kept->what, &value) < 0 ||
        saving_start(&kept->saving, &value, deadline, take_outcome, &awaited) < 0)
        return errno == EMSGSIZE ? "failed more than 8 MiB" : "failed out of memory";
    wait_for_outcome(self, &awaited, deadline);
    saving_forget(&kept->saving, &awaited);
    strcpy(failure, awaited.failure);
    return *failure ? failure : NULL;
}

int64_t troupe_state_version(struct troupe *self, const char *name)
{
    const struct kept *kept = find(self, name);

    return kept ? kept->saving.version : 0;
}
