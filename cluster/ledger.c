#include "ledger.h"

#include "control.h"
#include "loop.h"
#include "memory.h"
#include "mono.h"
#include "peer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

struct asked {
    UT_hash_handle hh; /* by ref, in the order of asking */
    uint64_t ref;      /* 0: it could not even be sent */
    struct mono deadline;
    const char *reply;
    ledger_answered *on_answer;
    void *data;
    struct asked *next_failed;
};

struct ledger {
    struct ev_loop *loop;
    const char *run_dir, *self;
    struct peer *peer; /* NULL: not connected */
    struct asked *asked;
    struct asked *failed; /* to be answered at the loop's next turn */
    ev_timer due;
};

static void answer(struct asked *asked, const struct ledger_answer *what)
{
    asked->on_answer(asked->data, what);
    free(asked);
}

static void answer_unreachable(struct asked *asked)
{
    static const struct ledger_answer unreachable = {.outcome = LEDGER_UNREACHABLE};

    answer(asked, &unreachable);
}

/* ---- time ----------------------------------------------------------------------------------- */

static void set_timer(struct ledger *ledger)
{
    const struct asked *first = ledger->asked;
    int64_t in_ms = first ? mono_diff_ms(first->deadline, mono_now()) : 0;

    ev_timer_stop(ledger->loop, &ledger->due);
    if (!first && !ledger->failed)
        return;
    if (ledger->failed || in_ms < 0)
        in_ms = 0;
    ev_now_update(ledger->loop);
    ev_timer_set(&ledger->due, (double)in_ms / 1000, 0.);
    ev_timer_start(ledger->loop, &ledger->due);
}

static void answer_failed(struct ledger *ledger)
{
    struct asked *failed = ledger->failed;

    ledger->failed = NULL;
    while (failed) {
        struct asked *next = failed->next_failed;

        answer_unreachable(failed);
        failed = next;
    }
}

/* All have the same patience: the first that was asked is due first. */
static void on_due(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct ledger *ledger = container_of(timer, struct ledger, due);
    struct mono now = mono_now();

    (void)loop;
    (void)events;
    answer_failed(ledger);
    while (ledger->asked && mono_diff_ms(ledger->asked->deadline, now) <= 0) {
        struct asked *late = ledger->asked;

        HASH_DEL(ledger->asked, late);
        answer_unreachable(late);
    }
    set_timer(ledger);
}

/* ---- what comes back ------------------------------------------------------------------------ */

static enum ledger_outcome outcome_of(const struct envelope *env)
{
    static const struct {
        const char *head;
        enum ledger_outcome outcome;
    } heads[] = {{CONTROL_E_FENCED, LEDGER_FENCED},
                 {CONTROL_E_NOT_FOUND, LEDGER_NOT_FOUND},
                 {CONTROL_E_CONFLICT, LEDGER_CONFLICT}};

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        size_t length = strlen(heads[i].head);

        if (env->payload_size >= length && !memcmp(env->payload, heads[i].head, length))
            return heads[i].outcome;
    }
    return LEDGER_UNREACHABLE;
}

static void take_rows(struct asked *asked, const struct envelope *env)
{
    struct words rows = {0};
    struct ledger_answer what = {.outcome = LEDGER_DONE, .rows = &rows};

    if (wire_unpack_words(env->payload, env->payload_size, &rows) < 0)
        what.outcome = LEDGER_UNREACHABLE;
    answer(asked, &what);
    words_finish(&rows);
}

static void take_values(struct asked *asked, const struct envelope *env)
{
    union wire_value values[WIRE_VALUES_MAX] = {0};
    struct ledger_answer what = {.outcome = LEDGER_DONE, .values = values};
    const char *reply = asked->reply;
    bool is_good = wire_unpack_values(reply, env->payload, env->payload_size, values) == 0;

    if (!is_good)
        what.outcome = LEDGER_UNREACHABLE;
    answer(asked, &what);
    if (is_good)
        wire_values_finish(reply, values);
}

static void take(struct asked *asked, const struct envelope *env)
{
    if (env->kind == ENVELOPE_ERROR) {
        struct ledger_answer what = {.outcome = outcome_of(env)};

        answer(asked, &what);
    } else if (asked->reply) {
        take_values(asked, env);
    } else {
        take_rows(asked, env);
    }
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct ledger *ledger = peer_data(peer);
    struct asked *asked = NULL;

    if (fd >= 0)
        close(fd);
    if (env->kind == ENVELOPE_CONTROL_REPLY || env->kind == ENVELOPE_ERROR)
        HASH_FIND(hh, ledger->asked, &env->ref, sizeof env->ref, asked);
    if (!asked)
        return;
    HASH_DEL(ledger->asked, asked);
    take(asked, env);
    set_timer(ledger);
}

static void fail_later(struct ledger *ledger, struct asked *asked)
{
    asked->next_failed = ledger->failed;
    ledger->failed = asked;
    set_timer(ledger);
}

static void on_close(struct peer *peer, const char *why)
{
    struct ledger *ledger = peer_data(peer);

    (void)why;
    ledger->peer = NULL;
    while (ledger->asked) {
        struct asked *asked = ledger->asked;

        HASH_DEL(ledger->asked, asked);
        fail_later(ledger, asked);
    }
}

/* ---- asking --------------------------------------------------------------------------------- */

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static uint64_t transmit(struct ledger *ledger, const struct ledger_request *request)
{
    if (!ledger->peer)
        ledger->peer = peer_dial(ledger->loop, ledger->run_dir, "sys/store", ledger->self,
                                 mono_add_ms(mono_now(), LEDGER_TIMEOUT_MS), &handlers, ledger);
    return ledger->peer
               ? peer_request_values(ledger->peer, request->verb, request->format, request->values)
               : 0;
}

void ledger_ask(struct ledger *ledger, const struct ledger_request *request)
{
    struct asked *asked = memory_zeroed(sizeof *asked);

    asked->deadline = mono_add_ms(mono_now(), LEDGER_TIMEOUT_MS);
    asked->reply = request->reply;
    asked->on_answer = request->on_answer;
    asked->data = request->data;
    asked->ref = transmit(ledger, request);
    if (asked->ref) {
        HASH_ADD(hh, ledger->asked, ref, sizeof asked->ref, asked);
        set_timer(ledger);
    } else {
        fail_later(ledger, asked);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

struct ledger *ledger_create(struct ev_loop *loop, const char *run_dir, const char *self)
{
    struct ledger *ledger = memory_zeroed(sizeof *ledger);

    ledger->loop = loop;
    ledger->run_dir = run_dir;
    ledger->self = self;
    ev_init(&ledger->due, on_due);
    return ledger;
}

void ledger_destroy(struct ledger *ledger)
{
    if (!ledger)
        return;
    ev_timer_stop(ledger->loop, &ledger->due);
    peer_close(ledger->peer, true);
    while (ledger->asked) {
        struct asked *asked = ledger->asked;

        HASH_DEL(ledger->asked, asked);
        free(asked);
    }
    while (ledger->failed) {
        struct asked *asked = ledger->failed;

        ledger->failed = asked->next_failed;
        free(asked);
    }
    free(ledger);
}
