/*
 * A program that links the library and is no actor: it tells its supervisor what its arguments say,
 * one after the other, with "" for a text that is not given:
 *
 *     ready TEXT, status TEXT, beat MS (so often, ten times a second), wait FILE, say NEED REASON,
 *     end STATUS
 *
 * Prints `unheard` when there is nobody to tell, and sleeps for ever after its last word.
 */
#include <troupe.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *given(const char *text)
{
    return *text ? text : NULL;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
}

static int beat(long ms)
{
    int result = 0;

    for (; ms > 0 && result == 0; ms -= 100) {
        result = troupe_notify_heartbeat();
        rest();
    }
    return result;
}

static int wait_for(const char *file)
{
    while (access(file, F_OK) != 0)
        rest();
    return 0;
}

/* Returns how many arguments it took. */
static int do_next(char **word, int *result)
{
    if (strcmp(word[0], "say") == 0) {
        *result = troupe_notify_exit(given(word[1]), given(word[2]));
        return 3;
    }
    if (strcmp(word[0], "ready") == 0)
        *result = troupe_notify_ready(given(word[1]));
    else if (strcmp(word[0], "status") == 0)
        *result = troupe_notify_status(given(word[1]));
    else if (strcmp(word[0], "beat") == 0)
        *result = beat(atol(word[1]));
    else if (strcmp(word[0], "wait") == 0)
        *result = wait_for(word[1]);
    else if (strcmp(word[0], "end") == 0)
        exit(atoi(word[1]));
    return 2;
}

int main(int argc, char **argv)
{
    int result = 0;

    for (int at = 1; at < argc;) {
        at += do_next(argv + at, &result);
        if (result < 0) {
            printf("%s\n", errno == ENOTCONN ? "unheard" : strerror(errno));
            return 1;
        }
    }
    for (;;)
        pause();
}
