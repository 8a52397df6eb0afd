#include "port_words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* One character that is not a quote: itself, or what follows a backslash. In "…" a backslash
 * stands for itself but before what would be special there. */
static const char *plain(const char *from, char quote, char **to)
{
    if (*from == '\\' && from[1] && (!quote || strchr("\"\\$`", from[1])))
        from++;
    *(*to)++ = *from++;
    return from;
}

/* Copies one word; returns where it ended, or NULL when a quote is open there. */
static const char *word(const char *from, char **to)
{
    char quote = '\0';

    for (; *from && (quote || !is_blank(*from));) {
        if (quote ? *from == quote : *from == '\'' || *from == '"')
            quote = quote ? '\0' : *from, from++;
        else if (quote == '\'')
            *(*to)++ = *from++;
        else
            from = plain(from, quote, to);
    }
    *(*to)++ = '\0';
    return quote ? NULL : from;
}

char **port_words(const char *command, const char **why)
{
    /* Every word but the last has a blank behind it: so many words there are at most. */
    size_t most = strlen(command) / 2 + 1, n = 0;
    char **words = malloc((most + 1) * sizeof *words + strlen(command) + 1);
    char *to = (char *)(words + most + 1);

    *why = words ? "expected a command" : "out of memory";
    if (!words)
        return NULL;
    for (;;) {
        while (is_blank(*command))
            command++;
        if (!*command)
            break;
        words[n++] = to;
        command = word(command, &to);
        if (!command) {
            *why = "a quote is not closed";
            n = 0;
            break;
        }
    }
    words[n] = NULL;
    if (n > 0)
        return words;
    free(words);
    return NULL;
}
