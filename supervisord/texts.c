#include "texts.h"

#include <stdlib.h>
#include <string.h>

size_t texts_count(char *const *texts)
{
    size_t n = 0;

    while (texts && texts[n])
        n++;
    return n;
}

char **texts_create(void)
{
    return calloc(1, sizeof(char *));
}

void texts_destroy(char **texts)
{
    for (size_t i = 0; texts && texts[i]; i++)
        free(texts[i]);
    free(texts);
}

int texts_append(char ***texts, const char *text)
{
    size_t n = texts_count(*texts);
    char *copy = strdup(text);
    char **grown = copy ? realloc(*texts, (n + 2) * sizeof *grown) : NULL;

    if (!grown) {
        free(copy);
        return -1;
    }
    grown[n] = copy;
    grown[n + 1] = NULL;
    *texts = grown;
    return 0;
}

bool texts_contain(char *const *texts, const char *text)
{
    for (; texts && *texts; texts++)
        if (strcmp(*texts, text) == 0)
            return true;
    return false;
}
