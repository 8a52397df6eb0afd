/* Keeps state in the store, in every way that there is: a number and a text that are saved at every
 * message, words that are saved when it is told to, and reminders. */
#include <troupe.h>

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct keeper {
    int64_t number;   /* kept at every message */
    char words[4096]; /* kept when told to */
    struct troupe_message *saver;
};

/* ---- what is kept ---------------------------------------------------------------------------- */

static void save_words(struct troupe *self, struct troupe_image *image)
{
    const struct keeper *keeper = troupe_state(self);

    troupe_put(image, keeper->words, strlen(keeper->words));
}

static int load_words(struct troupe *self, struct troupe_bytes value)
{
    struct keeper *keeper = troupe_state(self);

    if (value.size >= sizeof keeper->words)
        return -1;
    memcpy(keeper->words, value.at, value.size);
    return 0;
}

/* Schema 1 had no brackets, 2 has round ones, 3 square ones. */
static int migrate_words(struct troupe *self, uint32_t schema, struct troupe_bytes value,
                         struct troupe_image *image)
{
    const char *at = value.at;
    size_t size = value.size;

    (void)self;
    if (schema == 2 && size < 2)
        return -1;
    if (schema == 2) {
        at++;
        size -= 2;
    }
    troupe_put(image, schema == 1 ? "(" : "[", 1);
    troupe_put(image, at, size);
    return troupe_put(image, schema == 1 ? ")" : "]", 1);
}

static const struct troupe_stored kept[] = {
    {.name = "number",
     .schema = 1,
     .offset = offsetof(struct keeper, number),
     .size = sizeof(int64_t),
     .every_message = true},
    {.name = "words",
     .schema = 3,
     .save = save_words,
     .load = load_words,
     .migrate = migrate_words},
    {0},
};

/* ---- messages -------------------------------------------------------------------------------- */

static int init(struct troupe *self)
{
    const struct keeper *keeper = troupe_state(self);

    troupe_ready_text(self, "%lld %s", (long long)keeper->number, keeper->words);
    return TROUPE_READY;
}

static void on_add(struct troupe *self, struct troupe_message *message)
{
    struct keeper *keeper = troupe_state(self);

    keeper->number += troupe_int(message, 0);
    troupe_reply(message, keeper->number);
}

/* The save that it asks for is of half of it. */
static void on_add_twice(struct troupe *self, struct troupe_message *message)
{
    struct keeper *keeper = troupe_state(self);

    keeper->number += troupe_int(message, 0);
    if (troupe_state_save(self, "number", NULL, NULL) < 0)
        troupe_fail(message, "not asked for");
    keeper->number += troupe_int(message, 0);
    troupe_reply(message, keeper->number);
}

static void on_number(struct troupe *self, struct troupe_message *message)
{
    const struct keeper *keeper = troupe_state(self);

    troupe_reply(message, keeper->number);
}

static void on_say(struct troupe *self, struct troupe_message *message)
{
    struct keeper *keeper = troupe_state(self);

    snprintf(keeper->words, sizeof keeper->words, "[%s]", troupe_text(message, 0));
}

static void on_words(struct troupe *self, struct troupe_message *message)
{
    const struct keeper *keeper = troupe_state(self);

    troupe_reply(message, keeper->words);
}

static void on_saved(struct troupe *self, const char *failure, void *data)
{
    struct troupe_message *message = data;

    if (failure)
        troupe_fail(message, "%s", failure);
    else
        troupe_reply(message, (int64_t)(troupe_state_version(self, "words") > 0));
}

static void on_save(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *waiting = troupe_keep(message);

    if (waiting && troupe_state_save(self, "words", on_saved, waiting) < 0)
        troupe_fail(waiting, "not asked for");
}

static void on_save_now(struct troupe *self, struct troupe_message *message)
{
    const char *failure = troupe_state_save_now(self, "words", troupe_int(message, 0));

    if (failure)
        troupe_fail(message, "%s", failure);
}

static void on_remind(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *waiting = troupe_keep(message);

    if (waiting &&
        troupe_reminder_set(self, troupe_text(message, 0), "reminded", troupe_int(message, 1),
                            troupe_int(message, 2), on_saved, waiting) < 0)
        troupe_fail(waiting, "not asked for");
}

static void on_forget(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *waiting = troupe_keep(message);

    if (waiting && troupe_reminder_clear(self, troupe_text(message, 0), on_saved, waiting) < 0)
        troupe_fail(waiting, "not asked for");
}

static void on_epoch(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, troupe_epoch(self));
}

/* Changes the number, and never returns. */
static void on_crash(struct troupe *self, struct troupe_message *message)
{
    struct keeper *keeper = troupe_state(self);

    (void)message;
    keeper->number += 1000;
    kill(getpid(), SIGKILL);
}

static const struct troupe_handler messages[] = {
    {"add", "I", "I", on_add, "adds to the number, which is kept"},
    {"add_twice", "I", "I", on_add_twice, "adds twice, and has it kept after the first time, too"},
    {"number", "", "I", on_number, "tells it"},
    {"say", "s", "", on_say, "takes words, which are not kept yet"},
    {"words", "", "s", on_words, "tells them"},
    {"save", "", "I", on_save, "keeps them"},
    {"save_now", "I", "", on_save_now, "keeps them within so many ms, waiting"},
    {"remind", "sII", "I", on_remind, "sets a reminder: name, after and period in ms"},
    {"forget", "s", "I", on_forget, "clears it"},
    {"epoch", "", "U", on_epoch, "tells the epoch"},
    {"crash", "", "", on_crash, "changes the number and ends by SIGKILL"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct keeper), .init = init, .messages = messages,
             .state = kept);
