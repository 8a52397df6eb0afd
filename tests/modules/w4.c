/* OTP's supervisor_4: however it is asked to end, it ends for args reason. */
#include <troupe.h>

static void terminate(struct troupe *self, const char *reason)
{
    const char *own = troupe_arg(self, "reason");

    troupe_exit(self, NULL, "%s", own ? own : reason);
}

static void on_stop(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "normal");
}

static const struct troupe_handler messages[] = {
    {"stop", "", "", on_stop, "ends for the configured reason"},
    {0},
};

TROUPE_ACTOR(.messages = messages, .terminate = terminate);
