/* Any datagram: every line ends inside it, and every part inside its line. */
#include "ctl.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const char *text, const char *bytes, size_t size)
{
    if (text < bytes || text + strlen(text) > bytes + size)
        abort();
}

static void take(struct ctl_line *line, const char *bytes, size_t size)
{
    char *rest = line->rest, *word, *reason, *need;

    inside(rest, bytes, size);
    if (line->bytes && line->bytes + line->bytes_size != (const uint8_t *)bytes + size)
        abort();
    if (line->verb == CTL_EXIT) {
        ctl_exit_parts(rest, &reason, &need);
        inside(reason, bytes, size);
        inside(need, bytes, size);
        rest = reason;
    }
    while ((word = ctl_word(&rest)))
        if (!*word || strchr(word, ' '))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    struct ctl_line line;
    size_t at = 0, before = 0;

    if (!bytes)
        return 0;
    memcpy(bytes, data, size);
    bytes[size] = '\0';
    while (ctl_next(bytes, size, &at, &line)) {
        if (at <= before || at > size)
            abort();
        before = at;
        take(&line, bytes, size);
    }
    free(bytes);
    return 0;
}
