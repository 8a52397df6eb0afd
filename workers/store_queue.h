/*
 * What the three backends share: the requests that wait and those that are with the store, their
 * order, their deadlines, and what becomes of them when a connection ends. A backend is a table of
 * functions; it takes jobs from the queue and answers them.
 */
#ifndef TROUPE_STORE_QUEUE_H
#define TROUPE_STORE_QUEUE_H

#include "store_backend.h"

#include <sys/queue.h>

/* A request, copied, until it is answered. */
struct store_job {
    TAILQ_ENTRY(store_job) entry;
    struct store_request request;
    char writer[36]; /* its own, of all writers of this store */
    int64_t now_us;  /* wall clock at its coming: `saved_us`, and a new row's first version */
    char *key;       /* jobs of the same key go one after the other; "": of none */
    size_t bytes;
    struct mono sent_at;
    bool is_sent;               /* is with the store */
    bool is_again;              /* was there before, and its answer was lost */
    bool is_abandoned;          /* was answered at its deadline; what comes for it is dropped */
    struct store_answer answer; /* the backend's, until store_finish() */
    int step;                   /* the backend's own; 0 at each taking */
};

TAILQ_HEAD(store_jobs, store_job);

struct store_backend {
    const char *name;
    /* NULL with err. */
    void *(*create)(struct store *store, const struct store_config *config, struct error *err);
    void (*destroy)(void *self);
    /* There is something to take; called in a turn of its own, after all that came in the turn
     * before. */
    void (*on_work)(void *self);
    /* A job that was sent is past its patience: the connection is to be closed. NULL: never waits.
     */
    void (*on_silence)(void *self);
};

extern const struct store_backend store_sqlite, store_postgres, store_redis;

enum {
    STORE_PATIENCE_MS = 2000,
    STORE_BATCH_MAX = 256,
    STORE_AGAIN_MS = 100, /* after the first failure, doubling */
    STORE_AGAIN_MAX_MS = 2000,
};

struct ev_loop *store_loop(const struct store *store);

/* The next job that may go, now sent; NULL: there is none. One whose key is with the store waits.
 */
struct store_job *store_take(struct store *store);
/* Answers with job->answer, and frees it. */
void store_finish(struct store *store, struct store_job *job);
/* The same with this status and text (NULL: none). */
void store_finish_as(struct store *store, struct store_job *job, enum store_status status,
                     const char *why);
/* Puts a sent job back in front of those that wait. may_have_arrived: the store may have carried it
 * out. */
void store_put_back(struct store *store, struct store_job *job, bool may_have_arrived);
/* The connection is lost: all that was sent goes again, in order, once there is work. */
void store_put_all_back(struct store *store);
/* How long to wait before the server is tried again: longer after each failure, until it answers. */
int64_t store_again_ms(struct store *store);
/* on_work will be called, soon. */
void store_wake(struct store *store);
/* What is said of requests whose deadline comes (NULL: the store answers). Tells config's
 * on_trouble of changes. */
void store_set_trouble(struct store *store, const char *why);
bool store_has_work(const struct store *store);

/* Ops that change nothing; ops on state rows. */
bool store_op_is_read(enum store_op op);

/* Fills text fields of an answer; longer ones are cut. */
void store_answer_holder(struct store_answer *answer, const char *node, const char *generation);
void store_answer_set_state(struct store_answer *answer, const char *state);
/* A copy of value. 0, or -1 with ENOMEM. */
int store_answer_value(struct store_answer *answer, const void *value, size_t size);
/* Forgets what it holds: the job goes again. */
void store_answer_reset(struct store_answer *answer);

#endif
