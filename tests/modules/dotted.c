/* Has a name for a message that only the runtime may have: it does not start. */
#include <troupe.h>

static void on_message(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
}

static const struct troupe_handler messages[] = {
    {".subscribe", "", "", on_message, "is never called"},
    {0},
};

TROUPE_ACTOR(.messages = messages);
