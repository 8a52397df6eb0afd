/* Any body: an error, or fields that join to a line which splits into the same fields. */
#include "raw.h"

#include <stdlib.h>
#include <string.h>

enum { FIELDS = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *copy_of(const void *bytes, size_t size)
{
    char *copy = malloc(size + 1);

    if (!copy)
        abort();
    if (size)
        memcpy(copy, bytes, size);
    return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *body = copy_of(data, size), *again;
    char *fields[FIELDS], *other[FIELDS];
    const char *why = NULL;
    struct buf line = {0};
    int n = raw_split(body, size, fields, FIELDS, &why);

    if (n < 0 && !why)
        abort();
    for (int i = 0; i < n; i++) {
        if (raw_put(&line, i == 0, fields[i], strlen(fields[i])))
            abort();
    }
    if (n > 0) {
        again = copy_of(buf_front(&line), buf_length(&line));
        if (raw_split(again, buf_length(&line), other, FIELDS, &why) != n)
            abort();
        for (int i = 0; i < n; i++) {
            if (strcmp(fields[i], other[i]))
                abort();
        }
        free(again);
    }
    buf_finish(&line);
    free(body);
    return 0;
}
