#include "service.h"

#include "addr.h"
#include "intensity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct failing {
    UT_hash_handle hh;
    char id[ADDR_PART_MAX + 1];
    struct intensity failures;
    struct backoff backoff;
    int64_t not_before_ms, poison_until_ms, forget_ms;
    char reason[REASON_MAX];
};

void service_init(struct service *service, const struct spec_service *spec)
{
    *service = (struct service){.spec = *spec};
}

static void forget(struct service *service, struct failing *failing)
{
    HASH_DEL(service->failing, failing);
    service->failing_count--;
    intensity_finish(&failing->failures);
    free(failing);
}

void service_finish(struct service *service)
{
    struct failing *failing, *next;

    HASH_ITER (hh, service->failing, failing, next) {
        forget(service, failing);
    }
}

struct service_answer service_ask(const struct service *service, const char *id, uint32_t live,
                                  int64_t now_ms)
{
    struct service_answer answer = {.verdict = SERVICE_START};
    struct failing *failing;

    HASH_FIND_STR(service->failing, id, failing);
    if (failing && failing->poison_until_ms > now_ms)
        return (struct service_answer){SERVICE_POISON, failing->poison_until_ms - now_ms,
                                       failing->failures.limit + 1, failing->reason};
    if (live >= service->spec.max)
        return (struct service_answer){.verdict = SERVICE_FULL};
    if (failing && failing->not_before_ms > now_ms)
        answer = (struct service_answer){SERVICE_LATER, failing->not_before_ms - now_ms, 0,
                                         failing->reason};
    return answer;
}

/* Those that were not looked at for longest come first: so a few steps a failure keep the table
 * about as small as what fails. */
static void forget_some(struct service *service, int64_t now_ms)
{
    enum { STEPS = 4 };
    struct failing *failing;

    for (int step = 0; step < STEPS && (failing = service->failing); step++) {
        if (failing->forget_ms <= now_ms) {
            forget(service, failing);
            continue;
        }
        HASH_DEL(service->failing, failing);
        HASH_ADD_STR(service->failing, id, failing);
    }
}

static struct failing *remember(struct service *service, const char *id)
{
    struct failing *failing;

    HASH_FIND_STR(service->failing, id, failing);
    if (failing)
        return failing;
    failing = calloc(1, sizeof *failing);
    if (!failing)
        return NULL;
    snprintf(failing->id, sizeof failing->id, "%s", id);
    intensity_init(&failing->failures, service->spec.intensity, service->spec.period_ms);
    HASH_ADD_STR(service->failing, id, failing);
    service->failing_count++;
    return failing;
}

static int64_t later_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

void service_failed(struct service *service, const char *id, const char *reason, int64_t ran_ms,
                    int64_t now_ms, double chance)
{
    const struct spec_service *spec = &service->spec;
    struct failing *failing;

    forget_some(service, now_ms);
    failing = remember(service, id);
    if (!failing)
        return;
    snprintf(failing->reason, sizeof failing->reason, "%s", reason);
    failing->not_before_ms =
        now_ms + backoff_next(&failing->backoff, &spec->backoff, ran_ms, chance);
    if (!intensity_add(&failing->failures, now_ms)) {
        failing->poison_until_ms = now_ms + spec->refuse_ms;
        intensity_finish(&failing->failures); /* it begins anew */
        intensity_init(&failing->failures, spec->intensity, spec->period_ms);
    }
    failing->forget_ms = later_of(now_ms + later_of(spec->period_ms, spec->backoff.reset_after_ms),
                                  failing->poison_until_ms);
}

bool service_restarts(const struct service_end *end)
{
    return end->was_ready && (end->wants_restart || end->is_awaited);
}
