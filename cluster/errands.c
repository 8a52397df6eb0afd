#include "errands.h"

#include "addr.h"
#include "buf.h"
#include "loop.h"
#include "memory.h"
#include "sp.h"
#include "summons.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

enum {
    WAITING_MAX = 1 << 20, /* bytes for one mailbox; and one message more */
    ROOM = WAITING_MAX / 2,
    AGAIN_MS = 50,
    CLOSED_MAX = 5, /* connections in a row that nobody took */
    ID_SIZE = 4,    /* a REQ header of one word */
};

int64_t errands_call_ms = 55000;

/* A call without an answer; or a cast that nobody has heard yet. */
struct errand {
    struct errands_target *target;
    void *token; /* NULL: a cast */
    uint32_t id;
    bool is_sent;
    uint64_t place; /* when it was: where it ends in all that its connection was given */
    struct mono due;
    struct errand *prev, *next;   /* in its target's waiting list */
    struct errand *older, *newer; /* calls, by age */
    UT_hash_handle hh;            /* in its target's, when it was sent */
    size_t size;
    uint8_t *body; /* NULL when it was sent */
};

/* A mailbox, and one pattern. */
struct errands_target {
    struct errands *errands;
    bool is_for_calls, is_open;
    bool is_full;         /* somebody was told so */
    struct sp_conn *conn; /* NULL: it is dialled again soon */
    unsigned closed;
    struct errand *waiting, *sent;
    size_t waiting_bytes;
    struct buf left; /* frames that the last connection's end has left, before those that wait */
    uint64_t end;    /* the place where they ended in what that was given */
    uint32_t last_id;
    unsigned summoned; /* times since somebody was reached */
    struct summons *summons;
    ev_timer again;
    UT_hash_handle hh;
    char path[ADDR_PATH_MAX + 1]; /* the key */
};

/* ---- one errand ------------------------------------------------------------------------------ */

static void forget_errand(struct errand *errand)
{
    struct errands_target *target = errand->target;

    if (errand->is_sent) {
        HASH_DEL(target->sent, errand);
    } else {
        DL_DELETE(target->waiting, errand);
        target->waiting_bytes -= errand->size;
    }
    if (errand->token)
        DL_DELETE2(target->errands->calls, errand, older, newer);
    free(errand->body);
    free(errand);
}

static void answer(struct errand *errand, const void *body, size_t size)
{
    struct errands *errands = errand->target->errands;
    void *token = errand->token;

    forget_errand(errand);
    errands->handlers->answered(errands->data, token, body, size);
}

/* It came to nothing. */
static void fail(struct errand *errand, const char *why)
{
    struct errands_target *target = errand->target;
    struct errands *errands = target->errands;
    char line[160];

    if (errand->token) {
        snprintf(line, sizeof line, "!%s", why);
        answer(errand, line, strlen(line));
        return;
    }
    forget_errand(errand);
    errands->handlers->lost(errands->data, target->path, why);
}

static struct errand *make_errand(struct errands_target *target, void *token, const void *body,
                                  size_t size)
{
    struct errand *errand = memory_zeroed(sizeof *errand);

    errand->target = target;
    errand->token = token;
    errand->id = 0x80000000 | ++target->last_id;
    errand->size = size;
    errand->body = memory_resize(NULL, size + 1, 1);
    if (size)
        memcpy(errand->body, body, size);
    DL_APPEND(target->waiting, errand);
    target->waiting_bytes += size;
    if (!token)
        return errand;
    errand->due = mono_add_ms(mono_now(), errands_call_ms);
    DL_APPEND2(target->errands->calls, errand, older, newer);
    return errand;
}

/* ---- time ------------------------------------------------------------------------------------ */

static void await_due(struct errands *errands)
{
    int64_t left_ms;

    if (!errands->calls || ev_is_active(&errands->due))
        return;
    left_ms = mono_diff_ms(errands->calls->due, mono_now());
    ev_now_update(errands->loop);
    ev_timer_set(&errands->due, (double)(left_ms > 0 ? left_ms : 0) / 1000 + 0.001, 0.);
    ev_timer_start(errands->loop, &errands->due);
}

static void drop_if_unneeded(struct errands_target *target);

static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct errands *errands = container_of(timer, struct errands, due);
    struct mono now = mono_now();

    (void)loop;
    (void)events;
    while (errands->calls && errands->calls->due.us <= now.us) {
        struct errands_target *target = errands->calls->target;

        fail(errands->calls, "timeout");
        drop_if_unneeded(target);
    }
    await_due(errands);
}

/* ---- mailboxes ------------------------------------------------------------------------------- */

/* Nobody finds it any more. */
static void detach(struct errands_target *target)
{
    HASH_DEL(target->errands->targets[target->is_for_calls], target);
}

static void free_target(struct errands_target *target)
{
    ev_timer_stop(target->errands->loop, &target->again);
    summons_cancel(target->summons);
    buf_finish(&target->left);
    free(target);
}

static void tell_room(struct errands_target *target)
{
    struct errands *errands = target->errands;

    if (!target->is_full)
        return;
    target->is_full = false;
    errands->handlers->room(errands->data);
}

static void tell_uncrowded(struct errands *errands)
{
    if (!errands->is_crowded)
        return;
    errands->is_crowded = false;
    errands->handlers->room(errands->data);
}

static void lose_left(struct errands_target *target, const char *why)
{
    struct errands *errands = target->errands;
    size_t size;

    while (buf_length(&target->left) &&
           sp_frame_size(buf_front(&target->left), buf_length(&target->left), &size) == 0) {
        buf_consume(&target->left, size);
        errands->handlers->lost(errands->data, target->path, why);
    }
}

/* All that is left comes to nothing. What it makes others send meanwhile goes another way. */
static void give_up(struct errands_target *target, const char *why)
{
    struct errands *errands = target->errands;

    detach(target);
    if (!target->is_for_calls)
        lose_left(target, why);
    while (target->sent)
        fail(target->sent, why);
    while (target->waiting)
        fail(target->waiting, why);
    tell_room(target);
    free_target(target);
    tell_uncrowded(errands);
}

static void dial(struct errands_target *target);

static void on_again(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    dial(container_of(timer, struct errands_target, again));
}

static void dial_again(struct errands_target *target)
{
    ev_timer_set(&target->again, AGAIN_MS / 1000., 0.);
    ev_timer_start(target->errands->loop, &target->again);
}

/* ---- one that is not there ------------------------------------------------------------------- */

static void on_summoned(void *data, const char *node, const char *failure)
{
    struct errands_target *target = data;
    char why[ADDR_PART_MAX + 64];

    target->summons = NULL; /* it ends with this */
    snprintf(why, sizeof why, "moved %s it is to be reached by the gateway there", node);
    if (failure)
        give_up(target, failure);
    else if (*node)
        give_up(target, why);
    else
        dial(target);
}

/* False: nobody can be asked for it. */
static bool summon(struct errands_target *target, const char *why)
{
    char here[] = "";

    target->summons = summons_send(&target->errands->hotlines, target->path, here,
                                   &target->summoned, why, on_summoned, target);
    return target->summons != NULL;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Whoever waits for an answer keeps the connection. */
static void set_idle(struct errands_target *target)
{
    sp_conn_set_idle_close(target->conn, target->sent ? 0 : SP_IDLE_MS);
}

/* 0: it is on its way. */
static int send_errand(struct errand *errand)
{
    struct errands_target *target = errand->target;
    uint8_t id[ID_SIZE] = {(uint8_t)(errand->id >> 24), (uint8_t)(errand->id >> 16),
                           (uint8_t)(errand->id >> 8), (uint8_t)errand->id};
    struct iovec parts[2] = {{id, errand->token ? sizeof id : 0}, {errand->body, errand->size}};

    if (sp_send(target->conn, parts, 2, -1) < 0)
        return -1;
    errand->place = sp_conn_place(target->conn);
    if (!errand->token) {
        forget_errand(errand);
        return 0;
    }
    DL_DELETE(target->waiting, errand);
    target->waiting_bytes -= errand->size;
    free(errand->body);
    errand->body = NULL;
    errand->is_sent = true;
    HASH_ADD(hh, target->sent, id, sizeof errand->id, errand);
    return 0;
}

/* What has no room waits for on_drain(). */
static void send_waiting(struct errands_target *target)
{
    while (target->waiting && send_errand(target->waiting) == 0)
        ;
    if (target->waiting)
        sp_conn_ask_drain(target->conn, ROOM);
    set_idle(target);
}

/* They were taken over before: memory is all that they may want for. */
static void send_left(struct errands_target *target)
{
    size_t size = buf_length(&target->left);

    if (size && sp_conn_send_frames(target->conn, buf_front(&target->left), size) < 0)
        memory_fail();
    buf_finish(&target->left);
    for (struct errand *errand = target->sent; errand; errand = errand->hh.next)
        errand->place += sp_conn_place(target->conn) - target->end;
}

static bool on_open(struct sp_conn *conn)
{
    struct errands_target *target = sp_conn_data(conn);

    target->is_open = true;
    target->closed = target->summoned = 0;
    send_left(target);
    send_waiting(target);
    tell_room(target);
    return true;
}

static void on_message(struct sp_conn *conn, const uint8_t *body, size_t size, int fd)
{
    struct errands_target *target = sp_conn_data(conn);
    struct errand *errand = NULL;
    uint32_t id;

    if (fd >= 0)
        close(fd);
    if (size < ID_SIZE)
        return;
    id = (uint32_t)body[0] << 24 | (uint32_t)body[1] << 16 | (uint32_t)body[2] << 8 | body[3];
    HASH_FIND(hh, target->sent, &id, sizeof id, errand);
    if (errand) /* else its time was up */
        answer(errand, body + ID_SIZE, size - ID_SIZE);
    set_idle(target);
}

/* What the kernel had not taken nobody has heard: it goes again, whether one that was about to rest
 * would hear no more or one has ended. Of calls that it had taken nobody can tell. */
static void keep_unheard(struct errands_target *target, struct sp_conn *conn)
{
    uint64_t written = sp_conn_written(conn);
    struct errand *errand, *next;

    target->end = sp_conn_place(conn);
    target->left = sp_conn_leftover(conn);
    HASH_ITER (hh, target->sent, errand, next)
        if (errand->place <= written)
            fail(errand, "down unknown");
}

/* Is anything left that somebody would hear of? */
static bool is_needed(const struct errands_target *target)
{
    return target->waiting ||
           (target->is_for_calls ? target->sent != NULL : buf_length(&target->left) > 0);
}

/* Before anybody took it nothing was heard: it goes again, unless there is nobody, or nobody who
 * takes such messages. */
static void on_close(struct sp_conn *conn, const char *why)
{
    struct errands_target *target = sp_conn_data(conn);
    bool was_open = target->is_open;

    target->conn = NULL;
    target->is_open = false;
    if (was_open)
        keep_unheard(target, conn);
    if (!is_needed(target))
        give_up(target, why);
    else if (!was_open && summon(target, why))
        return;
    else if (was_open || (strcmp(why, "noproc") != 0 && ++target->closed < CLOSED_MAX))
        dial_again(target);
    else
        give_up(target, strcmp(why, "noproc") ? "no_mailbox it takes no raw messages" : why);
}

static void on_drain(struct sp_conn *conn)
{
    struct errands_target *target = sp_conn_data(conn);

    send_waiting(target);
    if (!target->waiting)
        tell_room(target);
}

static void dial(struct errands_target *target)
{
    static const struct sp_handlers handlers = {
        .on_open = on_open, .on_message = on_message, .on_close = on_close, .on_drain = on_drain};
    struct errands *errands = target->errands;
    static const struct sp_limits limits = {.again = true};

    target->conn = sp_dial(errands->loop, errands->run_dir, target->path,
                           target->is_for_calls ? SP_REQ : SP_PUSH, (struct mono){0}, &limits,
                           &handlers, target);
    if (!target->conn) /* no descriptors: others will close */
        dial_again(target);
    else /* frames are kept whole; when to dial again is decided here */
        sp_conn_settle(target->conn);
}

/* Nobody waits for an actor that takes its time any more. */
static void drop_if_unneeded(struct errands_target *target)
{
    if (target->is_open) {
        set_idle(target);
        return;
    }
    if (is_needed(target))
        return;
    if (target->conn)
        sp_conn_close(target->conn, false);
    give_up(target, "");
}

static struct errands_target *get_target(struct errands *errands, const char *path,
                                         bool is_for_calls)
{
    struct errands_target *target = NULL;

    HASH_FIND_STR(errands->targets[is_for_calls], path, target);
    if (target)
        return target;
    if (HASH_COUNT(errands->targets[0]) + HASH_COUNT(errands->targets[1]) >= errands->target_max) {
        errands->is_crowded = true;
        return NULL;
    }
    target = memory_zeroed(sizeof *target);
    target->errands = errands;
    target->is_for_calls = is_for_calls;
    snprintf(target->path, sizeof target->path, "%s", path);
    ev_init(&target->again, on_again);
    HASH_ADD_STR(errands->targets[is_for_calls], path, target);
    dial(target);
    return target;
}

/* ---- what is asked for ------------------------------------------------------------------------
 */

static bool has_room(struct errands_target *target)
{
    if (target->waiting_bytes + buf_length(&target->left) <= WAITING_MAX &&
        (!target->is_open || sp_conn_queued(target->conn) <= WAITING_MAX))
        return true;
    target->is_full = true;
    if (target->is_open)
        sp_conn_ask_drain(target->conn, ROOM);
    return false;
}

static int carry(struct errands *errands, const char *path, const void *body, size_t size,
                 void *token)
{
    struct errands_target *target = get_target(errands, path, token != NULL);

    if (!target || !has_room(target)) {
        errno = EAGAIN;
        return -1;
    }
    make_errand(target, token, body, size);
    if (target->is_open)
        send_waiting(target);
    await_due(errands);
    return 0;
}

int errands_call(struct errands *errands, const char *path, const void *body, size_t size,
                 void *token)
{
    return carry(errands, path, body, size, token);
}

int errands_cast(struct errands *errands, const char *path, const void *body, size_t size)
{
    return carry(errands, path, body, size, NULL);
}

/* ---- life ------------------------------------------------------------------------------------ */

void errands_init(struct errands *errands)
{
    ev_init(&errands->due, on_due);
    hotlines_init(&errands->hotlines, errands->loop, errands->run_dir, errands->self);
}

void errands_finish(struct errands *errands)
{
    struct errands_target *target, *next;

    for (int i = 0; i < 2; i++)
        HASH_ITER (hh, errands->targets[i], target, next) {
            struct errand *errand, *other;

            while (target->waiting)
                forget_errand(target->waiting);
            HASH_ITER (hh, target->sent, errand, other)
                forget_errand(errand);
            if (target->conn)
                sp_conn_close(target->conn, true);
            detach(target);
            free_target(target);
        }
    ev_timer_stop(errands->loop, &errands->due);
    hotlines_finish(&errands->hotlines);
}
