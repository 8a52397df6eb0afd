/*
 * Errands for guests: what is carried to mailboxes of this node as nng clients of this host would
 * carry it (PROTOCOL 1, raw), and the answers. One connection for each mailbox and pattern, shared
 * by all that has to go there; it ends when it was idle for a while.
 *
 * Who is not there, and is an actor of a service, is asked for (summons.h); one that turns out to
 * live on another node is `!moved NODE`, for that node's gateway.
 *
 * A call is answered once, within ERRANDS_CALL_MS. One that no actor has heard yet waits for an
 * actor that is being restarted; one that was heard by an actor that ended is `!down`. Casts that
 * an actor's end has left here go to its next life, or are lost, each by name. Memory: what
 * waits for a mailbox is bounded in bytes; beyond it, and beyond the number of mailboxes, is
 * EAGAIN.
 */
#ifndef TROUPE_CLUSTER_ERRANDS_H
#define TROUPE_CLUSTER_ERRANDS_H

#include "hotline.h"
#include "mono.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Less than the 60 s after which nng sends a request again; a variable for the tests. */
extern int64_t errands_call_ms;

struct errand;
struct errands_target;

struct errands_handlers {
    /* Of a call: `+VALUES`, `!REASON`, or the bytes of who speaks bytes. */
    void (*answered)(void *data, void *token, const void *body, size_t size);
    /* A cast came to nothing. */
    void (*lost)(void *data, const char *path, const char *why);
    /* Who heard EAGAIN may try again. */
    void (*room)(void *data);
};

struct errands {
    struct ev_loop *loop;
    const char *run_dir, *self; /* and our address; borrowed, as all above the line */
    unsigned target_max;        /* connections */
    const struct errands_handlers *handlers;
    void *data;
    /* its own */
    struct errands_target *targets[2]; /* for casts, for calls; by path */
    bool is_crowded;                   /* somebody was told that there are too many of them */
    struct errand *calls;              /* without an answer, oldest first */
    struct hotlines hotlines;
    ev_timer due;
};

void errands_init(struct errands *errands);
/* Ends everything, without a word to anybody. */
void errands_finish(struct errands *errands);

/* Carries `body` (copied) there. 0, and then, never before this returns, answered() or lost(),
 * which a cast that arrives does without. Or -1 with EAGAIN: no room, or ENOMEM. token: not NULL.
 */
int errands_call(struct errands *errands, const char *path, const void *body, size_t size,
                 void *token);
int errands_cast(struct errands *errands, const char *path, const void *body, size_t size);

#endif
