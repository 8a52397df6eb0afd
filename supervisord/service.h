/*
 * What a service decides (CLUSTER 4): may this id be started now, later, or not at all; and does one
 * whose incarnation has ended start again. Remembers the ids that have failed lately, and no others.
 * Pure: time and chance are arguments.
 */
#ifndef TROUPE_SERVICE_H
#define TROUPE_SERVICE_H

#include "reason.h"
#include "spec.h"

#include <stdbool.h>
#include <stdint.h>

struct failing;

struct service {
    struct spec_service spec;
    struct failing *failing; /* by id; those whose time is over are forgotten at the next failure */
    uint32_t failing_count;
};

void service_init(struct service *service, const struct spec_service *spec);
void service_finish(struct service *service);

enum service_verdict {
    SERVICE_START,  /* now */
    SERVICE_LATER,  /* in `delay_ms`: it rests after a failure */
    SERVICE_POISON, /* it has failed too often: for `delay_ms` more, because of `reason` */
    SERVICE_FULL,   /* as many as there may be live already */
};

struct service_answer {
    enum service_verdict verdict;
    int64_t delay_ms;
    unsigned failures;  /* of a poison id, within the period */
    const char *reason; /* its last failure; valid until the service is told of another */
};

/* Somebody asks for an id that does not live, while `live` others do. */
struct service_answer service_ask(const struct service *service, const char *id, uint32_t live,
                                  int64_t now_ms);
/* An incarnation failed, or could not be started; it was ready for ran_ms (0: it never was). chance is in
 * [0, 1). Without memory for it nothing is remembered. */
void service_failed(struct service *service, const char *id, const char *reason, int64_t ran_ms,
                    int64_t now_ms, double chance);

/* How an incarnation that nobody has stopped ended. */
struct service_end {
    bool was_ready;
    bool wants_restart; /* it said so itself */
    bool is_awaited;    /* somebody waits in its listen queue, or has asked for it meanwhile */
};

/* Does it start again at once, as far as service_ask() allows? One that could not be started does not: who
 * asked hears why. */
bool service_restarts(const struct service_end *end);

#endif
