#include "ctl.h"

#include <string.h>

static const char *const VERBS[] = {
    [CTL_READY] = "READY",         [CTL_IGNORE] = "IGNORE", [CTL_STATUS] = "STATUS",
    [CTL_HEARTBEAT] = "HEARTBEAT", [CTL_EXIT] = "EXIT",     [CTL_MONITOR] = "MONITOR",
    [CTL_DEMONITOR] = "DEMONITOR", [CTL_LINK] = "LINK",     [CTL_UNLINK] = "UNLINK",
    [CTL_ENDED] = "ENDED",         [CTL_TRAP] = "TRAP",     [CTL_LINKED] = "LINKED",
    [CTL_JOIN] = "JOIN",           [CTL_LEAVE] = "LEAVE",   [CTL_LAST_STATE] = "LAST_STATE",
    [CTL_CRASH] = "CRASH",         [CTL_STOP] = "STOP",     [CTL_DOWN] = "DOWN",
    [CTL_PING] = "PING",           [CTL_JOINED] = "JOINED", [CTL_LEFT] = "LEFT",
    [CTL_NOT_JOINED] = "NOT_JOINED",
};

const char *ctl_verb_text(enum ctl_verb verb)
{
    return (unsigned)verb < CTL_UNKNOWN ? VERBS[verb] : "?";
}

static enum ctl_verb verb_of(const char *word)
{
    for (int verb = 0; verb < CTL_UNKNOWN; verb++)
        if (strcmp(word, VERBS[verb]) == 0)
            return (enum ctl_verb)verb;
    return CTL_UNKNOWN;
}

/* Cuts the verb off; what is left begins after one space. An unknown verb keeps its whole line in
 * rest, so that a log can show it. */
static void parse(char *text, struct ctl_line *line)
{
    char *space = strchr(text, ' ');

    if (space)
        *space = '\0';
    line->verb = verb_of(text);
    line->rest = space ? space + 1 : text + strlen(text);
    if (line->verb != CTL_UNKNOWN)
        return;
    if (space)
        *space = ' ';
    line->rest = text;
}

int ctl_next(char *bytes, size_t size, size_t *at, struct ctl_line *line)
{
    char *start, *newline;
    size_t length;

    while (*at < size && bytes[*at] == '\n')
        ++*at;
    if (*at >= size)
        return 0;

    start = bytes + *at;
    newline = memchr(start, '\n', size - *at);
    length = newline ? (size_t)(newline - start) : size - *at;
    start[length] = '\0';
    *at += length + (newline ? 1 : 0);

    line->bytes = NULL;
    line->bytes_size = 0;
    parse(start, line);
    if (line->verb == CTL_LAST_STATE) {
        line->bytes = (const uint8_t *)bytes + *at;
        line->bytes_size = size - *at;
        *at = size;
    }
    return 1;
}

char *ctl_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");
    size_t length = strcspn(word, " ");

    *rest = word + length;
    if (length == 0)
        return NULL;
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

static void trim_end(char *from, char *end)
{
    while (end > from && end[-1] == ' ')
        end--;
    *end = '\0';
}

/* The bar counts only as a word of its own, and the last one wins: reasons are free text. */
static char *last_bar(char *text)
{
    char *found = NULL;

    for (char *bar = text; (bar = strchr(bar, '|')); bar++)
        if ((bar == text || bar[-1] == ' ') && (bar[1] == ' ' || bar[1] == '\0'))
            found = bar;
    return found;
}

void ctl_exit_parts(char *rest, char **reason, char **need)
{
    char *bar = last_bar(rest);

    *reason = rest + strspn(rest, " ");
    *need = rest + strlen(rest);
    if (bar) {
        *need = bar + 1 + strspn(bar + 1, " ");
        trim_end(*need, *need + strlen(*need));
        if (*reason > bar)
            *reason = bar;
        trim_end(*reason, bar);
        return;
    }
    trim_end(*reason, *need);
}
