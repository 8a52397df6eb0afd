#include "tap.h"
#include "wire.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

static void test_words(void)
{
    struct wire_image image;
    struct words words;

    CHECK(!wire_pack_word_list(&image, "ps", "", "two words", NULL) &&
              !wire_unpack_words(image.data, image.size, &words) && words.count == 3 &&
              !strcmp(words.at[0], "ps") && !*words.at[1] && !strcmp(words.at[2], "two words"),
          "words come out as they went in");
    words_finish(&words);
    wire_image_finish(&image);
    CHECK(!wire_pack_words(&(struct words){0}, &image) &&
              !wire_unpack_words(image.data, image.size, &words) && words.count == 0,
          "no words are a valid list");
    words_finish(&words);
    wire_image_finish(&image);
    CHECK(!wire_unpack_words("", 0, &words) && words.count == 0, "so are no bytes");
}

static void test_facts(void)
{
    struct facts facts = {0}, again;
    struct wire_image image;

    facts_add(&facts, 's', "name", "counter");
    facts_addf(&facts, 'n', "pid", "%d", 4711);
    CHECK(!wire_pack_facts(&facts, &image) && !wire_unpack_facts(image.data, image.size, &again) &&
              again.count == 2 && again.at[0].type == 's' && again.at[1].type == 'n' &&
              !strcmp(again.at[1].key, "pid") && !strcmp(facts_get(&again, "pid"), "4711") &&
              !facts_get(&again, "nothing"),
          "facts come out as they went in");
    facts_finish(&again);
    facts_finish(&facts);
    wire_image_finish(&image);
}

static struct row sample_row(char *path)
{
    static char reason[] = "signal:SEGV", status[] = "serving", restart[] = "permanent",
                none[] = "";

    return (struct row){.path = path,
                        .kind = ROW_PROGRAM,
                        .state = ROW_BACKOFF,
                        .pid = 99,
                        .incarnation = 1ull << 60,
                        .restarts_in_window = 2,
                        .restarts_total = 3,
                        .last = reason,
                        .since_us = 4,
                        .started_us = 5,
                        .memory = 6,
                        .cpu_ms = 7,
                        .threads = 8,
                        .fds = 9,
                        .uid = 10,
                        .mailbox_depth = 11,
                        .mailbox_bytes = 12,
                        .messages_in = 13,
                        .messages_out = 14,
                        .expired = 19,
                        .dropped = 20,
                        .busy_us = 15,
                        .status = status,
                        .restart = restart,
                        .strategy = none,
                        .intensity = UINT32_MAX,
                        .used = 17,
                        .period_ms = 18};
}

static bool same_row(const struct row *a, const struct row *b)
{
    return !strcmp(a->path, b->path) && a->kind == b->kind && a->state == b->state &&
           a->pid == b->pid && a->incarnation == b->incarnation &&
           a->restarts_in_window == b->restarts_in_window &&
           a->restarts_total == b->restarts_total && !strcmp(a->last, b->last) &&
           a->since_us == b->since_us && a->started_us == b->started_us && a->memory == b->memory &&
           a->cpu_ms == b->cpu_ms && a->threads == b->threads && a->fds == b->fds &&
           a->uid == b->uid && a->mailbox_depth == b->mailbox_depth &&
           a->mailbox_bytes == b->mailbox_bytes && a->messages_in == b->messages_in &&
           a->messages_out == b->messages_out && a->expired == b->expired &&
           a->dropped == b->dropped && a->busy_us == b->busy_us &&
           !strcmp(a->status, b->status) && !strcmp(a->restart, b->restart) &&
           !strcmp(a->strategy, b->strategy) && a->intensity == b->intensity &&
           a->used == b->used && a->period_ms == b->period_ms;
}

static void test_rows(void)
{
    enum { N = 10000, LIMIT_MS = 500 };
    char path[] = "shop/carts/4711";
    struct row row = sample_row(path), *all = calloc(N, sizeof *all);
    struct rows rows = {1, &row}, again;
    struct wire_image image;
    clock_t start;
    long spent_ms;
    bool same;

    CHECK(!wire_pack_rows(&rows, &image) && !wire_unpack_rows(image.data, image.size, &again) &&
              again.count == 1 && same_row(&row, &again.at[0]),
          "a row comes out as it went in, every field");
    rows_finish(&again);
    wire_image_finish(&image);

    for (int i = 0; i < N; i++)
        all[i] = row;
    rows = (struct rows){N, all};
    start = clock();
    same = !wire_pack_rows(&rows, &image) && !wire_unpack_rows(image.data, image.size, &again);
    spent_ms = (long)((clock() - start) * 1000 / CLOCKS_PER_SEC);
    tap_note("%d rows, %zu bytes, packed and unpacked in %ld ms", N, image.size, spent_ms);
    CHECK(spent_ms < LIMIT_MS, "10,000 rows take no time to speak of");
    for (int i = 0; same && i < N; i++)
        same = same_row(&all[i], &again.at[i]);
    CHECK(same, "and all come out right");
    rows_finish(&again);
    wire_image_finish(&image);

    row.state = ROW_LOST + 1;
    rows = (struct rows){1, &row};
    wire_pack_rows(&rows, &image);
    CHECK(wire_unpack_rows(image.data, image.size, &again) == -1 && errno == EBADMSG,
          "a state that does not exist is refused");
    wire_image_finish(&image);
    tap_is_text(row_state_text(ROW_BACKOFF), "backoff", "states have names");
    CHECK(row_state_of_text("paused") == ROW_PAUSED && row_state_of_text("x") == -1,
          "that are read back");
    free(all);
}

/* What PITFALLS 4 found: each must be an error, and under a sanitizer nothing else. */
static void test_hostile(void)
{
    struct wire_image image;
    struct words words;
    struct facts facts;
    uint8_t *bytes;
    bool refused = true;
    uint32_t n;

    wire_pack_word_list(&image, "one", "two", "three", NULL);
    bytes = image.data;
    for (size_t size = 1; size < image.size; size++) {
        uint8_t *cut = malloc(size);

        memcpy(cut, bytes, size);
        refused = refused && wire_unpack_words(cut, size, &words) == -1 && errno == EBADMSG;
        n = (uint32_t)size;
        if (size >= 8)
            memcpy(cut + 4, &n, 4); /* a length that fits what is there */
        refused = refused && wire_unpack_words(cut, size, &words) == -1 && errno == EBADMSG;
        free(cut);
    }
    CHECK(refused, "an image that is cut anywhere is refused, also with a length to match");
    CHECK(wire_unpack_facts(bytes, image.size, &facts) == -1 && errno == EBADMSG,
          "an image of another format is refused");
    bytes[3] ^= 2;
    CHECK(wire_unpack_words(bytes, image.size, &words) == -1 && errno == EBADMSG,
          "the flag that makes tpl read past its strings is refused");
    bytes[3] ^= 3;
    CHECK(wire_unpack_words(bytes, image.size, &words) == -1, "another byte order is refused");
    bytes[3] ^= 1;
    n = 0xffffffff;
    memcpy(bytes + 8 + 5, &n, 4); /* behind "A(s)": the count */
    CHECK(wire_unpack_words(bytes, image.size, &words) == -1 && errno == EBADMSG,
          "a count of 2^32 - 1 is refused");
    n = 0x80000000;
    memcpy(bytes + 8 + 5, &n, 4);
    CHECK(wire_unpack_words(bytes, image.size, &words) == -1 && errno == EBADMSG,
          "a count of 2^31 is refused");
    n = 3;
    memcpy(bytes + 8 + 5, &n, 4);
    n = 0;
    memcpy(bytes + 8 + 5 + 4, &n, 4); /* a NULL string, and four bytes too many behind the last */
    CHECK(wire_unpack_words(bytes, image.size, &words) == -1 && errno == EBADMSG,
          "a string that is NULL is refused");
    wire_image_finish(&image);
}

static void test_values(void)
{
    static const char format[] = "iuIUfsB";
    char text[] = "text", bytes[] = {0, 1, 2};
    union wire_value in[7] = {{.i = INT32_MIN},     {.u = UINT32_MAX}, {.i = INT64_MIN},
                              {.u = UINT64_MAX},    {.f = 0.1},        {.bytes = {text, 4}},
                              {.bytes = {bytes, 3}}};
    union wire_value out[7];
    struct wire_image image;

    CHECK(!wire_pack_values(format, in, &image) &&
              !wire_unpack_values(format, image.data, image.size, out) && out[0].i == INT32_MIN &&
              out[1].u == UINT32_MAX && out[2].i == INT64_MIN && out[3].u == UINT64_MAX &&
              fabs(out[4].f - 0.1) < 1e-300 && !strcmp(out[5].bytes.at, "text") &&
              out[5].bytes.size == 4 && out[6].bytes.size == 3 &&
              !memcmp(out[6].bytes.at, bytes, 3),
          "values of every type come out as they went in");
    wire_values_finish(format, out);
    CHECK(wire_unpack_values("iuIUfs", image.data, image.size, out) == -1 && errno == EBADMSG,
          "another format is refused");
    wire_image_finish(&image);
    in[0].i = (int64_t)INT32_MAX + 1;
    CHECK(wire_pack_values(format, in, &image) == -1 && errno == EINVAL,
          "a number that its type cannot hold is refused");
    in[0].i = -7;
    wire_image_finish(&image);
    CHECK(!wire_pack_values("I", in, &image) &&
              !wire_unpack_values("I", image.data, image.size, out) && out[0].i == -7,
          "a format without texts is read back too");
    wire_image_finish(&image);
    CHECK(!wire_pack_values("", NULL, &image) && image.size == 0 &&
              !wire_unpack_values("", "", 0, NULL) && wire_unpack_values("", "x", 1, NULL) == -1,
          "no arguments are no bytes");
    CHECK(wire_format_is_valid("") && wire_format_is_valid(format) &&
              !wire_format_is_valid("A(s)") && !wire_format_is_valid("i#") &&
              !wire_format_is_valid("iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii"),
          "formats are checked");
}

static bool text_fails(const char *format, const char *field, int code)
{
    char *fields[] = {(char *)field};
    union wire_value values[1];
    int bad = -1;

    errno = 0;
    return wire_values_of_text(format, fields, 1, values, &bad) == -1 && errno == code && bad == 0;
}

static void test_texts(void)
{
    char *fields[] = {"-5", "7", "1.5", "hello"};
    union wire_value values[4];
    char out[64];
    int bad;

    CHECK(!wire_values_of_text("iUfs", fields, 4, values, &bad) && values[0].i == -5 &&
              values[1].u == 7 && values[2].f > 1.4 && !strcmp(values[3].bytes.at, "hello"),
          "values are read from text");
    wire_values_finish("iUfs", values);
    CHECK(wire_values_of_text("iU", fields, 4, values, &bad) == -1 && bad == 2,
          "too many are refused");
    CHECK(wire_values_of_text("sss", fields, 2, values, &bad) == -1 && bad == 2, "too few, too");
    CHECK(text_fails("i", "", EINVAL) && text_fails("i", "x", EINVAL) &&
              text_fails("i", " 5", EINVAL) && text_fails("i", "0x5", EINVAL) &&
              text_fails("i", "-", EINVAL) && text_fails("f", "1.5x", EINVAL) &&
              text_fails("f", "", EINVAL),
          "what is no number is refused");
    CHECK(text_fails("i", "2147483648", ERANGE) && text_fails("u", "-1", ERANGE) &&
              text_fails("u", "4294967296", ERANGE) &&
              text_fails("I", "9223372036854775808", ERANGE) &&
              text_fails("U", "18446744073709551616", ERANGE) && text_fails("f", "1e999", ERANGE),
          "what is out of range is told so");
    wire_value_text('f', &(union wire_value){.f = 0.1}, out, sizeof out);
    tap_is_text(out, "0.1", "a float is written as shortly as it reads back");
    wire_value_text('I', &(union wire_value){.i = INT64_MIN}, out, sizeof out);
    tap_is_text(out, "-9223372036854775808", "the smallest number is written");
    CHECK(wire_value_text('s', &(union wire_value){.bytes = {"hello", 5}}, out, 3) == 5 &&
              !strcmp(out, "he"),
          "text that does not fit is cut, and its length told");
    CHECK(wire_value_text('B', &(union wire_value){.bytes = {"a\0b", 3}}, out, sizeof out) == 3 &&
              !memcmp(out, "a\0b", 4),
          "bytes are written as they are");
}

int main(void)
{
    test_words();
    test_facts();
    test_rows();
    test_hostile();
    test_values();
    test_texts();
    return tap_done();
}
