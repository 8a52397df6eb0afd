/* OTP's supervisor_deadlock: while the file args flag exists, a start takes args delay milliseconds
 * (2000) and then fails. */
#include <troupe.h>

#include <time.h>
#include <unistd.h>

static int init(struct troupe *self)
{
    const char *flag = troupe_arg(self, "flag");
    int64_t ms = troupe_arg_int(self, "delay", 2000);
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    if (!flag || access(flag, F_OK) < 0)
        return TROUPE_READY;
    while (nanosleep(&left, &left) < 0)
        ;
    return troupe_error(self, "error");
}

static void on_restart(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "error");
}

static const struct troupe_handler messages[] = {
    {"restart", "", "", on_restart, "ends: error"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
