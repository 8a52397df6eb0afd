#include "pool_args.h"

#include "addr.h"
#include "text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum { HOUR_MS = 3600 * 1000, BIG = 1000000, ARGUMENTS = 32 };

static int __attribute__((format(printf, 2, 3)))
refuse(char why[POOL_WHY_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, POOL_WHY_SIZE, format, args);
    va_end(args);
    return -1;
}

/* ---- kinds of values ----------------------------------------------------------------------- */

struct key {
    const char *name;
    int (*read)(const struct key *key, const char *value, void *at, char why[POOL_WHY_SIZE]);
    size_t at;
    uint64_t min, max;        /* of a number */
    const char *const *words; /* of a choice; ends with NULL */
};

static int read_number(const struct key *key, const char *value, void *at, char why[POOL_WHY_SIZE])
{
    if (text_unsigned(value, key->min, key->max, at) == 0)
        return 0;
    return refuse(why, "%s: \"%.40s\": expected a number from %llu to %llu", key->name, value,
                  (unsigned long long)key->min, (unsigned long long)key->max);
}

static int read_duration(const struct key *key, const char *value, void *at,
                         char why[POOL_WHY_SIZE])
{
    int64_t *ms = at;

    if (text_duration(value, ms) == 0 && *ms >= 1 && *ms <= 24 * (int64_t)HOUR_MS)
        return 0;
    return refuse(why, "%s: \"%.40s\": expected a duration such as 500ms or 10s, at most 24h",
                  key->name, value);
}

static int read_choice(const struct key *key, const char *value, void *at, char why[POOL_WHY_SIZE])
{
    char list[128] = "";

    for (unsigned i = 0; key->words[i]; i++) {
        size_t length = strlen(list);

        if (strcmp(key->words[i], value) == 0) {
            *(unsigned *)at = i;
            return 0;
        }
        snprintf(list + length, sizeof list - length, "%s%s",
                 i == 0              ? ""
                 : key->words[i + 1] ? ", "
                                     : " or ",
                 key->words[i]);
    }
    return refuse(why, "%s: \"%.40s\": expected %s", key->name, value, list);
}

static int read_workers(const struct key *key, const char *value, void *at, char why[POOL_WHY_SIZE])
{
    if (addr_is_path(value) && strlen(value) < POOL_WORKERS_SIZE) {
        strcpy(at, value);
        return 0;
    }
    return refuse(why,
                  "%s: \"%.40s\": expected the name of a supervisor beside the pool, or its path",
                  key->name, value);
}

static int read_size(const struct key *key, const char *value, void *at, char why[POOL_WHY_SIZE])
{
    if (text_size(value, at) == 0 && *(uint64_t *)at <= key->max)
        return 0;
    return refuse(why, "%s: \"%.40s\": expected a size such as 64M", key->name, value);
}

/* "urgent=0 report=3" */
static int read_named(const struct key *key, const char *value, void *at, char why[POOL_WHY_SIZE])
{
    struct pool_args *args = (struct pool_args *)((char *)at - offsetof(struct pool_args, named));

    for (args->named_count = 0;; args->named_count++) {
        struct pool_named *named = &args->named[args->named_count];
        int length = 0;

        value += strspn(value, " ");
        if (!*value && args->named_count > 0)
            return 0;
        if (args->named_count == POOL_NAMED_MAX)
            return refuse(why, "%s: expected at most %d messages", key->name, POOL_NAMED_MAX);
        if (sscanf(value, "%63[^= ]=%1u%n", named->name, &named->priority, &length) != 2 ||
            named->priority >= POOL_PRIORITIES || (value[length] && value[length] != ' '))
            return refuse(why,
                          "%s: \"%.40s\": expected MESSAGE=PRIORITY …, priorities from 0 to %d",
                          key->name, value, POOL_PRIORITIES - 1);
        value += length;
    }
}

/* ---- the table ----------------------------------------------------------------------------- */

/* In the order of the enums. */
static const char *const routes[] = {"first_free", "round_robin", "key", "field", NULL};
static const char *const policies[] = {"refuse", "newest", "oldest", NULL};

#define AT(member) offsetof(struct pool_args, member)

static const struct key keys[] = {
    {"workers", read_workers, AT(workers), 0, 0, NULL},
    {"size", read_number, AT(size), 1, POOL_SIZE_MAX, NULL},
    {"route", read_choice, AT(route), 0, 0, routes},
    {"field", read_number, AT(field), 1, ARGUMENTS, NULL},
    {"each", read_number, AT(each), 1, 1000, NULL},
    {"queue", read_number, AT(queue), 0, BIG, NULL},
    {"bytes", read_size, AT(bytes), 0, SIZE_MAX / 2, NULL},
    {"full", read_choice, AT(full), 0, 0, policies},
    {"priority", read_number, AT(priority), 1, ARGUMENTS, NULL},
    {"priorities", read_named, AT(named), 0, 0, NULL},
    {"ttl", read_duration, AT(ttl_ms), 0, 0, NULL},
    {"rate", read_number, AT(rate), 1, BIG, NULL},
    {"burst", read_number, AT(burst), 1, BIG, NULL},
    {"retries", read_number, AT(retries), 0, 100, NULL},
    {"stuck", read_duration, AT(stuck_ms), 0, 0, NULL},
};

enum { KEYS = sizeof keys / sizeof *keys };

static int refuse_unknown(const char *key, char why[POOL_WHY_SIZE])
{
    const char *names[KEYS + 1] = {0};
    const char *nearest;

    for (int i = 0; i < KEYS; i++)
        names[i] = keys[i].name;
    nearest = text_nearest(key, names);
    if (nearest)
        return refuse(why, "%.40s: a pool knows no such argument; did you mean %s?", key, nearest);
    return refuse(why, "%.40s: a pool knows no such argument", key);
}

int pool_args_set(struct pool_args *args, const char *key, const char *value,
                  char why[POOL_WHY_SIZE])
{
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i].name, key) == 0)
            return keys[i].read(&keys[i], value, (char *)args + keys[i].at, why);
    return refuse_unknown(key, why);
}

void pool_args_init(struct pool_args *args)
{
    *args = (struct pool_args){.each = 1, .queue = 1000, .bytes = 64 << 20};
}

int pool_args_check(struct pool_args *args, char why[POOL_WHY_SIZE])
{
    bool needs_field = args->route == POOL_BY_KEY || args->route == POOL_BY_FIELD;

    if (!*args->workers)
        return refuse(why, "workers: expected the supervisor of the workers");
    if (args->field && !needs_field)
        return refuse(why, "field: expected only with route: key or route: field");
    if (args->burst && !args->rate)
        return refuse(why, "burst: expected only with rate");
    if (needs_field && !args->field)
        args->field = 1;
    if (args->rate && !args->burst)
        args->burst = args->rate;
    return 0;
}

unsigned pool_args_priority(const struct pool_args *args, const char *name)
{
    for (unsigned i = 0; i < args->named_count; i++)
        if (strcmp(args->named[i].name, name) == 0)
            return args->named[i].priority;
    return POOL_PRIORITY;
}
