/* Says what it hears: a partner for trying out clients, and for measuring. */
#include <troupe.h>

static void on_echo(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_text(message, 0));
}

static void on_bytes(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_bytes(message, 0));
}

/* Casts nobody answers: it prints them, so that they stand in its log. */
static void on_say(struct troupe *self, struct troupe_message *message)
{
    troupe_log(self, "info", "echo.say", "text", troupe_text(message, 0), NULL);
}

static const struct troupe_handler messages[] = {
    {"echo", "s", "s", on_echo, "answers with the text"},
    {"bytes", "B", "B", on_bytes, "answers with the bytes"},
    {"say", "s", "", on_say, "writes the text to the log"},
    {"raw", "B", "B", on_bytes, "with raw: bytes in the spec, answers with the whole body"},
    {0},
};

TROUPE_ACTOR(.messages = messages);
