/*
 * Hot lines: requests to a mailbox that is asked often, over one connection for all of them, kept
 * for a while after the last. Who calls a thousand actors that are not there yet asks the same
 * supervisor a thousand times.
 */
#ifndef TROUPE_HOTLINE_H
#define TROUPE_HOTLINE_H

#include "peer.h"

#include <ev.h>
#include <sys/queue.h>

struct hotline;

/* A request under way. The owner's memory, zeroed, with both functions set. After either of them it
 * is as new. */
struct hotline_request {
    LIST_ENTRY(hotline_request) entry;
    struct hotline *line; /* NULL: it is not under way */
    uint64_t ref;
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
/* 0, or -1 with errno. Neither function is called before this returns. */
int hotline_ask(struct hotlines *hotlines, const char *mailbox, const char *verb,
                const struct words *words, struct hotline_request *request);
/* Its answer is not waited for. Also when it is not under way. */
void hotline_cancel(struct hotline_request *request);

#endif
