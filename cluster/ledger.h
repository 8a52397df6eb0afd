/*
 * Rows of sys/store, asked for by sys/node (control.h, CLUSTER 4). Each request is answered exactly
 * once, never before ledger_ask() has returned: by the store, or as unreachable when its mailbox is
 * not there, ends the connection, or has not answered in time. Of a write that was unreachable it
 * is not known whether it was carried out.
 */
#ifndef TROUPE_CLUSTER_LEDGER_H
#define TROUPE_CLUSTER_LEDGER_H

#include "wire.h"

#include <ev.h>
#include <stdint.h>

struct ledger;

enum ledger_outcome {
    LEDGER_DONE,
    LEDGER_NOT_FOUND, /* the store has answered: there is no such row */
    LEDGER_CONFLICT,  /* there is one, and it is not as the request says */
    LEDGER_FENCED,    /* whoever asks has no part in it any more */
    LEDGER_UNREACHABLE,
};

struct ledger_answer {
    enum ledger_outcome outcome;
    const union wire_value *values; /* done: as `reply` says; valid during the call */
    const struct words *rows;       /* the same, of a list */
};

typedef void ledger_answered(void *data, const struct ledger_answer *answer);

struct ledger_request {
    const char *verb;   /* CONTROL_PLACE_READ … */
    const char *format; /* of the values */
    const union wire_value *values;
    const char *reply; /* the format of what comes back; NULL: a list of words */
    ledger_answered *on_answer;
    void *data;
};

enum { LEDGER_TIMEOUT_MS = 3000 };

/* self: our address. Both texts are borrowed. */
struct ledger *ledger_create(struct ev_loop *loop, const char *run_dir, const char *self);
/* What was asked is not answered any more. Takes NULL. */
void ledger_destroy(struct ledger *ledger);

/* Values are copied. */
void ledger_ask(struct ledger *ledger, const struct ledger_request *request);

/* Values of a request. */
static inline union wire_value ledger_text(const char *text)
{
    return (union wire_value){.bytes = {(char *)text, __builtin_strlen(text)}};
}

static inline union wire_value ledger_number(int64_t number)
{
    return (union wire_value){.i = number};
}

#endif
