/* An actor that is sent messages while it cannot handle them, in two kinds (DRAINS). What it has
 * handled by its end goes to its log. */
#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

struct inbox {
    uint64_t handled;
};

static void nap(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

/* They wait in the socket. */
static void on_hang(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    nap(troupe_int(message, 0));
}

/* They wait in the mailbox. */
static void on_wait(struct troupe *self, struct troupe_message *message)
{
    troupe_free(troupe_call(self, troupe_text(message, 0), 10000, "hang", troupe_int(message, 1)));
}

static void on_put(struct troupe *self, struct troupe_message *message)
{
    struct inbox *inbox = troupe_state(self);

    nap(troupe_int(message, 0));
    inbox->handled++;
}

/* Ends in order when all is done, for a reason of its own. */
static void on_finish(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_drain(self, "shutdown no more work");
}

static void terminate(struct troupe *self, const char *reason)
{
    struct inbox *inbox = troupe_state(self);
    char text[32];

    snprintf(text, sizeof text, "%" PRIu64, inbox->handled);
    troupe_log(self, "info", "terminate", "handled", text, "reason", reason, NULL);
}

static const struct troupe_handler messages[] = {
    {"hang", "I", "", on_hang, "sleeps for MS"},
    {"wait", "sI", "", on_wait, "waits for ADDRESS to sleep for MS"},
    {"put", "I", "", on_put, "counts, and takes MS for it"},
    {"finish", "", "", on_finish, "ends when all is done"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct inbox), .messages = messages, .terminate = terminate,
             .drains = DRAINS);
