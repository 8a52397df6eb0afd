/* OTP's supervisor_2: its clean-up takes args ms. */
#include <troupe.h>

#include <time.h>

static void terminate(struct troupe *self, const char *reason)
{
    int64_t ms = troupe_arg_int(self, "ms", 1000);
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    (void)reason;
    while (nanosleep(&left, &left) < 0)
        ;
    troupe_log(self, "info", "w2.cleaned", NULL);
}

static void on_stop(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "normal");
}

static void on_die(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "error died");
}

static const struct troupe_handler messages[] = {
    {"stop", "", "", on_stop, "ends: normal, after its clean-up"},
    {"die", "", "", on_die, "ends: error died, after its clean-up"},
    {0},
};

TROUPE_ACTOR(.messages = messages, .terminate = terminate);
