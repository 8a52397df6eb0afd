/* Greets the actor at args `to` when it starts, and cannot start when nobody is there. Who is
 * greeted and has nobody of its own to greet answers in kind. What was said to it is its status. */
#include <troupe.h>

enum { PATIENCE_MS = 2000, ADDRESS_SIZE = 300 };

static int init(struct troupe *self)
{
    const char *to = troupe_arg(self, "to");
    char who[ADDRESS_SIZE];

    if (!to)
        return TROUPE_READY;
    if (troupe_lookup(self, to, PATIENCE_MS, who, sizeof who) < 0)
        return troupe_error(self, "%s is not there: %m", to);
    if (troupe_cast(self, who, "hey", "first") < 0)
        return troupe_error(self, "%s was not greeted: %m", who);
    return TROUPE_READY;
}

static void on_hey(struct troupe *self, struct troupe_message *message)
{
    const char *whom = troupe_text(message, 0);

    troupe_log(self, "info", "hey", "whom", whom, "from", troupe_from(message), NULL);
    troupe_status(self, "hey %s", whom);
    if (!troupe_arg(self, "to"))
        troupe_cast(self, troupe_from(message), "hey", "second");
}

static const struct troupe_handler messages[] = {
    {"hey", "s", "", on_hey, "a greeting"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
