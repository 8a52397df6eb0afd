/*
 * Links and monitors of this actor (SEMANTICS 7): what it has asked its supervisor for on the control
 * socket, and what comes back. Ends are believed from there only. Private to the runtime.
 */
#ifndef TROUPE_TIES_H
#define TROUPE_TIES_H

#include "reason.h"

#include <stdbool.h>
#include <stdint.h>

struct troupe;
struct tie;

enum { TIES_LINK_MS = 5000 };

struct ties {
    struct tie *all; /* monitors and questions, by ref */
    uint64_t last_ref;
    /* the one link that is being waited for */
    const char *linking; /* its path; NULL: none */
    bool linked;         /* answered */
    char link_failure[REASON_MAX];
};

void ties_init(struct troupe *self);
void ties_finish(struct troupe *self);

/* Asks how an incarnation ended ("shop/db#3"): on_end is called once, within ms, with the reason or
 * "unknown", at once when it comes. Returns the question's number, or 0 (ENOMEM, ENOTCONN). */
uint64_t ties_ask_end(struct troupe *self, const char *address, int64_t ms,
                      void (*on_end)(struct troupe *self, const char *reason, void *data), void *data);
void ties_forget_question(struct troupe *self, uint64_t question);

/* Lines from the supervisor: the text after DOWN, EXIT, LINKED. */
void ties_on_down(struct troupe *self, char *rest);
void ties_on_exit(struct troupe *self, char *rest);
void ties_on_linked(struct troupe *self, char *rest);

#endif
