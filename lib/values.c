#include "values.h"

#include "raw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int __attribute__((format(printf, 2, 3)))
refuse(char why[VALUES_WHY_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, VALUES_WHY_SIZE, format, args);
    va_end(args);
    return -1;
}

static bool fits_signed(const struct troupe_value *value, int64_t min, int64_t max, int64_t *out)
{
    if (value->type == 'U' && value->as.u > INT64_MAX)
        return false;
    if (value->type != 'I' && value->type != 'U')
        return false;
    *out = value->type == 'U' ? (int64_t)value->as.u : value->as.i;
    return *out >= min && *out <= max;
}

static bool fits_unsigned(const struct troupe_value *value, uint64_t max, uint64_t *out)
{
    if (value->type == 'I' && value->as.i < 0)
        return false;
    if (value->type != 'I' && value->type != 'U')
        return false;
    *out = value->type == 'I' ? (uint64_t)value->as.i : value->as.u;
    return *out <= max;
}

static bool fits_double(const struct troupe_value *value, double *out)
{
    switch (value->type) {
    case 'f':
        *out = value->as.f;
        return true;
    case 'I':
        *out = (double)value->as.i;
        return true;
    case 'U':
        *out = (double)value->as.u;
        return true;
    default:
        return false;
    }
}

/* A text must not hold a NUL, and is never NULL. */
static bool fits_bytes(const struct troupe_value *value, bool text, union wire_value *out)
{
    if (value->type != 's' && value->type != 'B')
        return false;
    if (!value->as.bytes.at && value->as.bytes.size > 0)
        return false;
    if (text && (value->type == 'B' || !value->as.bytes.at))
        return false;
    out->bytes.at = value->as.bytes.at ? (char *)value->as.bytes.at : "";
    out->bytes.size = value->as.bytes.size;
    return true;
}

static bool fits(const struct troupe_value *value, char type, union wire_value *out)
{
    switch (type) {
    case 'i':
        return fits_signed(value, INT32_MIN, INT32_MAX, &out->i);
    case 'I':
        return fits_signed(value, INT64_MIN, INT64_MAX, &out->i);
    case 'u':
        return fits_unsigned(value, UINT32_MAX, &out->u);
    case 'U':
        return fits_unsigned(value, UINT64_MAX, &out->u);
    case 'f':
        return fits_double(value, &out->f);
    case 's':
    case 'B':
        return fits_bytes(value, type == 's', out);
    default:
        return false;
    }
}

int values_convert(const struct troupe_value *values, const char *format,
                           union wire_value *out, char *out_format, char why[VALUES_WHY_SIZE])
{
    size_t wanted = format ? strlen(format) : 0;
    int n = 0;

    for (; n < WIRE_VALUES_MAX && values[n].type; n++) {
        char type = format && (size_t)n < wanted ? format[n] : values[n].type;

        if (!fits(&values[n], type, &out[n]))
            return refuse(why, "value %d: expected %c", n + 1, type);
        out_format[n] = type;
    }
    out_format[n] = '\0';
    if (format && (size_t)n != wanted)
        return refuse(why, "%d values: expected \"%s\"", n, format);
    return n;
}

int values_append(struct buf *line, bool first, const char *format,
                          const union wire_value *values)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch): ends with 0 */
    for (; *format; format++, values++, first = false) {
        char number[512]; /* the longest double in %f has 309 digits before the point */
        int length;

        if (*format == 's' || *format == 'B') {
            if (raw_put(line, first, values->bytes.at, values->bytes.size) < 0)
                return -1;
            continue;
        }
        length = wire_value_text(*format, values, number, sizeof number);
        if (length < 0 || raw_put(line, first, number, (size_t)length) < 0)
            return -1;
    }
    return 0;
}

/* An unpacked value as one that is said. */
static struct troupe_value value_of(char type, const union wire_value *value)
{
    switch (type) {
    case 'i':
    case 'I':
        return troupe_value_int(value->i);
    case 'u':
    case 'U':
        return troupe_value_uint(value->u);
    case 'f':
        return troupe_value_double(value->f);
    default:
        return (struct troupe_value){
            .type = type, .as.bytes = {value->bytes.at, value->bytes.size}};
    }
}

/* A text that is a number is one, as in a raw line: whoever hands raw lines on has nothing but texts. */
static bool fits_one(char given, char wanted, const union wire_value *value, union wire_value *out)
{
    struct troupe_value said = value_of(given, value);
    const char word[] = {wanted, '\0'};
    char *field = value->bytes.at;
    int bad;

    *out = *value;
    if (given == wanted || fits(&said, wanted, out))
        return true;
    return given == 's' && wanted != 'B' && field &&
           wire_values_of_text(word, &field, 1, out, &bad) == 0;
}

static bool is_number(char type)
{
    return type != 's' && type != 'B';
}

int values_fit(const char *given, const char *format, union wire_value *values)
{
    union wire_value out[WIRE_VALUES_MAX];
    size_t n = strlen(format);

    if (strlen(given) != n || n > WIRE_VALUES_MAX)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (!fits_one(given[i], format[i], &values[i], &out[i]))
            return -1;
    for (size_t i = 0; i < n; i++) {
        if (given[i] == 's' && is_number(format[i]))
            free(values[i].bytes.at);
        values[i] = out[i];
    }
    return 0;
}

int values_pack_as(const char *format, const union wire_value *values, struct payload *payload)
{
    /* Both are set as far as format says, which the analyzer does not follow through values_convert(). */
    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch) */
    *payload = (struct payload){.is_typed = *format && strcmp(format, "B") != 0};
    if (strcmp(format, "B") == 0) {
        payload->at = values->bytes.at; /* NOLINT(clang-analyzer-core.uninitialized.Assign) */
        payload->size = values->bytes.size;
    } else if (payload->is_typed) {
        if (wire_pack_values(format, values, &payload->image) < 0)
            return -1;
        payload->at = payload->image.data;
        payload->size = payload->image.size;
    }
    return 0;
}

int values_pack(const struct troupe_value *values, struct payload *payload)
{
    union wire_value out[WIRE_VALUES_MAX];
    char format[WIRE_VALUES_MAX + 1], why[VALUES_WHY_SIZE];

    if (values_convert(values, NULL, out, format, why) < 0) {
        errno = EINVAL;
        return -1;
    }
    return values_pack_as(format, out, payload);
}

int values_copy_payload(const struct payload *from, struct payload *to)
{
    void *copy = malloc(from->size + 1);

    if (!copy)
        return -1;
    if (from->at)
        memcpy(copy, from->at, from->size);
    *to = (struct payload){
        .at = copy, .size = from->size, .is_typed = from->is_typed, .image = {copy, from->size}};
    return 0;
}

int values_pack_copy(const struct troupe_value *values, struct payload *payload)
{
    struct payload packed;

    if (values_pack(values, &packed) < 0)
        return -1;
    if (!packed.image.data)
        return values_copy_payload(&packed, payload);
    *payload = packed;
    return 0;
}
