#include "environment.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_SIZE = 512, SET_MAX = 32 };

static char *list[LIST_SIZE];
static _Alignas(8) char text[ENVIRONMENT_TEXT_SIZE];
static size_t text_used;
static bool borrows;

void environment_begin(struct environment *environment, size_t extra)
{
    size_t wanted = SET_MAX + extra + 1;

    for (char **at = environ; at && *at; at++)
        wanted++;
    *environment = (struct environment){.list = list};
    text_used = 0;
    borrows = wanted > LIST_SIZE;
    if (borrows)
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

void *environment_keep(const void *bytes, size_t size)
{
    size_t from = (text_used + 7) / 8 * 8;

    if (from > sizeof text || size > sizeof text - from)
        return NULL;
    text_used = from + size;
    return memcpy(text + from, bytes, size);
}

bool environment_borrows(void)
{
    return borrows;
}

void environment_add(struct environment *environment, char *pair)
{
    char *kept = environment_keep(pair, strlen(pair) + 1);

    borrows |= !kept;
    add(environment, kept ? kept : pair);
}

/* Appends to the texts; false when they are full. */
static bool put(const char *format, va_list args)
{
    size_t room = sizeof text - text_used;
    int length = vsnprintf(text + text_used, room, format, args);

    if (length < 0 || (size_t)length >= room)
        return false;
    text_used += (size_t)length;
    return true;
}

static bool put_name(const char *format, ...)
{
    va_list args;
    bool fits;

    va_start(args, format);
    fits = put(format, args);
    va_end(args);
    return fits;
}

void environment_set(struct environment *environment, const char *name, const char *format, ...)
{
    char *pair = text + text_used;
    va_list args;

    va_start(args, format);
    environment->failed |= !put_name("%s=", name) || !put(format, args);
    va_end(args);
    text_used++;
    add(environment, pair);
}

int environment_finish(struct environment *environment)
{
    for (char **at = environ; at && *at; at++)
        add(environment, *at);
    if (environment->failed) {
        errno = ENOMEM;
        return -1;
    }
    environment->list[environment->count] = NULL;
    environ = environment->list;
    return 0;
}
