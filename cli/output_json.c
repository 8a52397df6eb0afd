/* The only file that touches jansson. */
#include "output.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The version of the shapes: it grows when a key changes its meaning or goes away. */
enum { JSON_VERSION = 1 };

/* Foreign bytes may be no UTF-8: then each wrong byte becomes U+FFFD. */
static json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    struct buf fixed = {0};

    if (value)
        return value;
    for (; *text; text++) {
        size_t length = 1;

        while (length < 4 && !(value = json_stringn(text, length)) && text[length])
            length++;
        if (value)
            buf_append(&fixed, text, length);
        else
            buf_append(&fixed, "\xEF\xBF\xBD", 3);
        text += value ? length - 1 : 0;
        json_decref(value);
        value = NULL;
    }
    value = json_stringn(fixed.data ? (const char *)buf_front(&fixed) : "", buf_length(&fixed));
    buf_finish(&fixed);
    return value;
}

static json_t *json_of_fact(const struct fact *fact)
{
    char time[64];

    if (fact->type != 's' && !*fact->value)
        return json_null();
    switch (fact->type) {
    case 'n':
    case 'd':
    case 'z':
        return json_integer(strtoll(fact->value, NULL, 10));
    case 'b':
        return json_boolean(strcmp(fact->value, "0") != 0 && strcmp(fact->value, "false") != 0 &&
                            strcmp(fact->value, "no") != 0);
    case 't':
        return json_string(bare_fact(fact, time, sizeof time));
    default:
        return json_text(fact->value);
    }
}

static json_t *json_of_record(const struct facts *record)
{
    json_t *object = json_object();

    for (size_t i = 0; i < record->count; i++)
        json_object_set_new(object, record->at[i].key, json_of_fact(&record->at[i]));
    return object;
}

/* Takes value over. */
static void write_versioned(const char *name, json_t *value, struct buf *text)
{
    json_t *top = json_pack("{s:i, s:o}", "troupe", JSON_VERSION, name, value);
    char *dump = top ? json_dumps(top, JSON_INDENT(2)) : NULL;

    cli_check_memory(!dump);
    buf_append(text, dump, strlen(dump));
    buf_append(text, "\n", 1);
    free(dump);
    json_decref(top);
}

/* Written record by record, because ten thousand of them need not be in memory at once. */
void json_list_begin(const char *name, struct buf *text)
{
    buf_printf(text, "{\n  \"troupe\": %d,\n  \"%s\": [", JSON_VERSION, name);
}

void json_list_add(const struct facts *record, size_t index, struct buf *text)
{
    buf_printf(text, "%s\n    ", index ? "," : "");
    json_write_line(record, text);
}

void json_list_end(size_t count, struct buf *text)
{
    buf_printf(text, "%s]\n}\n", count ? "\n  " : "");
}

void json_write_one(const char *name, const struct facts *record, struct buf *text)
{
    write_versioned(name, json_of_record(record), text);
}

void json_write_line(const struct facts *record, struct buf *text)
{
    json_t *object = json_of_record(record);
    char *dump = json_dumps(object, JSON_COMPACT);

    cli_check_memory(!dump);
    buf_append(text, dump, strlen(dump));
    free(dump);
    json_decref(object);
}

void json_write_words(const char *name, const struct words *words, struct buf *text)
{
    json_t *array = json_array();

    for (size_t i = 0; i < words->count; i++)
        json_array_append_new(array, json_text(words->at[i]));
    write_versioned(name, array, text);
}

void json_value_begin(const char *name, struct buf *text)
{
    buf_printf(text, "{\n  \"troupe\": %d,\n  \"%s\": ", JSON_VERSION, name);
}

void json_value_end(struct buf *text)
{
    buf_printf(text, "\n}\n");
}

static void write_base64(const uint8_t *bytes, size_t size, struct buf *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (left > 2 ? bytes[i + 2] : 0);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        left > 1 ? digits[three >> 6 & 63] : '=',
                        left > 2 ? digits[three & 63] : '='};

        buf_append(text, four, sizeof four);
    }
}

void json_write_bytes(const void *bytes, size_t size, struct buf *text)
{
    json_t *value = json_stringn(bytes, size);
    char *dump = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

    cli_check_memory(value && !dump);
    if (dump) {
        buf_append(text, dump, strlen(dump));
    } else {
        buf_printf(text, "{\"base64\": \"");
        write_base64(bytes, size, text);
        buf_printf(text, "\"}");
    }
    free(dump);
    json_decref(value);
}
