#include "description.h"

#include "output.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS_EACH = 4 };

/* The name under which an actor lists what it does with all other messages. */
static const char others[] = "*";

static int read_words(struct description *description)
{
    char **at = description->words.at;

    if (description->words.count % WORDS_EACH)
        return -1;
    description->at =
        cli_alloc((description->words.count / WORDS_EACH + 1) * sizeof *description->at);
    for (size_t i = 0; i < description->words.count; i += WORDS_EACH) {
        if (!wire_format_is_valid(at[i + 1]) || !wire_format_is_valid(at[i + 2]))
            return -1;
        description->takes_others |= strcmp(at[i], others) == 0;
        description->at[description->count++] =
            (struct described){at[i], at[i + 1], at[i + 2], at[i + 3]};
    }
    return 0;
}

int description_read(const void *image, size_t size, struct description *description)
{
    *description = (struct description){0};
    if (wire_unpack_words(image, size, &description->words) != 0)
        return -1;
    if (read_words(description) == 0)
        return 0;
    description_finish(description);
    return -1;
}

void description_finish(struct description *description)
{
    words_finish(&description->words);
    free(description->at);
    *description = (struct description){0};
}

const struct described *description_find(const struct description *description, const char *name)
{
    for (size_t i = 0; i < description->count; i++)
        if (strcmp(description->at[i].name, name) == 0 && strcmp(name, others) != 0)
            return &description->at[i];
    return NULL;
}

const char *description_nearest(const struct description *description, const char *name)
{
    const char **names = cli_alloc((description->count + 1) * sizeof *names);
    const char *nearest;

    for (size_t i = 0; i < description->count; i++)
        names[i] = description->at[i].name;
    nearest = text_nearest(name, names);
    free(names);
    return nearest;
}

/* ---- in words ---------------------------------------------------------------------------- */

const char *type_text(char letter)
{
    switch (letter) {
    case 'i':
        return "INT32";
    case 'u':
        return "UINT32";
    case 'I':
        return "INT64";
    case 'U':
        return "UINT64";
    case 'f':
        return "DOUBLE";
    case 's':
        return "TEXT";
    default:
        return "BYTES";
    }
}

void types_write(const char *format, struct buf *text)
{
    for (size_t i = 0; format[i]; i++)
        buf_printf(text, "%s%s", i ? " " : "", type_text(format[i]));
}

void signature_write(const struct described *message, struct buf *text)
{
    buf_printf(text, "%s%s", message->name, *message->arguments ? " " : "");
    types_write(message->arguments, text);
    if (*message->reply)
        buf_printf(text, " -> ");
    types_write(message->reply, text);
}
