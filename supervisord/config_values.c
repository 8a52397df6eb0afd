/* The readers of plain values: one text in, one member of a struct out. */
#include "addr.h"
#include "config_reader.h"
#include "group_name.h"
#include "text.h"
#include "texts.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void read_nothing(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, void *at)
{
    (void)reader, (void)key, (void)node, (void)at;
}

/* The number of a word; -1 when it is none of them. */
static int choice_of(const char *const *choices, const char *text)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(choices[i], text) == 0)
            return i;
    return -1;
}

void read_unkept(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);

    (void)at;
    if (text && key->choices && choice_of(key->choices, text) < 0)
        complain_of_value(reader, key, node);
}

void read_name(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    const char *text = reader_text(reader, key, node);

    if (!text)
        return;
    if (addr_is_part(text, strlen(text)))
        reader_keep(reader, at, text);
    else
        complain_of_text(reader, text, key->expected);
}

void read_text(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    const char *text = reader_text(reader, key, node);

    if (text)
        reader_keep(reader, at, text);
}

static void add_path(struct reader *reader, const struct config_key *key,
                     const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);
    char ***paths = at;

    if (!text)
        return;
    if (!addr_is_path(text))
        complain_of_text(reader, text, "a name, or names joined by /");
    else if (texts_contain(*paths, text))
        complain_of_text(reader, text, "each one once");
    else {
        reader_append(reader, paths, text);
        reader_remark(reader, text);
    }
}

void read_paths(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    reader_each(reader, key, node, add_path, at);
}

/* The default scope is left unsaid, so that each group has one name. */
static void add_group(struct reader *reader, const struct config_key *key,
                      const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node), *why;
    struct group_name name;
    char ***groups = at;

    if (!text)
        return;
    if (group_name_parse(text, &name, &why) < 0) {
        complain_of_text(reader, text, why);
        return;
    }
    if (!strcmp(name.scope, GROUP_SCOPE))
        text = strchr(text, ':') ? strchr(text, ':') + 1 : text;
    if (texts_contain(*groups, text))
        complain_of_text(reader, text, "each one once");
    else
        reader_append(reader, groups, text);
}

void read_groups(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    reader_each(reader, key, node, add_group, at);
}

void read_file_path(struct reader *reader, const struct config_key *key,
                    const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);

    if (!text)
        return;
    if (!*text) {
        complain_of_value(reader, key, node);
        return;
    }
    text = reader_absolute(reader, text);
    if (text)
        reader_keep(reader, at, text);
}

void read_bool(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    static const char *const words[] = {"false", "true", NULL};
    const char *text = reader_text(reader, key, node);
    int choice;

    if (!text)
        return;
    choice = choice_of(key->choices ? key->choices : words, text);
    if (choice < 0)
        complain_of_value(reader, key, node);
    else
        *(bool *)at = choice == 1;
}

void read_choice(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);
    int choice;

    if (!text)
        return;
    choice = choice_of(key->choices, text);
    if (choice < 0)
        complain_of_value(reader, key, node);
    else
        memcpy(at, &choice, sizeof choice);
}

/* ---- numbers ----------------------------------------------------------------------------- */

/* Decimal digits with a minus before them, perhaps, and nothing else. */
static bool parse_whole(const char *text, int base, double min, double max, long long *value)
{
    const char *digits = *text == '-' ? text + 1 : text;
    char *end;

    if (!isdigit((unsigned char)*digits) || strlen(digits) > 15)
        return false;
    *value = strtoll(text, &end, base);
    return !*end && (double)*value >= min && (double)*value <= max;
}

static bool whole(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, int base, long long *value)
{
    const char *text = reader_text(reader, key, node);

    if (!text)
        return false;
    if (parse_whole(text, base, key->min, key->max, value))
        return true;
    complain_of_text(reader, text, key->expected);
    return false;
}

void read_whole(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    long long value;

    if (whole(reader, key, node, 10, &value))
        *(int32_t *)at = (int32_t)value;
}

void read_octal(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    long long value;

    if (whole(reader, key, node, 8, &value))
        *(int *)at = (int)value;
}

void read_count(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    long long value;

    if (whole(reader, key, node, 10, &value))
        *(uint64_t *)at = (uint64_t)value;
}

/* Digits and at most one point: strtod alone would take "inf", "0x1p3" and blanks. */
static bool parse_number(const char *text, double *value)
{
    char *end;

    if (!*text || strspn(text, "0123456789.") != strlen(text) || strlen(text) > 20)
        return false;
    *value = strtod(text, &end);
    return end != text && !*end;
}

void read_number(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);
    double value;

    if (!text)
        return;
    if (parse_number(text, &value) && value >= key->min && value <= key->max)
        *(double *)at = value;
    else
        complain_of_text(reader, text, key->expected);
}

void read_duration(struct reader *reader, const struct config_key *key,
                   const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);
    int64_t ms;

    if (!text)
        return;
    if (text_duration(text, &ms) < 0 || (double)ms < key->min)
        complain_of_text(reader, text, key->expected);
    else if ((double)ms > key->max)
        complain_of_text(reader, text, "a shorter time");
    else
        *(int64_t *)at = ms;
}

void read_size(struct reader *reader, const struct config_key *key, const struct config_node *node,
               void *at)
{
    const char *text = reader_text(reader, key, node);
    uint64_t bytes;

    if (!text)
        return;
    if (text_size(text, &bytes) < 0 || (double)bytes < key->min)
        complain_of_text(reader, text, key->expected);
    else if ((double)bytes > key->max)
        complain_of_text(reader, text, "a smaller size");
    else
        *(uint64_t *)at = bytes;
}

void read_intensity(struct reader *reader, const struct config_key *key,
                    const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);
    long long value;

    if (!text)
        return;
    if (strcmp(text, "unlimited") == 0)
        *(uint32_t *)at = INTENSITY_UNLIMITED;
    else if (parse_whole(text, 10, key->min, key->max, &value))
        *(uint32_t *)at = (uint32_t)value;
    else
        complain_of_text(reader, text, key->expected);
}

void read_shutdown(struct reader *reader, const struct config_key *key,
                   const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);

    if (!text)
        return;
    if (strcmp(text, "infinity") == 0)
        *(int64_t *)at = SHUTDOWN_INFINITY;
    else if (strcmp(text, "brutal_kill") == 0)
        *(int64_t *)at = SHUTDOWN_BRUTAL_KILL;
    else
        read_duration(reader, key, node, at);
}

/* ---- signals, addresses, expressions ------------------------------------------------------- */

static int signal_of(const char *text)
{
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (int signal = 1; signal < SIGRTMIN; signal++) {
        const char *name = sigabbrev_np(signal);

        if (name && strcasecmp(name, text) == 0)
            return signal;
    }
    return 0;
}

void read_signal(struct reader *reader, const struct config_key *key,
                 const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node);
    int signal;

    if (!text)
        return;
    signal = signal_of(text);
    if (signal == SIGKILL)
        complain_of_text(reader, text, "a signal that can be caught (or shutdown: brutal_kill)");
    else if (signal == 0 || signal == SIGSTOP)
        complain_of_text(reader, text, key->expected);
    else
        *(int *)at = signal;
}

/* Splits host:port, or [v6]:port. Returns the host's length, or 0. */
static size_t split_address(const char *text, const char **host, const char **port)
{
    const char *end = *text == '[' ? strchr(text, ']') : strchr(text, ':');
    uint64_t number;

    *host = *text == '[' ? text + 1 : text;
    if (!end || end == *host)
        return 0;
    *port = end + (*text == '[' ? 2 : 1);
    if ((*port)[-1] != ':' || text_unsigned(*port, 1, 65535, &number) < 0)
        return 0;
    return (size_t)(end - *host);
}

/* at is the spec: two of its members are filled. */
void read_address(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, void *at)
{
    const char *text = reader_text(reader, key, node), *host, *port;
    struct spec *spec = at;
    size_t length;

    if (!text)
        return;
    length = split_address(text, &host, &port);
    if (length == 0) {
        complain_of_text(reader, text, key->expected);
        return;
    }
    reader_keep(reader, &spec->ready_host, host);
    reader_keep(reader, &spec->ready_port, port);
    if (spec->ready_host)
        spec->ready_host[length] = '\0';
}

void read_regex(struct reader *reader, const struct config_key *key, const struct config_node *node,
                void *at)
{
    const char *text = reader_text(reader, key, node);
    char why[128];
    regex_t regex;
    int code;

    if (!text)
        return;
    if (reader->context->text_only) { /* no foreign parser for what nobody will match */
        reader_keep(reader, at, text);
        return;
    }
    code = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);
    if (code == 0) {
        regfree(&regex);
        reader_keep(reader, at, text);
        return;
    }
    regerror(code, &regex, why, sizeof why);
    complain(reader, "\"%.100s\": %s: expected %s", text, why, key->expected);
}
