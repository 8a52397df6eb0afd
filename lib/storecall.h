/*
 * An actor's requests to sys/store (control.h): one at a time each, answered exactly once, by their
 * deadline. Private to the runtime.
 *
 * What comes of one is told as its failure: NULL, or a line whose first word is sys/store's own
 * (`not_found`, `conflict`, `fenced`, `unreachable`, `failed`, …) or a call's (`noproc`, `down`,
 * `timeout`, …; SEMANTICS 6).
 */
#ifndef TROUPE_STORECALL_H
#define TROUPE_STORECALL_H

#include "message.h"
#include "mono.h"
#include "reason.h"
#include "wire.h"

#include <stdbool.h>

/* Called between messages or while the actor is busy or waits: the runtime's own. */
typedef void storecall_done(struct troupe *self, const char *failure,
                            const struct troupe_message *answer, void *data);

struct storecall {
    const char *verb, *format;
    const union wire_value *values; /* copied */
    struct mono deadline;
    bool may_go_again; /* it may be carried out twice: a sys/store that was killed is asked again */
    storecall_done *done;
    void *data;
};

/* 0; or -1 with errno as troupe_cast(): done is not called then. */
int storecall_ask(struct troupe *self, const struct storecall *call);

/* Is it open whether a write was carried out? */
bool storecall_is_open(const char *failure);
bool storecall_is(const char *failure, const char *head);
/* As the author and people hear it: `unreachable WHY` when the store, or sys/store, does not
 * answer. */
void storecall_explain(const char *failure, char out[REASON_MAX]);

#endif
