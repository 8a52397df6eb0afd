#include "environment.h"

#include "satchel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_SIZE = 512, SET_MAX = 32, PID_DIGITS = 11 };

static char *list[LIST_SIZE];

void environment_begin(struct environment *environment, size_t extra)
{
    size_t wanted = SET_MAX + extra + 1;

    for (char **at = environ; at && *at; at++)
        wanted++;
    *environment = (struct environment){.list = list, .borrows = wanted > LIST_SIZE};
    if (environment->borrows)
        environment->list = calloc(wanted, sizeof *list);
    environment->failed = !environment->list;
}

/* The bytes of NAME=, or of all if there is no such thing. */
static size_t name_length(const char *pair)
{
    const char *equals = strchr(pair, '=');

    return equals ? (size_t)(equals - pair) + 1 : strlen(pair);
}

static bool is_named(const struct environment *environment, const char *pair)
{
    size_t length = name_length(pair);

    for (size_t i = 0; i < environment->count; i++)
        if (*environment->list[i] == *pair && !strncmp(environment->list[i], pair, length))
            return true;
    return false;
}

static void add(struct environment *environment, char *pair)
{
    if (!environment->failed && !is_named(environment, pair))
        environment->list[environment->count++] = pair;
}

void environment_add(struct environment *environment, char *pair)
{
    environment->failed |= !pair;
    if (pair)
        add(environment, pair);
}

/* "NAME=VALUE" where there is room; false when there is not. Takes nothing. */
static bool print_pair(char *out, size_t room, const char *name, const char *format, va_list args)
{
    int head = snprintf(out, room, "%s=", name);
    int tail;

    if (head < 0 || (size_t)head >= room)
        return false;
    tail = vsnprintf(out + head, room - (size_t)head, format, args);
    return tail >= 0 && (size_t)tail < room - (size_t)head;
}

void environment_set(struct environment *environment, const char *name, const char *format, ...)
{
    size_t room;
    char *pair = satchel_room(&room);
    va_list args;

    va_start(args, format);
    environment->failed |= !print_pair(pair, room, name, format, args);
    va_end(args);
    if (environment->failed)
        return;
    satchel_take(strlen(pair) + 1);
    add(environment, pair);
}

void environment_set_pid(struct environment *environment, const char *name)
{
    size_t room;
    char *pair = satchel_room(&room);

    environment_set(environment, name, "%*s", PID_DIGITS, "");
    if (!environment->failed)
        environment->pids[environment->pids[0] != NULL] = strchr(pair, '=') + 1;
}

void environment_end(struct environment *environment)
{
    for (char **at = environ; at && *at; at++)
        add(environment, *at);
    if (!environment->failed)
        environment->list[environment->count] = NULL;
}

int environment_wear(const struct environment *environment)
{
    if (environment->failed) {
        errno = ENOMEM;
        return -1;
    }
    for (size_t i = 0; i < ENVIRONMENT_PIDS && environment->pids[i]; i++)
        snprintf(environment->pids[i], PID_DIGITS + 1, "%d", (int)getpid());
    environ = environment->list;
    return 0;
}

void environment_finish(struct environment *environment)
{
    if (environment->list != list)
        free(environment->list);
    environment->list = NULL;
}
