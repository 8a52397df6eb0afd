/* Calls actors of a service: ones that are not there yet, one by one or many at once, and ones that
 * live. */
#include "measure.h"

#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 20000, LIMIT_MS = 60000 };

struct summoner {
    struct troupe_message *asker;
    char prefix[200];
    int64_t next, end, waiting, failed, begin;
};

static void address(const char *prefix, int64_t id, char out[256])
{
    snprintf(out, 256, "%s%" PRId64, prefix, id);
}

/* one PREFIX FROM N: replies "P50 P99", nanoseconds. */
static void on_one(struct troupe *self, struct troupe_message *message)
{
    int64_t from = troupe_int(message, 1), n = troupe_int(message, 2);
    int64_t *took = n > 0 && n <= MOST ? calloc((size_t)n, sizeof *took) : NULL;
    char to[256], text[64];

    for (int64_t i = 0; took && i < n; i++) {
        struct troupe_message *answer;
        bool failed;

        address(troupe_text(message, 0), from + i, to);
        took[i] = measure_now();
        answer = troupe_call(self, to, LIMIT_MS, "count");
        took[i] = measure_now() - took[i];
        failed = troupe_failure(answer) != NULL;
        troupe_free(answer);
        if (failed) {
            free(took);
            took = NULL;
        }
    }
    if (!took) {
        troupe_fail(message, "a call failed");
        return;
    }
    measure_sort(took, n);
    snprintf(text, sizeof text, "%" PRId64 " %" PRId64, measure_quantile(took, n, 50),
             measure_quantile(took, n, 99));
    troupe_reply(message, text);
    free(took);
}

static void ask_next(struct troupe *self);

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct summoner *summoner = data;

    summoner->failed += troupe_failure(answer) != NULL;
    summoner->waiting--;
    if (summoner->next < summoner->end) {
        ask_next(self);
    } else if (summoner->waiting == 0) {
        if (summoner->failed)
            troupe_fail(summoner->asker, "%" PRId64 " calls failed", summoner->failed);
        else
            troupe_reply(summoner->asker, measure_now() - summoner->begin);
        summoner->asker = NULL;
    }
}

static void ask_next(struct troupe *self)
{
    struct summoner *summoner = troupe_state(self);
    char to[256];

    address(summoner->prefix, summoner->next++, to);
    summoner->waiting++;
    if (troupe_ask(self, to, LIMIT_MS, on_answer, summoner, "count") < 0)
        summoner->failed++;
}

/* many PREFIX FROM N AT-ONCE: replies the nanoseconds that all took. */
static void on_many(struct troupe *self, struct troupe_message *message)
{
    struct summoner *summoner = troupe_state(self);
    int64_t window = troupe_int(message, 3);

    *summoner = (struct summoner){.asker = troupe_keep(message),
                                  .next = troupe_int(message, 1),
                                  .end = troupe_int(message, 1) + troupe_int(message, 2),
                                  .begin = measure_now()};
    snprintf(summoner->prefix, sizeof summoner->prefix, "%s", troupe_text(message, 0));
    while (window-- > 0 && summoner->next < summoner->end)
        ask_next(self);
}

/* round PREFIX N MS SKIP: calls all of N, one after the other, for so long; replies how many calls.
 */
static void on_round(struct troupe *self, struct troupe_message *message)
{
    int64_t n = troupe_int(message, 1), i = troupe_int(message, 3), calls = 0, failed = 0;
    int64_t end = measure_now() + troupe_int(message, 2) * 1000000;
    char to[256];

    for (; measure_now() < end; i++, calls++) {
        struct troupe_message *answer;

        address(troupe_text(message, 0), i % n, to);
        answer = troupe_call(self, to, LIMIT_MS, "count");
        failed += troupe_failure(answer) != NULL;
        troupe_free(answer);
    }
    if (failed)
        troupe_fail(message, "%" PRId64 " calls failed", failed);
    else
        troupe_reply(message, calls);
}

static const struct troupe_handler messages[] = {
    {"one", "sII", "s", on_one, "first calls PREFIX FROM N, one by one"},
    {"many", "sIII", "I", on_many, "the same, AT-ONCE under way"},
    {"round", "sIII", "I", on_round, "calls PREFIX N for MS, beginning at SKIP"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct summoner), .messages = messages);
