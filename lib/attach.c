/* A process that no supervisor started, as an actor (troupe.h, section 8). */
#include "grant.h"
#include "runtime.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whatever has come may take so many turns of the loop until it is handled: accept, header, HELLO
 * and message are one each, and each of several messages one more when they are watched for. */
enum { ATTACH_TURNS = 8 };

struct attached {
    struct troupe troupe;
    struct troupe_boot boot;
    struct grant grant;
    uint32_t node_uid;
    max_align_t state[];
};

static bool is_attached;              /* one a process */
static char failure[ERROR_TEXT_SIZE]; /* of the last troupe_attach() */

/* ---- the beginning ------------------------------------------------------------------------- */

/* What its supervisor would have handed over. */
static void fill_boot(struct attached *attached)
{
    const struct grant *grant = &attached->grant;

    attached->node_uid = peer_creds(grant->peer)->uid;
    attached->boot = (struct troupe_boot){.abi = TROUPE_BOOT_ABI,
                                          .path = grant->addr.path,
                                          .node = grant->addr.node,
                                          .run_dir = grant->dir.path,
                                          .incarnation = grant->addr.incarnation,
                                          .mailbox_fd = grant->mailbox_fd,
                                          .control_fd = -1,
                                          .stats_fd = -1,
                                          .uids = &attached->node_uid,
                                          .uid_count = 1,
                                          .node_uid = attached->node_uid};
}

static void destroy(struct attached *attached)
{
    int mailbox_fd = attached->grant.mailbox_fd;

    actor_release(&attached->troupe);
    if (mailbox_fd >= 0)
        close(mailbox_fd);
    free(attached);
    is_attached = false;
}

static struct attached *create(const struct troupe_actor *actor, const char *path,
                               bool wants_mailbox, struct error *err)
{
    struct attached *attached = calloc(1, sizeof *attached + actor->state_size + 1);
    struct ev_loop *loop = loop_create();

    if (!attached || !loop) {
        error_set_errno(err, ENOMEM, "attach");
        goto fail;
    }
    if (grant_ask(&attached->grant, loop, path, wants_mailbox, err) < 0)
        goto fail;
    fill_boot(attached);
    attached->troupe.state = attached->state;
    attached->troupe.loop = loop;
    attached->troupe.is_attached = true;
    actor_init(&attached->troupe, actor, &attached->boot);
    parent_by_peer(&attached->troupe.parent, attached->grant.peer, attached->grant.ref);
    return attached;

fail:
    if (loop)
        ev_loop_destroy(loop);
    free(attached);
    return NULL;
}

/* False when init does not want to. */
static bool begin(struct attached *attached, struct error *err)
{
    struct troupe *self = &attached->troupe;
    int result = actor_start(self);

    if (result != TROUPE_ERROR && result != TROUPE_IGNORE)
        return true;
    actor_end(self, "normal"); /* of one that ignores; the error has its reason already */
    error_set(err, ECANCELED, "%s", result == TROUPE_IGNORE ? "ignore" : self->reason);
    actor_finish(self);
    destroy(attached);
    return false;
}

struct troupe *troupe_attach(const struct troupe_actor *actor, const char *path, const char **why)
{
    static const struct troupe_actor nobody = {.abi = TROUPE_ABI, .size = sizeof nobody};
    struct attached *attached = NULL;
    struct error err = {0};

    if (is_attached)
        error_set(&err, EALREADY, "this process is attached already");
    else if (actor && actor->abi != TROUPE_ABI)
        error_set(&err, EINVAL, "the actor's abi is %u: expected %u", actor->abi,
                  (unsigned)TROUPE_ABI);
    else
        attached = create(actor ? actor : &nobody, path, actor != NULL, &err);
    if (attached) {
        is_attached = true;
        if (begin(attached, &err))
            return &attached->troupe;
    }
    snprintf(failure, sizeof failure, "%s", err.text);
    if (why)
        *why = failure;
    return NULL;
}

/* ---- serving ------------------------------------------------------------------------------- */

const char *troupe_serve(struct troupe *self)
{
    while (!self->ending)
        ev_run(self->loop, 0);
    return self->reason;
}

/* Until something is enough, or for so many turns. */
static void serve_what_is_there(struct troupe *self)
{
    for (int i = 0; i < ATTACH_TURNS && !self->ending && !self->enough; i++)
        ev_run(self->loop, EVRUN_NOWAIT);
}

bool troupe_serve_for(struct troupe *self, int64_t timeout_ms)
{
    struct mono deadline = mono_add_ms(mono_now(), timeout_ms);
    int64_t left = timeout_ms;

    while (!self->ending && left > 0) {
        loop_run_for(self->loop, left);
        left = mono_diff_ms(deadline, mono_now());
    }
    serve_what_is_there(self);
    return !self->ending;
}

/* ---- watching ------------------------------------------------------------------------------ */

/* What has overtaken the work, if anything has. */
static enum troupe_first first_of(const struct troupe *self)
{
    if (self->ending)
        return TROUPE_FIRST_ENDED;
    return self->enough ? TROUPE_FIRST_MESSAGE : TROUPE_FIRST_DONE;
}

static enum troupe_first watch(struct troupe *self, struct work *work, troupe_on_done *on_done,
                               void *data)
{
    enum troupe_first first;

    while (!work_is_over(work) && first_of(self) == TROUPE_FIRST_DONE)
        ev_run(self->loop, EVRUN_ONCE);
    serve_what_is_there(self); /* a message that came before the work was done */
    first = first_of(self);
    if (first == TROUPE_FIRST_DONE)
        work_tell(work, on_done, data);
    else
        work_cancel(work);
    return first;
}

enum troupe_first troupe_watch_work(struct troupe *self, troupe_work_fn *fn, void *fn_data,
                                    troupe_on_done *on_done, void *data)
{
    enum troupe_first first;
    struct work *work;

    self->is_watching = true;
    serve_what_is_there(self);
    first = first_of(self);
    if (first == TROUPE_FIRST_DONE) {
        work = work_watch(self, fn, fn_data);
        first = work ? watch(self, work, on_done, data) : TROUPE_FIRST_FAILED;
    }
    self->is_watching = self->enough = false;
    return first;
}

/* ---- the end ------------------------------------------------------------------------------- */

void troupe_detach(struct troupe *self, const char *reason)
{
    if (!self)
        return;
    if (reason)
        troupe_exit(self, NULL, "%s", reason);
    else
        actor_end(self, "normal");
    actor_finish(self);
    destroy(container_of(self, struct attached, troupe));
}
