/* Says things of every type, and answers in every way that there is. */
#include <troupe.h>

#include <time.h>
#include <unistd.h>

static void on_all(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_int(message, 0), troupe_uint(message, 1), troupe_int(message, 2),
                 troupe_uint(message, 3), troupe_double(message, 4), troupe_text(message, 5),
                 troupe_bytes(message, 6));
}

static void on_fail(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_fail(message, "%s", troupe_text(message, 0));
}

static void on_keep(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_keep(message);
}

static void on_drop(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_drop(troupe_keep(message));
}

/* Is at it for so long; a sign of life now and then, or none. */
static void on_toil(struct troupe *self, struct troupe_message *message)
{
    const struct timespec moment = {.tv_nsec = 50000000};

    for (int64_t ms = troupe_int(message, 0); ms > 0; ms -= 50) {
        nanosleep(&moment, NULL);
        if (troupe_int(message, 1))
            troupe_heartbeat(self);
    }
}

static void on_nothing(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
}

static void on_publish(struct troupe *self, struct troupe_message *message)
{
    troupe_publish(self, "news", troupe_text(message, 0));
}

/* Hangs, as far as anybody can see, until the file is there. */
static void on_block(struct troupe *self, struct troupe_message *message)
{
    const struct timespec moment = {.tv_nsec = 10000000};

    (void)self;
    while (access(troupe_text(message, 0), F_OK) != 0)
        nanosleep(&moment, NULL);
}

static const struct troupe_handler messages[] = {
    {"all", "iuIUfsB", "iuIUfsB", on_all, "answers with its arguments, one of each type"},
    {"fail", "s", "", on_fail, "answers with an error"},
    {"keep", "", "I", on_keep, "never answers"},
    {"drop", "", "I", on_drop, "gives the message up"},
    {"toil", "II", "", on_toil, "takes so many ms, with signs of life or without"},
    {"nothing", "", "", on_nothing, "answers with nothing"},
    {"publish", "s", "", on_publish, "publishes the text under the topic news"},
    {"block", "s", "", on_block, "handles nothing else until there is such a file"},
    {0},
};

TROUPE_ACTOR(.messages = messages);
