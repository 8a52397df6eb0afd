#include "values.h"

#include "output.h"
#include "raw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_bytes(char letter)
{
    return letter == 's' || letter == 'B';
}

static void values_init(struct values *values, const char *format)
{
    values->format = cli_strdup(format);
    values->at = cli_alloc((strlen(format) + 1) * sizeof *values->at);
}

void values_finish(struct values *values)
{
    if (values->at)
        wire_values_finish(values->format, values->at);
    free(values->at);
    free(values->format);
    *values = (struct values){0};
}

static void copy_bytes(const void *bytes, size_t size, union wire_value *value)
{
    value->bytes.at = cli_alloc(size + 1);
    value->bytes.size = size;
    if (size)
        memcpy(value->bytes.at, bytes, size);
}

int values_of_payload(const char *format, bool is_typed, const void *payload, size_t size,
                      struct values *values)
{
    struct values got;

    values_init(&got, format);
    if (!is_typed && is_bytes(*format) && !format[1]) {
        copy_bytes(payload, size, &got.at[0]);
    } else if (wire_unpack_values(format, payload, size, got.at) != 0) {
        free(got.at);
        free(got.format);
        return -1;
    }
    *values = got;
    return 0;
}

static size_t count_fields(const char *line, size_t size)
{
    size_t count = 1;

    for (size_t i = 0; i < size; i++)
        count += line[i] == '\t';
    return count;
}

int values_of_line(const void *line, size_t size, struct values *values)
{
    size_t most = count_fields(line, size);
    char *copy = cli_alloc(size + 1), **fields = cli_alloc(most * sizeof *fields);
    const char *why;
    int count;

    if (size)
        memcpy(copy, line, size);
    count = size ? raw_split(copy, size, fields, (int)most, &why) : 0;
    if (count >= 0) {
        values->format = cli_alloc((size_t)count + 1);
        values->at = cli_alloc(((size_t)count + 1) * sizeof *values->at);
    }
    for (int i = 0; i < count; i++) {
        values->format[i] = 's';
        copy_bytes(fields[i], strlen(fields[i]), &values->at[i]);
    }
    free(fields);
    free(copy);
    return count < 0 ? -1 : 0;
}

/* ---- writing ----------------------------------------------------------------------------- */

enum { NUMBER_SIZE = 64 };

void values_write_line(const struct values *values, struct buf *text)
{
    char number[NUMBER_SIZE];

    for (size_t i = 0; values->format[i]; i++) {
        const union wire_value *value = &values->at[i];
        const char *field = number;
        size_t length;

        if (is_bytes(values->format[i])) {
            field = value->bytes.at;
            length = value->bytes.size;
        } else {
            length = (size_t)wire_value_text(values->format[i], value, number, sizeof number);
        }
        cli_check_memory(raw_put(text, i == 0, field, length));
    }
}

static void write_json(char letter, const union wire_value *value, struct buf *text)
{
    char number[NUMBER_SIZE];

    if (is_bytes(letter)) {
        json_write_bytes(value->bytes.at, value->bytes.size, text);
    } else if (letter == 'f' && !isfinite(value->f)) {
        buf_printf(text, "null");
    } else {
        wire_value_text(letter, value, number, sizeof number);
        buf_printf(text, "%s", number);
    }
}

void values_write_json(const struct values *values, struct buf *text)
{
    buf_printf(text, "[");
    for (size_t i = 0; values->format[i]; i++) {
        buf_printf(text, "%s", i ? ", " : "");
        write_json(values->format[i], &values->at[i], text);
    }
    buf_printf(text, "]");
}
