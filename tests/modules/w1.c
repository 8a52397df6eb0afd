/* OTP's supervisor_1: args behaviour = normal (default) | ignore_first | error_later | extra.
 * Which start this is, the incarnation tells. */
#include <troupe.h>

#include <string.h>
#include <time.h>

static int init(struct troupe *self)
{
    const char *behaviour = troupe_arg(self, "behaviour");
    bool first = troupe_incarnation(self) == 1;

    if (!behaviour || strcmp(behaviour, "normal") == 0)
        return TROUPE_READY;
    if (strcmp(behaviour, "ignore_first") == 0)
        return first ? TROUPE_IGNORE : TROUPE_READY;
    if (strcmp(behaviour, "error_later") == 0)
        return first ? TROUPE_READY : troupe_error(self, "start refused");
    if (strcmp(behaviour, "error") == 0)
        return troupe_error(self, "start refused");
    if (strcmp(behaviour, "extra") == 0) {
        troupe_ready_text(self, "extra");
        return TROUPE_READY;
    }
    return troupe_error(self, "args: behaviour: %s", behaviour);
}

static void on_stop(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "normal");
}

static void on_shutdown(struct troupe *self, struct troupe_message *message)
{
    const char *text = troupe_text(message, 0);

    troupe_exit(self, NULL, "shutdown%s%s", *text ? " " : "", text);
}

static void on_die(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "error died");
}

static void nap(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

static void on_sleep(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    nap(troupe_int(message, 0));
}

static void on_echo(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_text(message, 0));
}

static void on_incarnation(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, troupe_incarnation(self));
}

static const struct troupe_handler messages[] = {
    {"stop", "", "", on_stop, "ends: normal"},
    {"shutdown", "s", "", on_shutdown, "ends: shutdown TEXT"},
    {"die", "", "", on_die, "ends: error died"},
    {"sleep", "I", "", on_sleep, "hears nothing for so many milliseconds"},
    {"echo", "s", "s", on_echo, "answers with the text"},
    {"incarnation", "", "U", on_incarnation, "tells which life this is"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
