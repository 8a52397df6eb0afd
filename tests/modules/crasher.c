/* Ends in every way that there is, on demand. */
#include <troupe.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void on_segv(struct troupe *self, struct troupe_message *message)
{
    volatile uintptr_t nowhere = 0x10; /* volatile: or the compiler sees what we are up to */

    (void)self;
    (void)message;
    *(volatile int *)nowhere = 1;
}

static void on_abort(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
    abort();
}

static void on_exit_status(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    _exit((int)troupe_int(message, 0));
}

static void on_kill(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    kill(getpid(), (int)troupe_int(message, 0));
}

static void on_error(struct troupe *self, struct troupe_message *message)
{
    troupe_exit(self, NULL, "error %s", troupe_text(message, 0));
}

static void on_need(struct troupe *self, struct troupe_message *message)
{
    troupe_exit(self, troupe_text(message, 0), "error in need");
}

static void on_reason(struct troupe *self, struct troupe_message *message)
{
    troupe_exit(self, NULL, "%s", troupe_text(message, 0));
}

static void on_hang(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
    for (;;)
        pause();
}

static const struct troupe_handler messages[] = {
    {"segv", "", "", on_segv, "writes where nothing is"},
    {"abort", "", "", on_abort, "calls abort"},
    {"exit", "i", "", on_exit_status, "exits with this status, without a word"},
    {"kill", "i", "", on_kill, "sends itself this signal"},
    {"error", "s", "", on_error, "ends: error TEXT"},
    {"need", "s", "", on_need, "ends: error, and wants this of its supervisor"},
    {"reason", "s", "", on_reason, "ends for this reason"},
    {"hang", "", "", on_hang, "never comes back"},
    {0},
};

TROUPE_ACTOR(.messages = messages);
