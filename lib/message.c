#include "message.h"

#include "raw.h"
#include "runtime.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct troupe_message *message_create(struct troupe *self, enum message_origin origin,
                                      const char *name, size_t name_length, const char *from,
                                      size_t from_length, const void *body, size_t size)
{
    struct troupe_message *message =
        malloc(sizeof *message + name_length + 1 + from_length + 1 + size + 1);
    char *at;

    if (!message)
        return NULL;
    at = (char *)(message + 1);
    memset(message, 0, sizeof *message);
    message->self = self;
    message->origin = origin;
    message->name = memcpy(at, name, name_length);
    at[name_length] = '\0';
    at += name_length + 1;
    message->from = memcpy(at, from, from_length);
    at[from_length] = '\0';
    at += from_length + 1;
    message->body = at;
    message->size = size;
    if (size > 0)
        memcpy(at, body, size);
    at[size] = '\0';
    return message;
}

void message_destroy(struct troupe_message *message)
{
    if (!message)
        return;
    if (message->values)
        wire_values_finish(message->format, message->values);
    free(message->values);
    free(message->format);
    free(message);
}

/* ---- arguments ----------------------------------------------------------------------------- */

static const struct troupe_handler *find(const struct troupe_handler *table, const char *name)
{
    for (; table && table->name; table++)
        if (strcmp(table->name, name) == 0)
            return table;
    return NULL;
}

static int __attribute__((format(printf, 2, 3)))
refuse(char why[MESSAGE_WHY_SIZE], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(why, MESSAGE_WHY_SIZE, format, args);
    va_end(args);
    return -1;
}

/* The fallback knows no types: n texts, or the payload. */
static char *fallback_format(const struct troupe_message *message, unsigned texts)
{
    char *format;

    if (message->origin != MESSAGE_RAW)
        return strdup("B");
    format = malloc(texts + 1);
    if (format) {
        memset(format, 's', texts);
        format[texts] = '\0';
    }
    return format;
}

static int allocate(struct troupe_message *message, unsigned texts, char why[MESSAGE_WHY_SIZE])
{
    const struct troupe_handler *handler = message->handler;

    if (handler)
        message->format = strdup(handler->arguments ? handler->arguments : "");
    else
        message->format = fallback_format(message, texts);
    if (!message->format)
        return refuse(why, "error out of memory");
    message->count = (unsigned)strlen(message->format);
    return 0;
}

/* Values exist only when all of them do: message_destroy() finishes them by the format. */
static union wire_value *values_of(const struct troupe_message *message)
{
    return calloc(message->count + 1, sizeof(union wire_value));
}

static int unpack_fields(struct troupe_message *message, char **fields, int n,
                         char why[MESSAGE_WHY_SIZE])
{
    union wire_value *values;
    int bad = 0;

    if ((unsigned)n != message->count)
        return refuse(why, "bad_message %.64s: expected %u arguments, got %d", message->name,
                      message->count, n);
    values = values_of(message);
    if (!values)
        return refuse(why, "error out of memory");
    if (wire_values_of_text(message->format, fields, n, values, &bad) < 0) {
        free(values);
        return refuse(why, "bad_message %.64s: argument %d: expected %c", message->name, bad + 1,
                      bad >= 0 && bad < n ? message->format[bad] : '?');
    }
    message->values = values;
    return 0;
}

static int unpack_image(struct troupe_message *message, char why[MESSAGE_WHY_SIZE])
{
    union wire_value *values = values_of(message);

    if (!values)
        return refuse(why, "error out of memory");
    if (wire_unpack_values(message->format, message->body, message->size, values) < 0) {
        free(values);
        return refuse(why, "bad_message %.64s: expected a payload of format \"%s\"", message->name,
                      message->format);
    }
    message->values = values;
    return 0;
}

/* One argument: all the bytes. */
static int unpack_bytes(struct troupe_message *message, char why[MESSAGE_WHY_SIZE])
{
    union wire_value *values = values_of(message);

    if (values)
        values->bytes.at = malloc(message->size + 1);
    if (!values || !values->bytes.at) {
        free(values);
        return refuse(why, "error out of memory");
    }
    memcpy(values->bytes.at, message->body, message->size + 1);
    values->bytes.size = message->size;
    message->values = values;
    return 0;
}

static int parse_line(struct troupe_message *message, const struct troupe_handler *table,
                      bool has_fallback, char why[MESSAGE_WHY_SIZE])
{
    char *fields[MESSAGE_ARGUMENTS_MAX + 1];
    const char *phrase = "";
    int n = raw_split(message->body, message->size, fields, MESSAGE_ARGUMENTS_MAX + 1, &phrase);

    if (n < 0)
        return refuse(why, "bad_message %s", phrase);
    message->name = n > 0 ? fields[0] : "";
    message->handler = find(table, message->name);
    if (!message->handler && !has_fallback)
        return refuse(why, "unknown_message %.64s", message->name);
    n = n > 0 ? n - 1 : 0;
    if (allocate(message, (unsigned)n, why) < 0)
        return -1;
    return unpack_fields(message, fields + 1, n, why);
}

static int parse_raw_bytes(struct troupe_message *message, const struct troupe_handler *table,
                           bool has_fallback, char why[MESSAGE_WHY_SIZE])
{
    message->name = "raw";
    message->handler = find(table, message->name);
    if (!message->handler && !has_fallback)
        return refuse(why, "unknown_message raw");
    if (allocate(message, 1, why) < 0)
        return -1;
    if (strcmp(message->format, "B") != 0)
        return refuse(why, "error the handler raw takes \"%s\": expected \"B\"", message->format);
    return unpack_bytes(message, why);
}

static int parse_envelope(struct troupe_message *message, const struct troupe_handler *table,
                          bool has_fallback, char why[MESSAGE_WHY_SIZE])
{
    message->handler = find(table, message->name);
    if (!message->handler && !has_fallback)
        return refuse(why, "unknown_message %.64s", message->name);
    if (allocate(message, 1, why) < 0)
        return -1;
    if (message->count == 0 && message->size == 0)
        return 0;
    if (message->is_typed && message->handler)
        return unpack_image(message, why);
    if (strcmp(message->format, "B") == 0)
        return unpack_bytes(message, why);
    return refuse(why, "bad_message %.64s: expected a typed payload of format \"%s\"",
                  message->name, message->format);
}

int message_parse(struct troupe_message *message, const struct troupe_handler *table,
                  bool has_fallback, char why[MESSAGE_WHY_SIZE])
{
    switch (message->origin) {
    case MESSAGE_RAW:
        return parse_line(message, table, has_fallback, why);
    case MESSAGE_RAW_BYTES:
        return parse_raw_bytes(message, table, has_fallback, why);
    case MESSAGE_ENVELOPE:
        break;
    }
    return parse_envelope(message, table, has_fallback, why);
}

/* ---- reading them -------------------------------------------------------------------------- */

static void __attribute__((noreturn))
misused(const struct troupe_message *message, unsigned index, const char *asked)
{
    fprintf(stderr, "bug: message %s: argument %u read as %s: it has \"%s\"\n", message->name,
            index, asked, message->format ? message->format : "");
    fflush(stderr);
    abort();
}

static char type_of(const struct troupe_message *message, unsigned index)
{
    return index < message->count && message->values ? message->format[index] : '\0';
}

const char *troupe_name(const struct troupe_message *message)
{
    return message->name;
}

const char *troupe_from(const struct troupe_message *message)
{
    return message->from;
}

uint32_t troupe_from_uid(const struct troupe_message *message)
{
    return message->uid;
}

bool troupe_is_call(const struct troupe_message *message)
{
    return message->is_call;
}

unsigned troupe_count(const struct troupe_message *message)
{
    return message->count;
}

int64_t troupe_int(const struct troupe_message *message, unsigned index)
{
    switch (type_of(message, index)) {
    case 'i':
    case 'I':
        return message->values[index].i;
    case 'u':
    case 'U':
        return (int64_t)message->values[index].u;
    default:
        misused(message, index, "an integer");
    }
}

uint64_t troupe_uint(const struct troupe_message *message, unsigned index)
{
    return (uint64_t)troupe_int(message, index);
}

double troupe_double(const struct troupe_message *message, unsigned index)
{
    if (type_of(message, index) != 'f')
        misused(message, index, "a double");
    return message->values[index].f;
}

const char *troupe_text(const struct troupe_message *message, unsigned index)
{
    if (type_of(message, index) != 's')
        misused(message, index, "a text");
    return message->values[index].bytes.at;
}

struct troupe_bytes troupe_bytes(const struct troupe_message *message, unsigned index)
{
    char type = type_of(message, index);

    if (type != 'B' && type != 's')
        misused(message, index, "bytes");
    return (struct troupe_bytes){message->values[index].bytes.at,
                                 message->values[index].bytes.size};
}

/* ---- values of an answer ------------------------------------------------------------------- */

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

int message_values_convert(const struct troupe_value *values, const char *format,
                           union wire_value *out, char *out_format, char why[MESSAGE_WHY_SIZE])
{
    size_t wanted = format ? strlen(format) : 0;
    int n = 0;

    for (; n < MESSAGE_ARGUMENTS_MAX && values[n].type; n++) {
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

int message_values_append(struct buf *line, bool first, const char *format,
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

/* ---- answering ----------------------------------------------------------------------------- */

/* After the one answer that a kept message is owed. */
static void settle(struct troupe_message *message)
{
    if (message->is_kept && !message->is_handled)
        mailbox_forget(message);
    else
        message->is_kept = false;
}

static int refuse_reply(struct troupe_message *message, const char *why)
{
    char text[2 * MESSAGE_WHY_SIZE];

    snprintf(text, sizeof text, "error reply to %.64s: %s", message->name, why);
    troupe_log(message->self, "error", "reply.mismatch", "message", message->name, "why", why,
               NULL);
    mailbox_answer_error(message, text);
    errno = EINVAL;
    return -1;
}

static int answer(struct troupe_message *message, const struct troupe_value *values)
{
    union wire_value out[MESSAGE_ARGUMENTS_MAX];
    char format[MESSAGE_ARGUMENTS_MAX + 1], why[MESSAGE_WHY_SIZE];
    const char *declared = NULL;

    if (message->handler)
        declared = message->handler->reply ? message->handler->reply : "";
    if (message_values_convert(values, declared, out, format, why) < 0)
        return refuse_reply(message, why);
    return mailbox_answer(message, format, out);
}

int troupe_reply_values(struct troupe_message *message, const struct troupe_value *values)
{
    int result = message->is_call ? answer(message, values) : 0;
    int saved = errno;

    settle(message);
    errno = saved;
    return result;
}

int troupe_fail(struct troupe_message *message, const char *format, ...)
{
    char text[512] = "error ";
    size_t head = strlen(text);
    va_list args;
    int result, saved;

    va_start(args, format);
    vsnprintf(text + head, sizeof text - head, format, args);
    va_end(args);
    result = message->is_call ? mailbox_answer_error(message, text) : 0;
    saved = errno;
    settle(message);
    errno = saved;
    return result;
}

struct troupe_message *troupe_keep(struct troupe_message *message)
{
    message->is_kept = true;
    return message;
}

void troupe_drop(struct troupe_message *message)
{
    if (message)
        troupe_fail(message, "dropped");
}

int troupe_publish_values(struct troupe *self, const char *topic, const struct troupe_value *values)
{
    union wire_value out[MESSAGE_ARGUMENTS_MAX];
    char format[MESSAGE_ARGUMENTS_MAX + 1], why[MESSAGE_WHY_SIZE];
    struct buf line = {0};
    int result = -1;

    if (message_values_convert(values, NULL, out, format, why) < 0) {
        errno = EINVAL;
        return -1;
    }
    if (raw_put(&line, true, topic, strlen(topic)) == 0 &&
        message_values_append(&line, false, format, out) == 0)
        result = mailbox_publish(self, buf_front(&line), buf_length(&line));
    buf_finish(&line);
    return result;
}
