/* Publishes and shares at a test's bidding: one, many, later; and answers while it does. */
#include <troupe.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int init(struct troupe *self)
{
    const char *topic = troupe_arg(self, "share");

    if (topic)
        troupe_share(self, topic, troupe_arg_int(self, "value", 0));
    return TROUPE_READY;
}

static void on_say(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, troupe_publish(self, troupe_text(message, 0), troupe_int(message, 1)));
}

static void on_share(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, troupe_share(self, troupe_text(message, 0), troupe_int(message, 1)));
}

/* Events of a number and SIZE bytes, as fast as they can be said: how many went to somebody. */
static void on_burst(struct troupe *self, struct troupe_message *message)
{
    uint64_t n = troupe_uint(message, 1), size = troupe_uint(message, 2), went = 0;
    char *bytes = calloc(1, size + 1);

    for (uint64_t i = 1; bytes && i <= n; i++)
        went += (uint64_t)troupe_publish(self, troupe_text(message, 0), i,
                                         troupe_bytes_of(bytes, size));
    free(bytes);
    troupe_reply(message, went);
}

static void on_large(struct troupe *self, struct troupe_message *message)
{
    size_t size = troupe_uint(message, 0);
    char *bytes = calloc(1, size + 1);

    troupe_reply(message, troupe_publish(self, "large", troupe_bytes_of(bytes, size)));
    free(bytes);
}

static void on_ping(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, "pong");
}

/* Calls ping of ADDRESS while it handles this. */
static void on_call(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer =
        troupe_call(self, troupe_text(message, 0), 3000, troupe_text(message, 1));
    const char *failure = troupe_failure(answer);

    troupe_reply(message, failure ? failure : troupe_text(answer, 0));
    troupe_free(answer);
}

static void on_quit(struct troupe *self, struct troupe_message *message)
{
    troupe_exit(self, NULL, "%s", troupe_text(message, 0));
}

static void on_last_words(struct troupe *self, const char *reason)
{
    troupe_publish(self, "last words", reason);
}

static const struct troupe_handler messages[] = {
    {"say", "sI", "i", on_say, "publishes TOPIC N"},
    {"share", "sI", "i", on_share, "shares TOPIC N"},
    {"burst", "sUU", "U", on_burst, "publishes TOPIC 1 to N, each with SIZE bytes"},
    {"large", "U", "i", on_large, "publishes that many bytes"},
    {"ping", "", "s", on_ping, "pong"},
    {"call", "ss", "s", on_call, "calls NAME of ADDRESS"},
    {"quit", "s", "", on_quit, "ends with this reason"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages, .terminate = on_last_words);
