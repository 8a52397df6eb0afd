#include "environment.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_SIZE = 512, SET_MAX = 32 };

static char *list[LIST_SIZE];
static char text[ENVIRONMENT_TEXT_SIZE];

void environment_begin(struct environment *environment, size_t extra)
{
    size_t wanted = SET_MAX + extra + 1;

    for (char **at = environ; at && *at; at++)
        wanted++;
    *environment = (struct environment){.list = list};
    if (wanted > LIST_SIZE)
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

void environment_add(struct environment *environment, char *pair)
{
    if (!environment->failed && !is_named(environment, pair))
        environment->list[environment->count++] = pair;
}

/* Appends to the texts; false when they are full. */
static bool put(struct environment *environment, const char *format, va_list args)
{
    size_t room = sizeof text - environment->text_used;
    int length = vsnprintf(text + environment->text_used, room, format, args);

    if (length < 0 || (size_t)length >= room)
        return false;
    environment->text_used += (size_t)length;
    return true;
}

static bool put_name(struct environment *environment, const char *format, ...)
{
    va_list args;
    bool fits;

    va_start(args, format);
    fits = put(environment, format, args);
    va_end(args);
    return fits;
}

void environment_set(struct environment *environment, const char *name, const char *format, ...)
{
    char *pair = text + environment->text_used;
    va_list args;

    va_start(args, format);
    environment->failed |=
        !put_name(environment, "%s=", name) || !put(environment, format, args);
    va_end(args);
    environment->text_used++;
    environment_add(environment, pair);
}

int environment_finish(struct environment *environment)
{
    for (char **at = environ; at && *at; at++)
        environment_add(environment, *at);
    if (environment->failed) {
        errno = ENOMEM;
        return -1;
    }
    environment->list[environment->count] = NULL;
    environ = environment->list;
    return 0;
}
