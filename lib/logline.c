#include "logline.h"

#include "mono.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int add_quoted(struct buf *line, const char *text)
{
    if (buf_append(line, "\"", 1) < 0)
        return -1;
    for (; *text; text++) {
        if (*text == '"' && buf_append(line, "\\", 1) < 0)
            return -1;
        if (buf_append(line, text, 1) < 0)
            return -1;
    }
    return buf_append(line, "\"", 1);
}

/* Values are foreign text: one printable line, whatever they hold. */
static int add_value(struct buf *line, const char *value)
{
    size_t length = strlen(value), wanted = text_escape(value, length, NULL, 0);
    char *escaped = malloc(wanted + 1);
    int result;

    if (!escaped)
        return -1;
    text_escape(value, length, escaped, wanted + 1);
    if (*escaped == '\0' || wanted != length || strpbrk(escaped, " =\"\\"))
        result = add_quoted(line, escaped);
    else
        result = buf_append(line, escaped, wanted);
    free(escaped);
    return result;
}

int logline_add(struct buf *line, const char *key, const char *value)
{
    if (buf_printf(line, "%s%s=", buf_length(line) > 0 ? " " : "", key) < 0)
        return -1;
    return add_value(line, value ? value : "");
}

int logline_begin(struct buf *line, const char *level, const char *path, const char *event)
{
    char ts[WALL_TEXT_SIZE], pid[16];

    wall_text(wall_now_us(), ts);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (logline_add(line, "ts", ts) < 0 || logline_add(line, "level", level) < 0 ||
        logline_add(line, "path", path) < 0 || logline_add(line, "pid", pid) < 0)
        return -1;
    return logline_add(line, "event", event);
}
