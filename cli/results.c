#include "results.h"

#include "output.h"
#include "raw.h"
#include "values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_bytes(char letter)
{
    return letter == 's' || letter == 'B';
}

static void results_init(struct results *results, const char *format)
{
    results->format = cli_strdup(format);
    results->at = cli_alloc((strlen(format) + 1) * sizeof *results->at);
}

void results_finish(struct results *results)
{
    if (results->at)
        wire_values_finish(results->format, results->at);
    free(results->at);
    free(results->format);
    *results = (struct results){0};
}

static void copy_bytes(const void *bytes, size_t size, union wire_value *value)
{
    value->bytes.at = cli_alloc(size + 1);
    value->bytes.size = size;
    if (size)
        memcpy(value->bytes.at, bytes, size);
}

int results_of_payload(const char *format, bool is_typed, const void *payload, size_t size,
                       struct results *results)
{
    struct results got;

    results_init(&got, format);
    if (!is_typed && is_bytes(*format) && !format[1]) {
        copy_bytes(payload, size, &got.at[0]);
    } else if (wire_unpack_values(format, payload, size, got.at) != 0) {
        free(got.at);
        free(got.format);
        return -1;
    }
    *results = got;
    return 0;
}

static size_t count_fields(const char *line, size_t size)
{
    size_t count = 1;

    for (size_t i = 0; i < size; i++)
        count += line[i] == '\t';
    return count;
}

int results_of_line(const void *line, size_t size, struct results *results)
{
    size_t most = count_fields(line, size);
    char *copy = cli_alloc(size + 1), **fields = cli_alloc(most * sizeof *fields);
    const char *why;
    int count;

    if (size)
        memcpy(copy, line, size);
    count = size ? raw_split(copy, size, fields, (int)most, &why) : 0;
    if (count >= 0) {
        results->format = cli_alloc((size_t)count + 1);
        results->at = cli_alloc(((size_t)count + 1) * sizeof *results->at);
    }
    for (int i = 0; i < count; i++) {
        results->format[i] = 's';
        copy_bytes(fields[i], strlen(fields[i]), &results->at[i]);
    }
    free(fields);
    free(copy);
    return count < 0 ? -1 : 0;
}

/* ---- writing ----------------------------------------------------------------------------- */

enum { NUMBER_SIZE = 64 };

void results_write_line(const struct results *results, struct buf *text)
{
    cli_check_memory(values_append(text, true, results->format, results->at));
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

void results_write_json(const struct results *results, struct buf *text)
{
    buf_printf(text, "[");
    for (size_t i = 0; results->format[i]; i++) {
        buf_printf(text, "%s", i ? ", " : "");
        write_json(results->format[i], &results->at[i], text);
    }
    buf_printf(text, "]");
}
