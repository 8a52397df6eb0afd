/*
 * Control requests (lib/control.h): the supervisor's mailbox, who may ask what, and the answers. Each
 * request is answered exactly once; one that takes time waits here for its child, and is forgotten,
 * not cancelled, when its asker goes away.
 */
#ifndef TROUPE_REQUESTS_H
#define TROUPE_REQUESTS_H

#include "peer.h"

#include <stdbool.h>

struct supervisor;
struct child;

struct request {
    struct supervisor *supervisor;
    struct peer *peer;
    uint64_t ref;
    struct words words;
};

struct waiter;

struct requests {
    struct supervisor *supervisor;
    struct sp_listener *listener;
    struct waiter *waiters;
    /* The root's own verbs; false when it is none of them. */
    bool (*extra)(const char *verb, const struct request *request);
};

/* Serves the bound socket (taken over). 0, or -1 with errno. */
int requests_init(struct requests *requests, struct supervisor *supervisor, int mailbox_fd);
void requests_finish(struct requests *requests);

/* What waiters wait for. */
void requests_on_ready(struct requests *requests, struct child *child);
void requests_on_down(struct requests *requests, struct child *child);
void requests_on_start_failure(struct requests *requests, struct child *child, const char *reason);
void requests_on_forget(struct requests *requests, struct child *child);

/* Lets an asker go that does not read: its waiters and subscriptions end with it. */
void requests_drop(struct requests *requests, struct peer *peer);

/* Stops children and forgets them: `rm`, and the root's `down APP...`. Answers when all are gone. */
void requests_remove(const struct request *request);

/* Somebody said on his own connection what only we have to say, or only who is attached: it is
 * refused, logged, and the end of that connection. */
void requests_forged(struct supervisor *supervisor, struct peer *peer, const char *what);

/* One text, as words. */
void request_done(const struct request *request, const char *text);
void request_refuse(const struct request *request, const char *head, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
