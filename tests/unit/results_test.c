/* What an actor answers, as text and as JSON; what it says of itself. */
#include "../../cli/description.h"
#include "../../cli/output.h"
#include "../../cli/results.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

static const char *text_of(struct buf *buf)
{
    buf_append(buf, "", 1);
    return (const char *)buf_front(buf);
}

static void line_is(const struct results *results, const char *wanted, const char *sentence)
{
    struct buf text = {0};

    results_write_line(results, &text);
    tap_is_text(text_of(&text), wanted, sentence);
    buf_finish(&text);
}

static void json_is(const struct results *results, const char *wanted, const char *sentence)
{
    struct buf text = {0};

    results_write_json(results, &text);
    tap_is_text(text_of(&text), wanted, sentence);
    buf_finish(&text);
}

static void test_lines(void)
{
    struct results results = {0};

    CHECK(results_of_line("a\\tb\t\tc\\\\", 9, &results) == 0, "a raw line is read");
    line_is(&results, "a\\tb\t\tc\\\\", "and written as it was");
    json_is(&results, "[\"a\\tb\", \"\", \"c\\\\\"]", "its fields are texts, empty ones too");
    results_finish(&results);
    CHECK(results_of_line("", 0, &results) == 0, "no bytes are no values");
    json_is(&results, "[]", "an empty array");
    results_finish(&results);
    CHECK(results_of_line("a\\x", 3, &results) == -1, "a bad escape is no raw line");
    CHECK(results_of_line("a\0b", 3, &results) == -1, "nor is a NUL byte");
}

static void test_payloads(void)
{
    union wire_value values[] = {{.i = INT64_MIN}, {.u = UINT64_MAX}, {.f = INFINITY}};
    struct wire_image image;
    struct results results = {0};

    CHECK(wire_pack_values("IUf", values, &image) == 0, "values are packed");
    CHECK(results_of_payload("IUf", true, image.data, image.size, &results) == 0, "and unpacked");
    line_is(&results, "-9223372036854775808\t18446744073709551615\tinf", "numbers are whole");
    json_is(&results, "[-9223372036854775808, 18446744073709551615, null]",
            "in JSON too, but for what JSON has no number for");
    results_finish(&results);
    CHECK(results_of_payload("IU", true, image.data, image.size, &results) == -1,
          "another format than described is refused");
    CHECK(results_of_payload("IUf", true, image.data, image.size - 1, &results) == -1,
          "and half an image");
    CHECK(results_of_payload("I", true, NULL, 0, &results) == -1, "and nothing");
    wire_image_finish(&image);
    CHECK(results_of_payload("", false, NULL, 0, &results) == 0, "nothing is what \"\" describes");
    results_finish(&results);
    CHECK(results_of_payload("B", false, "raw", 3, &results) == 0, "untyped bytes are one value");
    line_is(&results, "raw", "as they are");
    results_finish(&results);
}

static void bytes_are(const void *bytes, size_t size, const char *wanted)
{
    struct buf text = {0};

    json_write_bytes(bytes, size, &text);
    tap_is_text(text_of(&text), wanted, "bytes in JSON");
    buf_finish(&text);
}

static void test_bytes(void)
{
    bytes_are("", 0, "\"\"");
    bytes_are("gr\xc3\xbc\xc3\x9f\"e", 8, "\"gr\xc3\xbc\xc3\x9f\\\"e\"");
    bytes_are("\xff", 1, "{\"base64\": \"/w==\"}");
    bytes_are("\xff\xfe", 2, "{\"base64\": \"//4=\"}");
    bytes_are("\xff\xfe\xfd", 3, "{\"base64\": \"//79\"}");
    bytes_are("\xff\xfe\xfd\0", 4, "{\"base64\": \"//79AA==\"}");
}

static int read_words(struct description *description, struct wire_image *image)
{
    int result = description_read(image->data, image->size, description);

    wire_image_finish(image);
    return result;
}

static void test_description(void)
{
    struct description description;
    struct wire_image image;
    struct buf text = {0};

    wire_pack_word_list(&image, "put", "sI", "", "puts", "size", "", "U", "", "*", "", "", "", NULL);
    CHECK(read_words(&description, &image) == 0, "a description is read");
    CHECK(description.count == 3 && description.takes_others, "with what it does not list");
    CHECK(!description_find(&description, "*"), "which is no message");
    tap_is_text(description_nearest(&description, "sizes"), "size", "the nearest name is found");
    signature_write(description_find(&description, "put"), &text);
    tap_is_text(text_of(&text), "put TEXT INT64", "a signature without an answer");
    buf_finish(&text);
    signature_write(description_find(&description, "size"), &text);
    tap_is_text(text_of(&text), "size -> UINT64", "a signature without arguments");
    buf_finish(&text);
    description_finish(&description);
    wire_pack_word_list(&image, "put", "sI", "", NULL);
    CHECK(read_words(&description, &image) == -1, "three words are no message");
    wire_pack_word_list(&image, "put", "z", "", "", NULL);
    CHECK(read_words(&description, &image) == -1, "nor is an unknown type");
    CHECK(description_read("nonsense", 8, &description) == -1, "nor are other bytes");
}

int main(void)
{
    test_lines();
    test_payloads();
    test_bytes();
    test_description();
    return tap_done();
}
