#include "port_args.h"

#include "port_words.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_LEAST = 64, LINE_MOST = 16 << 20, QUEUE_MOST = 1000000, GRACE_MOST_MS = 3600000 };

void port_args_init(struct port_args *args)
{
    *args = (struct port_args){.line = 64 << 10, .queue = 100, .bytes = 1 << 20, .grace_ms = 2000};
}

void port_args_finish(struct port_args *args)
{
    free(args->exec);
    args->exec = NULL;
}

static const char *set_exec(struct port_args *args, const char *value)
{
    const char *why;
    char **words = port_words(value, &why);

    if (!words)
        return why;
    free(args->exec);
    args->exec = words;
    return NULL;
}

static const char *set_size(const char *value, uint64_t least, uint64_t most, const char *expected,
                            size_t *out)
{
    uint64_t bytes;

    if (text_size(value, &bytes) < 0 || bytes < least || bytes > most)
        return expected;
    *out = (size_t)bytes;
    return NULL;
}

static const char *set_line(struct port_args *args, const char *value)
{
    return set_size(value, LINE_LEAST, LINE_MOST, "expected a size from 64 to 16M", &args->line);
}

static const char *set_bytes(struct port_args *args, const char *value)
{
    return set_size(value, 1, SIZE_MAX / 2, "expected a size such as 1M", &args->bytes);
}

static const char *set_queue(struct port_args *args, const char *value)
{
    uint64_t number;

    if (text_unsigned(value, 1, QUEUE_MOST, &number) < 0)
        return "expected a number from 1 to 1000000";
    args->queue = (size_t)number;
    return NULL;
}

static const char *set_grace(struct port_args *args, const char *value)
{
    if (text_duration(value, &args->grace_ms) < 0 || args->grace_ms > GRACE_MOST_MS)
        return "expected a time such as 2s, up to 1h";
    return NULL;
}

static const char *set_ready(struct port_args *args, const char *value)
{
    args->is_ready_by_line = strcmp(value, "line") == 0;
    return args->is_ready_by_line || strcmp(value, "start") == 0 ? NULL : "expected start or line";
}

static const struct {
    const char *key;
    const char *(*set)(struct port_args *args, const char *value); /* NULL, or what is wrong */
} KEYS[] = {
    {"exec", set_exec},   {"line", set_line},   {"queue", set_queue},
    {"bytes", set_bytes}, {"grace", set_grace}, {"ready", set_ready},
};

enum { KEY_COUNT = sizeof KEYS / sizeof *KEYS };

static int unknown(const char *key, char why[PORT_ARGS_WHY])
{
    const char *names[KEY_COUNT + 1] = {NULL}, *nearest;

    for (size_t i = 0; i < KEY_COUNT; i++)
        names[i] = KEYS[i].key;
    nearest = text_nearest(key, names);
    snprintf(why, PORT_ARGS_WHY, "%.64s: unknown%s%s%s", key, nearest ? ": did you mean " : "",
             nearest ? nearest : "", nearest ? "?" : "");
    return -1;
}

int port_args_set(struct port_args *args, const char *key, const char *value,
                  char why[PORT_ARGS_WHY])
{
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const char *wrong;

        if (strcmp(key, KEYS[i].key) != 0)
            continue;
        wrong = KEYS[i].set(args, value);
        if (wrong)
            snprintf(why, PORT_ARGS_WHY, "%s: \"%.100s\": %s", key, value, wrong);
        return wrong ? -1 : 0;
    }
    return unknown(key, why);
}
