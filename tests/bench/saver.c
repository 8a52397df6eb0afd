/* Saves a state of 64 bytes, one save after the other, as fast as it is accepted. */
#include "measure.h"

#include <troupe.h>

#include <stddef.h>

struct saver {
    uint64_t value[8]; /* what is kept */
    int64_t until;
    uint64_t saves;
    struct troupe_message *asker;
};

static const struct troupe_stored kept[] = {
    {.name = "value", .schema = 1, .offset = offsetof(struct saver, value), .size = 64}, {0}};

static void save(struct troupe *self);

static void on_saved(struct troupe *self, const char *failure, void *data)
{
    struct saver *saver = troupe_state(self);

    (void)data;
    if (failure) {
        troupe_fail(saver->asker, "%s", failure);
        return;
    }
    saver->saves++;
    if (measure_now() < saver->until)
        save(self);
    else
        troupe_reply(saver->asker, saver->saves);
}

static void save(struct troupe *self)
{
    struct saver *saver = troupe_state(self);

    saver->value[0]++;
    if (troupe_state_save(self, "value", on_saved, NULL) < 0)
        troupe_fail(saver->asker, "not asked for");
}

static void begin(struct troupe *self, uint64_t timer, void *data)
{
    (void)timer;
    (void)data;
    save(self);
}

/* At that time of measure_now() it begins, together with others; for so many ms. */
static void on_go(struct troupe *self, struct troupe_message *message)
{
    struct saver *saver = troupe_state(self);
    int64_t at = troupe_int(message, 0);

    saver->asker = troupe_keep(message);
    if (!saver->asker)
        return;
    saver->saves = 0;
    saver->until = at + troupe_int(message, 1) * 1000000;
    troupe_after(self, at > measure_now() ? (at - measure_now()) / 1000000 : 0, begin, NULL);
}

static const struct troupe_handler messages[] = {
    {"go", "II", "U", on_go, "saves from then on, for so many ms: how often it was accepted"}, {0}};

TROUPE_ACTOR(.state_size = sizeof(struct saver), .state = kept, .messages = messages);
