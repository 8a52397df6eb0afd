/* Any bytes as an image of each shape (the first byte says which, and whether they come behind a
 * preamble that is in order): an error, or a list that packs
 * and unpacks again. */
#include "wire.h"

#include <stdlib.h>
#include <string.h>

static const char *const lists[] = {"A(s)", "A(css)", "A(sccuUuUsUUUUuuuuUUUUUUsssuuU)"};
static const char *const formats[] = {"i", "iuIUfsB", "ssss", "BB", "", "sBiU"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int result)
{
    if (result)
        abort();
}

static void try_words(const uint8_t *data, size_t size)
{
    struct words words, again;
    struct wire_image image;

    if (wire_unpack_words(data, size, &words))
        return;
    must(wire_pack_words(&words, &image));
    must(wire_unpack_words(image.data, image.size, &again));
    must(again.count != words.count);
    for (size_t i = 0; i < words.count; i++)
        must(strcmp(words.at[i], again.at[i]));
    words_finish(&again);
    words_finish(&words);
    wire_image_finish(&image);
}

static void try_facts(const uint8_t *data, size_t size)
{
    struct facts facts, again;
    struct wire_image image;

    if (wire_unpack_facts(data, size, &facts))
        return;
    must(wire_pack_facts(&facts, &image));
    must(wire_unpack_facts(image.data, image.size, &again));
    must(again.count != facts.count);
    facts_finish(&again);
    facts_finish(&facts);
    wire_image_finish(&image);
}

static void try_rows(const uint8_t *data, size_t size)
{
    struct rows rows, again;
    struct wire_image image;

    if (wire_unpack_rows(data, size, &rows))
        return;
    must(wire_pack_rows(&rows, &image));
    must(wire_unpack_rows(image.data, image.size, &again));
    must(again.count != rows.count);
    rows_finish(&again);
    rows_finish(&rows);
    wire_image_finish(&image);
}

static void try_values(const char *format, const uint8_t *data, size_t size)
{
    union wire_value values[WIRE_VALUES_MAX], again[WIRE_VALUES_MAX];
    struct wire_image image;

    if (wire_unpack_values(format, data, size, values))
        return;
    must(wire_pack_values(format, values, &image));
    must(wire_unpack_values(format, image.data, image.size, again));
    wire_values_finish(format, again);
    wire_values_finish(format, values);
    wire_image_finish(&image);
}

static void try_shape(unsigned shape, const uint8_t *data, size_t size)
{
    switch (shape) {
    case 0:
        try_words(data, size);
        break;
    case 1:
        try_facts(data, size);
        break;
    case 2:
        try_rows(data, size);
        break;
    default:
        try_values(formats[shape - 3], data, size);
    }
}

/* The same bytes behind a preamble that is in order: what gets as far as tpl. */
static void try_behind_preamble(unsigned shape, const uint8_t *data, size_t size)
{
    const char *format = shape < 3 ? lists[shape] : formats[shape - 3];
    size_t format_size = strlen(format) + 1;
    uint32_t length = (uint32_t)(8 + format_size + size);
    uint8_t *image = malloc(length);

    if (!image)
        abort();
    memcpy(image, strchr(format, 's') ? "tpl\2" : "tpl", 4);
    memcpy(image + 4, &length, 4);
    memcpy(image + 8, format, format_size);
    if (size)
        memcpy(image + 8 + format_size, data, size);
    try_shape(shape, image, length);
    free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 0x80)
        try_behind_preamble((data[0] & 0x7f) % 9, data + 1, size - 1);
    else
        try_shape(data[0] % 9, data + 1, size - 1);
    return 0;
}
