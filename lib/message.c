#include "message.h"

#include "raw.h"
#include "runtime.h"
#include "values.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
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
    memset(message, 0, offsetof(struct troupe_message, hh));
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

/* One message at a time is the rule: it has its place. */
static struct troupe_message *take_spare(struct troupe *self)
{
    struct troupe_message *message = &self->spare;

    if (!self->has_spare)
        return malloc(sizeof *message);
    self->has_spare = false;
    return message;
}

/* The name with its NUL, which a frame lacks. */
static int set_name(struct troupe_message *message, struct envelope_text name)
{
    char *room = message->name_room;

    if (name.length >= sizeof message->name_room)
        room = message->own_name = malloc(name.length + 1u);
    if (!room)
        return -1;
    envelope_text_copy(name, room, name.length + 1u);
    message->name = room;
    return 0;
}

struct troupe_message *message_view(struct troupe *self, enum message_origin origin,
                                    const struct envelope *env, const char *remote)
{
    struct troupe_message *message = take_spare(self);

    if (!message)
        return NULL;
    memset(message, 0, offsetof(struct troupe_message, hh));
    message->self = self;
    message->origin = origin;
    message->is_view = true;
    message->is_spare = message == &self->spare;
    message->is_call = env->kind == ENVELOPE_CALL;
    message->is_typed = env->flags & ENVELOPE_TYPED;
    message->wants_undelivered = env->flags & ENVELOPE_WANTS_UNDELIVERED;
    message->ref = env->ref;
    message->deadline.us = (int64_t)env->deadline_us;
    message->blocked = env->blocked;
    message->blocked_count = env->blocked_count;
    message->from = remote;
    message->body = (char *)env->payload;
    message->size = env->payload_size;
    if (set_name(message, env->type) == 0)
        return message;
    message_destroy(message);
    return NULL;
}

static int copy_chain(struct troupe_message *message)
{
    size_t size = message->blocked_count * sizeof *message->blocked;

    if (size == 0)
        return 0;
    message->own_blocked = malloc(size);
    if (!message->own_blocked)
        return -1;
    message->blocked = memcpy(message->own_blocked, message->blocked, size);
    return 0;
}

/* Sender and body in one piece of memory; a single argument of bytes points into the body. */
int message_settle(struct troupe_message *message)
{
    size_t from = strlen(message->from) + 1;
    char *room;

    if (!message->is_view)
        return 0;
    room = malloc(from + message->size + 1);
    if (!room || copy_chain(message) < 0) {
        free(room);
        return -1;
    }
    message->own_body = room;
    message->from = memcpy(room, message->from, from);
    if (message->size > 0)
        memcpy(room + from, message->body, message->size);
    room[from + message->size] = '\0';
    message->body = room + from;
    if (message->values && !message->owns_values && strcmp(message->format, "B") == 0)
        message->values->bytes.at = message->body;
    message->is_view = false;
    return 0;
}

static void drop_values(struct troupe_message *message)
{
    if (message->owns_values)
        wire_values_finish(message->format, message->values);
    if (message->values != message->few_values)
        free(message->values);
    message->values = NULL;
    message->owns_values = false;
}

void message_destroy(struct troupe_message *message)
{
    if (!message)
        return;
    drop_values(message);
    free(message->own_body);
    free(message->own_name);
    free(message->own_blocked);
    if (message->is_spare)
        message->self->has_spare = true;
    else
        free(message);
}

bool message_is_given_away(const struct troupe_message *message)
{
    if (message->is_forwarded)
        errno = ENOTCONN;
    return message->is_forwarded;
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

/* Names that begin with a dot are the runtime's own. 0 when somebody handles this one. */
static int find_handler(struct troupe_message *message, const struct troupe_handler *table,
                        bool has_fallback, char why[MESSAGE_WHY_SIZE])
{
    bool is_reserved = *message->name == '.';

    message->handler = is_reserved ? NULL : find(table, message->name);
    if (message->handler || (has_fallback && !is_reserved))
        return 0;
    return refuse(why, "unknown_message %.64s", message->name);
}

/* The fallback knows no types: n texts, or the payload. */
static int set_format(struct troupe_message *message, unsigned texts, char why[MESSAGE_WHY_SIZE])
{
    const struct troupe_handler *handler = message->handler;

    message->format = message->own_format;
    if (handler) {
        message->format = handler->arguments ? handler->arguments : "";
    } else if (message->origin != MESSAGE_RAW) {
        /* An envelope without payload is a message without arguments. */
        bool is_empty = message->origin == MESSAGE_ENVELOPE && message->size == 0;

        strcpy(message->own_format, is_empty ? "" : "B");
    } else {
        memset(message->own_format, 's', texts);
        message->own_format[texts] = '\0';
    }
    message->count = (unsigned)strlen(message->format);
    if (message->count > MESSAGE_ARGUMENTS_MAX)
        return refuse(why, "error the handler takes more than %d arguments", MESSAGE_ARGUMENTS_MAX);
    return 0;
}

static int make_room(struct troupe_message *message, unsigned count)
{
    message->values = message->few_values;
    if (count > MESSAGE_INLINE)
        message->values = malloc(count * sizeof *message->values);
    return message->values ? 0 : -1;
}

static int unpack_fields(struct troupe_message *message, char **fields, int n,
                         char why[MESSAGE_WHY_SIZE])
{
    int bad = 0;

    if ((unsigned)n != message->count)
        return refuse(why, "bad_message %.64s: expected %u arguments, got %d", message->name,
                      message->count, n);
    if (make_room(message, message->count) < 0)
        return refuse(why, "error out of memory");
    if (wire_values_of_text(message->format, fields, n, message->values, &bad) < 0) {
        drop_values(message);
        return refuse(why, "bad_message %.64s: argument %d: expected %c", message->name, bad + 1,
                      bad >= 0 && bad < n ? message->format[bad] : '?');
    }
    message->owns_values = true;
    return 0;
}

/* By the format that the image itself names, which is taken only when its values fit ours. */
static int unpack_image(struct troupe_message *message, char why[MESSAGE_WHY_SIZE])
{
    char given[MESSAGE_ARGUMENTS_MAX + 1];

    if (wire_format_of(message->body, message->size, given) == 0 &&
        strlen(given) == message->count) {
        if (make_room(message, message->count) < 0)
            return refuse(why, "error out of memory");
        if (wire_unpack_values(given, message->body, message->size, message->values) == 0) {
            message->owns_values = values_fit(given, message->format, message->values) == 0;
            if (message->owns_values)
                return 0;
            wire_values_finish(given, message->values);
        }
        drop_values(message);
    }
    return refuse(why, "bad_message %.64s: expected a payload of format \"%s\"", message->name,
                  message->format);
}

/* One argument: all the bytes, where they are. */
static int unpack_bytes(struct troupe_message *message)
{
    message->values = message->few_values;
    message->values->bytes.at = message->body;
    message->values->bytes.size = message->size;
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
    if (find_handler(message, table, has_fallback, why) < 0)
        return -1;
    n = n > 0 ? n - 1 : 0;
    if (set_format(message, (unsigned)n, why) < 0)
        return -1;
    return unpack_fields(message, fields + 1, n, why);
}

static int parse_raw_bytes(struct troupe_message *message, const struct troupe_handler *table,
                           bool has_fallback, char why[MESSAGE_WHY_SIZE])
{
    message->name = "raw";
    if (find_handler(message, table, has_fallback, why) < 0)
        return -1;
    if (set_format(message, 1, why) < 0)
        return -1;
    if (strcmp(message->format, "B") != 0)
        return refuse(why, "error the handler raw takes \"%s\": expected \"B\"", message->format);
    return unpack_bytes(message);
}

int message_parse_answer(struct troupe_message *message)
{
    message->format = message->own_format;
    message->own_format[0] = '\0';
    message->count = 0;
    if (message->size == 0)
        return 0;
    if (!message->is_typed) {
        strcpy(message->own_format, "B");
        message->count = 1;
        return unpack_bytes(message);
    }
    if (wire_format_of(message->body, message->size, message->own_format) < 0)
        return -1;
    message->count = (unsigned)strlen(message->own_format);
    if (make_room(message, message->count) < 0)
        return -1;
    if (wire_unpack_values(message->format, message->body, message->size, message->values) < 0) {
        drop_values(message);
        message->count = 0;
        return -1;
    }
    message->owns_values = true;
    return 0;
}

static int parse_envelope(struct troupe_message *message, const struct troupe_handler *table,
                          bool has_fallback, char why[MESSAGE_WHY_SIZE])
{
    if (find_handler(message, table, has_fallback, why) < 0)
        return -1;
    if (!message->handler && message->is_typed)
        return message_parse_answer(message) == 0
                   ? 0
                   : refuse(why, "bad_message %.64s: not a payload", message->name);
    if (set_format(message, 1, why) < 0)
        return -1;
    if (message->count == 0 && message->size == 0)
        return 0;
    if (message->is_typed)
        return unpack_image(message, why);
    if (strcmp(message->format, "B") == 0)
        return unpack_bytes(message);
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
    case MESSAGE_ANSWER:
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

int64_t troupe_time_left(const struct troupe_message *message)
{
    int64_t left;

    if (!message->is_call || !mono_is_set(message->deadline))
        return -1;
    left = mono_diff_ms(message->deadline, mono_now());
    return left > 0 ? left : 0;
}

size_t troupe_size(const struct troupe_message *message)
{
    return message->size;
}

unsigned troupe_count(const struct troupe_message *message)
{
    return message->count;
}

char troupe_type(const struct troupe_message *message, unsigned index)
{
    return type_of(message, index);
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
