/* Takes messages that it does not list, and answers with what they were. */
#include <troupe.h>

#include <stdio.h>

static void receive(struct troupe *self, struct troupe_message *message)
{
    char text[512] = "";
    int length = 0;

    (void)self;
    for (unsigned i = 0; i < troupe_count(message) && length < (int)sizeof text; i++)
        length +=
            snprintf(text + length, sizeof text - (size_t)length, "%s%.*s", i ? "," : "",
                     (int)troupe_bytes(message, i).size, (const char *)troupe_bytes(message, i).at);
    troupe_reply(message, troupe_name(message), text);
}

static void on_listed(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_int(message, 0));
}

static const struct troupe_handler messages[] = {
    {"listed", "I", "I", on_listed, "answers with the number"},
    {0},
};

TROUPE_ACTOR(.messages = messages, .receive = receive);
