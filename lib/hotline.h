/*
 * Hot lines: requests to a mailbox that is asked often, over one connection for all of them, kept
 * for a while after the last. Who calls a thousand actors that are not there yet asks the same
 * supervisor a thousand times.
 */
#ifndef TROUPE_HOTLINE_H
#define TROUPE_HOTLINE_H

#include "peer.h"
#include "reserve.h"

#include <ev.h>
#include <sys/queue.h>

enum {
    HOTLINE_MOST = 50000, /* requests under way on one line */
    /* Bytes of them in its outbox: what is written cannot be cancelled any more. */
    HOTLINE_WRITTEN_MAX = 64 << 10
};

struct hotline;

/* A request under way. The owner's memory, zeroed, with both functions set. After either of them it
 * is as new. */
struct hotline_request {
    TAILQ_ENTRY(hotline_request) entry; /* of those that wait to be written */
    UT_hash_handle hh;                  /* of those that were, by ref */
    struct hotline *line;               /* NULL: it is not under way */
    uint64_t ref;                       /* 0: it waits to be written */
    const char *verb;
    const struct words *words;
    /* A reply or an error. */
    void (*on_answer)(struct hotline_request *request, const struct envelope *env);
    /* The connection has ended, why as in peer.h; was_open: who was asked had been reached. */
    void (*on_lost)(struct hotline_request *request, const char *why, bool was_open);
};

struct hotlines {
    struct ev_loop *loop;
    const char *run_dir, *self;
    LIST_HEAD(hotline_list, hotline) lines;
};

/* run_dir and self, the asker's address, outlive it. */
void hotlines_init(struct hotlines *hotlines, struct ev_loop *loop, const char *run_dir,
                   const char *self);
/* Closes all of them; nothing is under way any more. */
void hotlines_finish(struct hotlines *hotlines);
/* 0; or -1 with errno: EAGAIN when HOTLINE_MOST are under way there. Neither function is called
 * before this returns. Verb and words (NULL: none) are borrowed while it is under way. */
int hotline_ask(struct hotlines *hotlines, const char *mailbox, const char *verb,
                const struct words *words, struct hotline_request *request);
/* Its answer is not waited for, and if it was not written yet, it never is. Also when it is not
 * under way. */
void hotline_cancel(struct hotline_request *request);

#endif
