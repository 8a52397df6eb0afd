#include "newborn.h"

#include <signal.h>
#include <stdlib.h>

void newborn_reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void newborn_forget_environment(void)
{
    static const char *const names[] = {"TROUPE_CONTROL", "TROUPE_STATS", "TROUPE_READY_FD",
                                        "NOTIFY_SOCKET",  "LISTEN_FDS",   "LISTEN_PID",
                                        "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}
