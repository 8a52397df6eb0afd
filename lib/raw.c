#include "raw.h"

#include <string.h>

/* Cuts one field out of [*from, end) into *to, unescaped; 1 when a TAB ended it, 0 at the end. */
static int field(const char **from, const char *end, char **to, const char **why)
{
    static const char escapes[] = "tn\\", plain[] = "\t\n\\";

    for (; *from < end; ++*from) {
        const char *escape;
        char c = **from;

        if (c == '\t') {
            ++*from;
            return 1;
        }
        if (c == '\0') {
            *why = "NUL byte";
            return -1;
        }
        if (c == '\\') {
            escape = ++*from < end && **from ? strchr(escapes, **from) : NULL;
            if (!escape) {
                *why = "bad escape: expected \\t, \\n or \\\\";
                return -1;
            }
            c = plain[escape - escapes];
        }
        *(*to)++ = c;
    }
    return 0;
}

int raw_split(char *body, size_t size, char **fields, int max, const char **why)
{
    const char *from = body, *end = body + size;
    char *to = body;
    int n = 0, more = 1;

    if (size && end[-1] == '\n')
        end--;
    while (more) {
        if (n == max) {
            *why = "too many fields";
            return -1;
        }
        fields[n++] = to;
        more = field(&from, end, &to, why);
        if (more < 0)
            return -1;
        *to++ = '\0'; /* never past `from`, nor past body[size] */
    }
    return n;
}

int raw_append(struct buf *line, const char *field_text, size_t length)
{
    return raw_put(line, buf_length(line) == 0, field_text, length);
}

int raw_put(struct buf *line, bool first, const char *field_text, size_t length)
{
    uint8_t *to = buf_reserve(line, 2 * length + 1);

    if (!to)
        return -1;
    if (!first)
        *to++ = '\t';
    for (size_t i = 0; i < length; i++) {
        char c = field_text[i];

        if (c == '\t' || c == '\n' || c == '\\')
            *to++ = '\\';
        *to++ = (uint8_t)(c == '\t' ? 't' : c == '\n' ? 'n' : c);
    }
    line->end = (size_t)(to - line->data);
    return 0;
}
