/* Callers in one process: so many at once, each of which calls one of so many ids again and again,
 * with a pause in between; tells how many calls were answered, and the rest by the first word of
 * their failures. Or they cast, and nobody answers. */
#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 16, WORD = 32 };

struct caller {
    struct swarm *swarm;
    int64_t id, rounds;
};

struct swarm {
    struct troupe *self;
    struct troupe_message *asker;
    char prefix[200], name[64];
    int64_t lo_ms, hi_ms, timeout_ms;
    struct caller *callers;
    uint64_t running;
    struct {
        char word[WORD];
        uint64_t count;
    } kinds[KINDS];
};

static void next(struct caller *caller);

static void count(struct swarm *swarm, const char *outcome)
{
    char word[WORD];
    int i = 0;

    snprintf(word, sizeof word, "%.*s", (int)strcspn(outcome, " "), outcome);
    while (i < KINDS - 1 && *swarm->kinds[i].word && strcmp(swarm->kinds[i].word, word) != 0)
        i++;
    strcpy(swarm->kinds[i].word, word);
    swarm->kinds[i].count++;
}

static void tell(struct swarm *swarm)
{
    char text[KINDS * (WORD + 24)] = "";
    size_t length = 0;

    for (int i = 0; i < KINDS && *swarm->kinds[i].word; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s=%" PRIu64,
                                   i ? " " : "", swarm->kinds[i].word, swarm->kinds[i].count);
    troupe_reply(swarm->asker, text);
    free(swarm->callers);
    swarm->asker = NULL;
    swarm->callers = NULL;
}

static void on_time(struct troupe *self, uint64_t missed, void *data)
{
    (void)self;
    (void)missed;
    next(data);
}

static void go_on(struct caller *caller)
{
    struct swarm *swarm = caller->swarm;
    int64_t spread = swarm->hi_ms - swarm->lo_ms + 1;

    if (--caller->rounds > 0 && swarm->hi_ms > 0)
        troupe_after(swarm->self, swarm->lo_ms + random() % spread, on_time, caller);
    else if (caller->rounds > 0)
        next(caller);
    else if (--swarm->running == 0)
        tell(swarm);
}

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct caller *caller = data;

    (void)self;
    count(caller->swarm, troupe_failure(answer) ? troupe_failure(answer) : "answered");
    go_on(caller);
}

static void next(struct caller *caller)
{
    struct swarm *swarm = caller->swarm;
    char to[256];

    snprintf(to, sizeof to, "%s%" PRId64, swarm->prefix, caller->id);
    if (swarm->timeout_ms > 0) {
        troupe_ask(swarm->self, to, swarm->timeout_ms, on_answer, caller, swarm->name);
        return;
    }
    count(swarm, troupe_cast(swarm->self, to, swarm->name) < 0 ? "refused" : "sent");
    go_on(caller);
}

static void on_run(struct troupe *self, struct troupe_message *message)
{
    struct swarm *swarm = troupe_state(self);
    int64_t callers = troupe_int(message, 2), ids = troupe_int(message, 3);

    if (swarm->asker || callers < 1 || ids < 1) {
        troupe_fail(message, "not now");
        return;
    }
    *swarm = (struct swarm){.self = self,
                            .lo_ms = troupe_int(message, 5),
                            .hi_ms = troupe_int(message, 6),
                            .timeout_ms = troupe_int(message, 7),
                            .running = (uint64_t)callers};
    snprintf(swarm->prefix, sizeof swarm->prefix, "%s", troupe_text(message, 0));
    snprintf(swarm->name, sizeof swarm->name, "%s", troupe_text(message, 1));
    swarm->callers = calloc((size_t)callers, sizeof *swarm->callers);
    swarm->asker = troupe_keep(message);
    for (int64_t i = 0; i < callers; i++)
        swarm->callers[i] = (struct caller){swarm, i % ids, troupe_int(message, 4)};
    for (int64_t i = 0; i < callers; i++)
        next(&swarm->callers[i]);
}

static const struct troupe_handler messages[] = {
    {"run", "ssIIIIII", "s", on_run,
     "calls of PREFIX0 … the message NAME, by CALLERS, of IDS, ROUNDS times, with pauses of LO to "
     "HI "
     "ms, each for TIMEOUT ms; or, with a TIMEOUT of 0, casts"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct swarm), .messages = messages);
