#include "title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *room;
static size_t room_size;

static char *end_of(char **list, char *end)
{
    for (; *list; list++)
        if (*list == end)
            end += strlen(*list) + 1;
    return end;
}

static void move_environment(void)
{
    size_t n = 0;
    char **moved;

    while (environ[n])
        n++;
    moved = calloc(n + 1, sizeof *moved);
    if (!moved)
        return;
    for (size_t i = 0; i < n; i++) {
        moved[i] = strdup(environ[i]);
        if (!moved[i])
            return;
    }
    environ = moved;
}

void title_init(int argc, char **argv)
{
    char **old = environ;
    char *end;

    if (!argc)
        return;
    end = end_of(argv, argv[0]);
    end = end_of(environ, end);
    move_environment();
    if (environ == old)
        return;
    room = argv[0];
    room_size = (size_t)(end - room);
}

void title_set(const char *format, ...)
{
    char title[256];
    va_list args;

    va_start(args, format);
    vsnprintf(title, sizeof title, format, args);
    va_end(args);
    prctl(PR_SET_NAME, "troupe");
    if (!room)
        return;
    memset(room, 0, room_size);
    snprintf(room, room_size, "%s", title);
}
