/*
 * When a node is dialled again: at once, then after 1 s, doubling to 15 s, ± 25 %, at least 5 s
 * after a refusal, for ever, until somebody says `disconnect` (CLUSTER 1). Pure: times (ms,
 * monotonic) and random numbers are arguments.
 */
#ifndef TROUPE_CLUSTER_DIALING_H
#define TROUPE_CLUSTER_DIALING_H

#include <stdbool.h>
#include <stdint.h>

enum { DIALING_FIRST_MS = 1000, DIALING_LAST_MS = 15000, DIALING_REFUSED_MS = 5000 };

struct dialing {
    enum dialing_state {
        DIALING_WAITING, /* until due_ms */
        DIALING_TRYING,  /* a connection is under way */
        DIALING_HELD,    /* there is a session with that node: nothing to dial for */
        DIALING_STOPPED, /* by order */
    } state;
    unsigned failures; /* since the last session */
    int64_t due_ms;
};

/* How long to wait after this many failures in a row (at least 1). */
int64_t dialing_delay_ms(unsigned failures, bool is_refused, uint32_t random);

/* Begins, or begins anew after a stop: due in so many ms. */
void dialing_start(struct dialing *dialing, int64_t now_ms, int64_t in_ms);
bool dialing_is_due(const struct dialing *dialing, int64_t now_ms);
/* It was due and is being tried. */
void dialing_try(struct dialing *dialing);
/* The try came to nothing; is_refused: somebody was there and did not want us, or we did not want
 * it. */
void dialing_fail(struct dialing *dialing, bool is_refused, int64_t now_ms, uint32_t random);
/* There is a session with that node, whoever dialled it. */
void dialing_hold(struct dialing *dialing);
/* It has ended. */
void dialing_release(struct dialing *dialing, int64_t now_ms, uint32_t random);
void dialing_stop(struct dialing *dialing);

#endif
