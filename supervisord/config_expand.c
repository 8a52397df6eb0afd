#include "config_expand.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *config_variable(char *const *environment, const char *name, size_t length)
{
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

static int append_escaped(const char *text, size_t length, struct buf *out)
{
    for (size_t i = 0; i < length; i++)
        if ((strncmp(text + i, "${", 2) == 0 && buf_append(out, "$", 1) < 0) ||
            buf_append(out, text + i, 1) < 0)
            return -1;
    return 0;
}

int config_escape_for_spawn(const char *text, struct buf *out)
{
    return append_escaped(text, strlen(text) + 1, out);
}

static int append_foreign(const struct expansion *expansion, const char *text, size_t length,
                          struct buf *out)
{
    return expansion->for_spawn ? append_escaped(text, length, out) : buf_append(out, text, length);
}

static int append_replica(struct expansion *expansion, struct buf *out, char *why, size_t size)
{
    char number[12];

    if (expansion->replica == 0) {
        snprintf(why, size, "${replica}: expected only where replicas is given");
        errno = EINVAL;
        return -1;
    }
    if (expansion->for_spawn)
        return buf_append(out, "${replica}", 10);
    expansion->used_replica = true;
    snprintf(number, sizeof number, "%u", expansion->replica);
    return buf_append(out, number, strlen(number));
}

static size_t length_of_name(const char *text)
{
    size_t n = 0;

    if (isdigit((unsigned char)text[0]))
        return 0;
    while (isalnum((unsigned char)text[n]) || text[n] == '_')
        n++;
    return n;
}

/* What stands between "${" and "}", length bytes. */
static int append_variable(struct expansion *expansion, const char *text, size_t length,
                           struct buf *out, char *why, size_t size)
{
    size_t name = length_of_name(text);
    const char *value;

    if (length == 7 && strncmp(text, "replica", 7) == 0)
        return append_replica(expansion, out, why, size);
    if (name == 0 || (name != length && strncmp(text + name, ":-", 2) != 0) ||
        memmem(text, length, "${", 2)) {
        snprintf(why, size,
                 "\"${%.*s}\": expected ${NAME}, ${NAME:-default}, or $${ for a plain ${",
                 (int)(length < 100 ? length : 100), text);
        errno = EINVAL;
        return -1;
    }
    value = config_variable(expansion->environment, text, name);
    if (name == length && !value) {
        snprintf(why, size,
                 "${%.*s}: not set: expected in the environment, or a default (${%.*s:-…})",
                 (int)(name < 100 ? name : 100), text, (int)(name < 100 ? name : 100), text);
        errno = EINVAL;
        return -1;
    }
    if (name == length || (value && *value))
        return append_foreign(expansion, value, strlen(value), out);
    return append_foreign(expansion, text + name + 2, length - name - 2, out);
}

/* One ${…} at text. Returns how many bytes it was, or -1. */
static long append_reference(struct expansion *expansion, const char *text, struct buf *out,
                             char *why, size_t size)
{
    const char *end = strchr(text, '}');

    if (!end) {
        snprintf(why, size, "\"%.100s\": expected a } after ${ (a plain ${ is written $${)", text);
        errno = EINVAL;
        return -1;
    }
    if (append_variable(expansion, text + 2, (size_t)(end - text) - 2, out, why, size) < 0)
        return -1;
    return end - text + 1;
}

int config_expand(struct expansion *expansion, const char *text, struct buf *out, char *why,
                  size_t size)
{
    while (*text) {
        long taken = 1;

        if (strncmp(text, "$${", 3) == 0) {
            taken = 3;
            if (append_foreign(expansion, "${", 2, out) < 0)
                return -1;
        } else if (strncmp(text, "${", 2) == 0) {
            taken = append_reference(expansion, text, out, why, size);
            if (taken < 0)
                return -1;
        } else if (buf_append(out, text, 1) < 0) {
            return -1;
        }
        text += taken;
    }
    return buf_append(out, "", 1);
}
