/*
 * Any bytes from a program, in pieces of any size: the same lines come out as in one piece, no line
 * is over the bound, and what a line was understood as reads the same when it is said again.
 */
#include "../../workers/port_line.h"
#include "../../workers/port_reader.h"
#include "../../workers/port_table.h"
#include "raw.h"

#include <stdlib.h>
#include <string.h>

enum { MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

/* The fields joined again are a line that means the same. */
static void check_again(const struct port_line *line)
{
    struct port_line again;
    struct buf said = {0};
    size_t length;

    for (int i = 0; i <= line->count; i++)
        check(raw_put(&said, i == 0, line->all[i], strlen(line->all[i])) == 0);
    length = buf_length(&said);
    check(buf_append(&said, "X", 1) == 0);
    port_line_parse((char *)buf_front(&said), length, &again);
    check(again.kind == line->kind && again.ref == line->ref && again.count == line->count);
    for (int i = 0; i <= line->count; i++)
        check(strcmp(again.all[i], line->all[i]) == 0);
    buf_finish(&said);
}

static void check_line(struct port_table *table, char *text, size_t size)
{
    uint64_t ref = port_line_ref(text, size);
    struct port_line line;
    const char *why;

    check(size <= MAX);
    port_line_parse(text, size, &line);
    check(line.ref == ref);
    if (line.kind == PORT_LINE_BAD) {
        check(line.why && *line.why);
        return;
    }
    check(line.count >= 0 && !line.fields[line.count]);
    check(!ref == (line.kind != PORT_LINE_ANSWER && line.kind != PORT_LINE_ERROR));
    if (line.kind == PORT_LINE_DESCRIBE && port_table_add(table, line.fields, NULL, &why) < 0)
        check(why && *why);
    check_again(&line);
}

/* Everything heard in pieces of so many bytes, as one text. */
static void hear(const uint8_t *data, size_t size, size_t piece, struct buf *heard)
{
    struct port_table *table = calloc(1, sizeof *table);
    struct port_reader reader;
    enum port_read kind;
    char *text;
    size_t length;

    check(table != NULL);
    port_reader_init(&reader, MAX);
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < piece ? size - at : piece;
        memcpy(port_reader_room(&reader, n), data + at, n);
        port_reader_fed(&reader, n);
        while ((kind = port_reader_take(&reader, &text, &length)) != PORT_READ_NONE) {
            check(kind == PORT_READ_LINE || length > MAX);
            buf_append(heard, kind == PORT_READ_LINE ? "line " : "long ", 5);
            buf_append(heard, text, length <= MAX ? length : MAX);
            buf_append(heard, "\n", 1);
            if (kind == PORT_READ_LINE)
                check_line(table, text, length);
        }
        check(port_reader_rest(&reader) <= MAX);
    }
    port_reader_finish(&reader);
    port_table_finish(table);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf once = {0}, pieces = {0};

    if (size == 0)
        return 0;
    hear(data + 1, size - 1, size, &once);
    hear(data + 1, size - 1, data[0] % 100 + 1, &pieces);
    check(buf_length(&once) == buf_length(&pieces));
    if (buf_length(&once))
        check(memcmp(buf_front(&once), buf_front(&pieces), buf_length(&once)) == 0);
    buf_finish(&once);
    buf_finish(&pieces);
    return 0;
}
