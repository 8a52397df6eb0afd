#include "work.h"

#include "helper.h"
#include "runtime.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

enum { WORK_READ = 64 * 1024, WORK_READS = 16 /* of these, in one turn of the loop */ };

/* What the end of the work means to the actor. */
enum work_kind {
    WORK_PLAIN,        /* somebody is told */
    WORK_MANAGED,      /* the actor's end */
    WORK_PART_MANAGED, /* the actor's end when it failed */
    WORK_WATCHED,      /* somebody looks */
};

/* The helper's side: what troupe_result() writes to. */
struct troupe_work {
    int output;
    size_t written;
};

/* Ours. */
struct work {
    UT_hash_handle hh;
    uint64_t number;
    struct troupe *self;
    enum work_kind kind;
    struct helper helper;
    ev_io reader, ender;
    struct buf result;
    const char *trouble; /* why we have killed it; NULL: we have not */
    bool is_cancelled, is_reaped;
    char failure[REASON_MAX]; /* "": none */
    struct agenda_item owed;
    troupe_on_done *on_done;
    void *data;
};

/* ---- in the helper --------------------------------------------------------------------------- */

/* What the function is called with. */
struct errand {
    struct troupe *self;
    troupe_work_fn *fn;
    void *data;
};

/* Only eight bits of a status arrive; a failure must not arrive as 0. */
static int exit_status(int result)
{
    return result >= 0 && result <= 255 ? result : 255;
}

static int run_errand(void *data, int output)
{
    const struct errand *errand = data;
    struct troupe_work work = {.output = output};

    ev_signal_stop(errand->self->loop, &errand->self->term); /* see loop_after_fork() */
    return exit_status(errand->fn(errand->data, &work));
}

int troupe_result(struct troupe_work *work, const void *bytes, size_t size)
{
    const char *at = bytes;

    if (size > WORK_RESULT_MAX - work->written) {
        errno = EMSGSIZE;
        return -1;
    }
    while (size > 0) {
        ssize_t taken = write(work->output, at, size);

        if (taken < 0 && errno != EINTR)
            return -1;
        if (taken < 0)
            continue;
        at += taken;
        size -= (size_t)taken;
        work->written += (size_t)taken;
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static void stop_watching(struct work *work)
{
    ev_io_stop(work->self->loop, &work->reader);
    ev_io_stop(work->self->loop, &work->ender);
    helper_close(&work->helper);
}

static void destroy(struct work *work)
{
    stop_watching(work);
    agenda_withdraw(work->self, &work->owed);
    HASH_DEL(work->self->works.all, work);
    buf_finish(&work->result);
    free(work);
}

/* ---- what it writes -------------------------------------------------------------------------- */

/* The helper itself stops at the bound; but it is the author's code that runs there. */
static void give_up(struct work *work, const char *trouble)
{
    if (work->trouble)
        return;
    work->trouble = trouble;
    ev_io_stop(work->self->loop, &work->reader);
    helper_kill(&work->helper);
}

/* Returns whether there may be more. */
static bool read_some(struct work *work)
{
    uint8_t *room = buf_reserve(&work->result, WORK_READ);
    ssize_t size;

    if (!room) {
        give_up(work, "error out of memory");
        return false;
    }
    size = read(work->helper.output, room, WORK_READ);
    if (size < 0)
        return errno == EINTR;
    if (size == 0) {
        ev_io_stop(work->self->loop, &work->reader);
        return false;
    }
    work->result.end += (size_t)size;
    if (buf_length(&work->result) > WORK_RESULT_MAX)
        give_up(work, "error result of more than 16 MiB");
    return !work->trouble;
}

static void on_output(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct work *work = container_of(watcher, struct work, reader);

    (void)loop;
    (void)revents;
    for (int i = 0; i < WORK_READS && read_some(work); i++)
        ;
}

/* ---- its end --------------------------------------------------------------------------------- */

static void set_failure(struct work *work)
{
    int status;

    work->is_reaped = true;
    if (helper_reap(&work->helper, &status) < 0) {
        snprintf(work->failure, sizeof work->failure, "error somebody else waited for it");
        return;
    }
    reason_of_status(status, false, 0, false, work->failure);
    if (strcmp(work->failure, "normal") == 0)
        *work->failure = '\0';
}

/* Everything that it has written is in the pipe: that somebody else may still write there, a
 * process that it has left behind, does not matter. */
static void on_ended(struct ev_loop *loop, ev_io *watcher, int revents)
{
    struct work *work = container_of(watcher, struct work, ender);

    (void)loop;
    (void)revents;
    set_failure(work);
    if (work->is_cancelled) {
        destroy(work);
        return;
    }
    while (!work->trouble && ev_is_active(&work->reader) && read_some(work))
        ;
    if (work->trouble)
        snprintf(work->failure, sizeof work->failure, "%s", work->trouble);
    stop_watching(work);
    if (work->kind != WORK_WATCHED)
        agenda_post(work->self, &work->owed);
}

/* Its number is nobody's any more. */
static void call_back(struct work *work)
{
    struct troupe_bytes result = {buf_front(&work->result), buf_length(&work->result)};

    HASH_DEL(work->self->works.all, work);
    if (work->on_done)
        work->on_done(work->self, *work->failure ? work->failure : NULL, result, work->data);
    buf_finish(&work->result);
    free(work);
}

/* The actor goes with its work. A stop, or the end of somebody it is linked to, that has come
 * already goes before (conformance, D.2 12). */
static void end_with(struct troupe *self, const char *failure)
{
    parent_poll(&self->parent);
    if (self->ending)
        return;
    if (*failure)
        troupe_exit(self, NULL, "error work %s", failure);
    else
        troupe_exit(self, NULL, "normal");
}

static bool is_the_actors_end(const struct work *work)
{
    return work->kind == WORK_MANAGED || (work->kind == WORK_PART_MANAGED && *work->failure);
}

static void tell(struct troupe *self, struct agenda_item *item)
{
    struct work *work = container_of(item, struct work, owed);

    if (is_the_actors_end(work)) {
        end_with(self, work->failure);
        work->on_done = NULL;
    }
    call_back(work);
}

/* ---- the interface --------------------------------------------------------------------------- */

static struct work *start(struct troupe *self, enum work_kind kind, troupe_work_fn *fn,
                          void *fn_data)
{
    struct errand errand = {self, fn, fn_data};
    struct work *work = calloc(1, sizeof *work);

    if (!work)
        return NULL;
    if (helper_start(&work->helper, run_errand, &errand) < 0) {
        free(work);
        return NULL;
    }
    work->self = self;
    work->kind = kind;
    work->number = ++self->works.last;
    work->owed.run = tell;
    ev_io_init(&work->reader, on_output, work->helper.output, EV_READ);
    ev_io_init(&work->ender, on_ended, work->helper.pidfd, EV_READ);
    ev_set_priority(&work->ender, -1); /* what else has come in this turn came first */
    ev_io_start(self->loop, &work->reader);
    ev_io_start(self->loop, &work->ender);
    HASH_ADD(hh, self->works.all, number, sizeof work->number, work);
    return work;
}

uint64_t troupe_work(struct troupe *self, troupe_work_fn *fn, void *fn_data,
                     troupe_on_done *on_done, void *data)
{
    struct work *work = start(self, WORK_PLAIN, fn, fn_data);

    if (!work)
        return 0;
    work->on_done = on_done;
    work->data = data;
    return work->number;
}

int troupe_manage(struct troupe *self, troupe_work_fn *fn, void *fn_data)
{
    return start(self, WORK_MANAGED, fn, fn_data) ? 0 : -1;
}

int troupe_part_manage(struct troupe *self, troupe_work_fn *fn, void *fn_data,
                       troupe_on_done *on_done, void *data)
{
    struct work *work = start(self, WORK_PART_MANAGED, fn, fn_data);

    if (!work)
        return -1;
    work->on_done = on_done;
    work->data = data;
    return 0;
}

struct work *work_watch(struct troupe *self, troupe_work_fn *fn, void *fn_data)
{
    return start(self, WORK_WATCHED, fn, fn_data);
}

bool work_is_over(const struct work *work)
{
    return work->is_reaped;
}

void work_tell(struct work *work, troupe_on_done *on_done, void *data)
{
    struct troupe *self = work->self;

    work->on_done = on_done;
    work->data = data;
    agenda_enter(self);
    call_back(work);
    agenda_leave(self);
}

/* One whose end is not seen yet is waited for by the loop. */
void work_cancel(struct work *work)
{
    if (work->is_reaped) {
        destroy(work);
        return;
    }
    work->is_cancelled = true;
    ev_io_stop(work->self->loop, &work->reader);
    helper_kill(&work->helper);
}

void troupe_cancel_work(struct troupe *self, uint64_t number)
{
    struct work *work;

    HASH_FIND(hh, self->works.all, &number, sizeof number, work);
    if (work && !work->is_cancelled)
        work_cancel(work);
}

/* A killed process that does not go (it waits for a disk) is not waited for: the kernel has been
 * told. */
static void bury(struct work *work)
{
    struct pollfd ended = {.fd = work->helper.pidfd, .events = POLLIN};

    if (!work->is_reaped && poll(&ended, 1, WORK_KILL_MS) > 0)
        set_failure(work);
    destroy(work);
}

void works_finish(struct troupe *self)
{
    struct work *work, *next;

    for (work = self->works.all; work; work = work->hh.next)
        if (!work->is_reaped)
            helper_kill(&work->helper);
    HASH_ITER (hh, self->works.all, work, next)
        bury(work);
}
