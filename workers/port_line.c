#include "port_line.h"

#include "raw.h"

#include <string.h>

enum { DIGITS_MAX = 19 }; /* no number of them is over 64 bits */

static const struct {
    const char *word;
    enum port_line_kind kind;
    int least, most; /* fields that follow it */
    const char *expected;
} KINDS[] = {
    {"cast", PORT_LINE_CAST, 2, WIRE_VALUES_MAX + 2, "expected cast ADDRESS MESSAGE ARG..."},
    {"publish", PORT_LINE_PUBLISH, 1, WIRE_VALUES_MAX + 1, "expected publish TOPIC VALUE..."},
    {"log", PORT_LINE_LOG, 2, 2, "expected log LEVEL TEXT"},
    {"status", PORT_LINE_STATUS, 1, 1, "expected status TEXT"},
    {"describe", PORT_LINE_DESCRIBE, 1, 4, "expected describe NAME ARGS REPLY HELP"},
    {"ready", PORT_LINE_READY, 0, 1, "expected ready TEXT"},
};

uint64_t port_line_ref(const char *text, size_t size)
{
    size_t at = size && *text == '!', first = at;
    uint64_t ref = 0;

    for (; at < size && text[at] >= '0' && text[at] <= '9'; at++) {
        if (at - first == DIGITS_MAX)
            return 0;
        ref = ref * 10 + (uint64_t)(text[at] - '0');
    }
    return at == size || text[at] == '\t' ? ref : 0;
}

static void refuse(struct port_line *line, const char *why)
{
    line->kind = PORT_LINE_BAD;
    line->why = why;
}

static void classify_answer(struct port_line *line)
{
    bool is_error = *line->all[0] == '!';

    line->kind = is_error ? PORT_LINE_ERROR : PORT_LINE_ANSWER;
    if (is_error && line->count > 1)
        refuse(line, "expected !REF REASON");
    else if (line->count > WIRE_VALUES_MAX)
        refuse(line, "too many values");
}

static void classify_word(struct port_line *line)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(line->all[0], KINDS[i].word) != 0)
            continue;
        line->kind = KINDS[i].kind;
        if (line->count < KINDS[i].least || line->count > KINDS[i].most)
            refuse(line, KINDS[i].expected);
        return;
    }
    refuse(line, "neither an answer nor a word that a port knows");
}

void port_line_parse(char *text, size_t size, struct port_line *line)
{
    const char *why = NULL;
    int n;

    line->ref = port_line_ref(text, size);
    line->why = NULL;
    line->fields = line->all + 1;
    n = raw_split(text, size, line->all, PORT_LINE_FIELDS, &why);
    line->count = n > 0 ? n - 1 : 0;
    line->all[n > 0 ? n : 1] = NULL;
    if (n < 0)
        refuse(line, why);
    else if (line->ref)
        classify_answer(line);
    else
        classify_word(line);
}
