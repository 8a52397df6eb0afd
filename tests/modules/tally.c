/* Adds up what many actors tell it. */
#include <troupe.h>

enum { SUMS = 5 };

struct tally {
    int64_t told, sums[SUMS];
};

static void on_sum(struct troupe *self, struct troupe_message *message)
{
    struct tally *tally = troupe_state(self);

    tally->told++;
    for (unsigned i = 0; i < SUMS; i++)
        tally->sums[i] += troupe_int(message, i);
}

static void on_total(struct troupe *self, struct troupe_message *message)
{
    const struct tally *tally = troupe_state(self);

    troupe_reply(message, tally->told, tally->sums[0], tally->sums[1], tally->sums[2], tally->sums[3],
                 tally->sums[4]);
}

static const struct troupe_handler messages[] = {
    {"sum", "IIIII", "", on_sum, "adds"},
    {"total", "", "IIIIII", on_total, "how many have told, and the sums"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct tally), .messages = messages);
