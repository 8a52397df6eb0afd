#include "tap.h"
#include "text.h"

#include <errno.h>

static bool lasts(const char *text, int64_t wanted)
{
    int64_t ms = -1;

    return !text_duration(text, &ms) && ms == wanted;
}

static bool duration_fails(const char *text, int code)
{
    int64_t ms;

    errno = 0;
    return text_duration(text, &ms) == -1 && errno == code;
}

static void test_durations(void)
{
    static const int64_t values[] = {1, 250, 1000, 5000, 90000, 120000, 3600000, 5400000, 86400000};
    bool same = true;
    char out[32];

    CHECK(lasts("250ms", 250) && lasts("5s", 5000) && lasts("2m", 120000) && lasts("1h", 3600000) &&
              lasts("0", 0) && lasts("0s", 0),
          "durations with their unit are read");
    CHECK(duration_fails("5", EINVAL) && duration_fails("1.5s", EINVAL) &&
              duration_fails("", EINVAL) && duration_fails("-1s", EINVAL) &&
              duration_fails("5 s", EINVAL) && duration_fails("5sec", EINVAL) &&
              duration_fails("s", EINVAL),
          "a missing or strange unit is refused");
    CHECK(duration_fails("99999999999999999999s", ERANGE) &&
              duration_fails("9999999999999999h", ERANGE),
          "what would overflow is out of range");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        same = same && lasts(text_of_duration(values[i], out, sizeof out), values[i]);
    CHECK(same, "a written duration reads back the same");
    tap_is_text(text_of_duration(90000, out, sizeof out), "90s", "90 s are written as 90s");
    tap_is_text(text_of_duration(120000, out, sizeof out), "2m", "120 s are written as 2m");
    tap_is_text(text_of_duration(0, out, sizeof out), "0", "nothing is written as 0");
}

static bool measures(const char *text, uint64_t wanted)
{
    uint64_t bytes = 0;

    return !text_size(text, &bytes) && bytes == wanted;
}

static void test_sizes(void)
{
    uint64_t bytes;
    char out[32];

    CHECK(measures("100", 100) && measures("512k", 512 << 10) && measures("8M", 8 << 20) &&
              measures("1G", 1 << 30) && measures("0", 0),
          "sizes are read in powers of 1024");
    CHECK(text_size("8MB", &bytes) && text_size("M", &bytes) && text_size("-1", &bytes) &&
              text_size("1.5M", &bytes) && text_size("", &bytes),
          "other sizes are refused");
    CHECK(text_size("99999999999999T", &bytes) == -1 && errno == ERANGE,
          "too large a size is out of range");
    tap_is_text(text_of_size(100, out, sizeof out), "100", "bytes are shown as they are");
    tap_is_text(text_of_size(812 << 10, out, sizeof out), "812k", "kilobytes have no decimals");
    tap_is_text(text_of_size(1468006, out, sizeof out), "1.4M", "megabytes have one");
    tap_is_text(text_of_size(2048ull << 20, out, sizeof out), "2.0G", "so have gigabytes");
    tap_is_text(text_of_size(1048575, out, sizeof out), "1.0M", "just under 1M is not 1024k");
    CHECK(!text_unsigned("42", 1, 42, &bytes) && bytes == 42 &&
              text_unsigned("43", 1, 42, &bytes) && errno == ERANGE &&
              text_unsigned("4x", 0, 9, &bytes) && errno == EINVAL,
          "whole numbers are read within their bounds");
}

static void test_nearest(void)
{
    static const char *const words[] = {"permanent", "transient", "temporary", "ps", NULL};

    tap_is_text(text_nearest("permanant", words), "permanent", "a wrong letter is forgiven");
    tap_is_text(text_nearest("tranisent", words), "transient", "so is a transposition");
    tap_is_text(text_nearest("sp", words), "ps", "also in a short word");
    tap_is_text(text_nearest("banana", words), NULL, "what is far from all is near to none");
}

static bool escapes_to(const char *bytes, size_t length, const char *wanted)
{
    char out[128];

    return text_escape(bytes, length, out, sizeof out) == strlen(wanted) && !strcmp(out, wanted);
}

static void test_escape(void)
{
    char out[8];

    CHECK(escapes_to("plain text", 10, "plain text"), "plain text stays");
    CHECK(escapes_to("a\nb\tc", 5, "a\\nb\\tc"), "newline and tab are shown");
    CHECK(escapes_to("\x1b[2J\x7f", 5, "\\x1b[2J\\x7f"), "a terminal's escapes are disarmed");
    CHECK(escapes_to("\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82", 9,
                     "\xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82"),
          "well-formed UTF-8 stays");
    CHECK(escapes_to("\xff\xc0\x80\xc3", 4, "\\xff\\xc0\\x80\\xc3"),
          "what is no UTF-8 is shown in hexadecimal");
    CHECK(escapes_to("\xed\xa0\x80", 3, "\\xed\\xa0\\x80"), "a surrogate is no character");
    CHECK(escapes_to("\xc2\x9b", 2, "\\xc2\\x9b"), "U+009B, a terminal's CSI, is a control");
    CHECK(escapes_to("\0", 1, "\\x00"), "a NUL is shown");
    CHECK(text_escape("ab\xe2\x82\xac", 5, out, 5) == 5 && !strcmp(out, "ab"),
          "a character is never cut in two");
    CHECK(text_escape("abcdef\xff"
                      "x",
                      8, out, sizeof out) == 11 &&
              !strcmp(out, "abcdef"),
          "nothing is squeezed in behind what did not fit");
    CHECK(text_is_utf8("a\n\t\xe2\x82\xac\xf0\x9f\x98\x80", 10) && text_is_utf8("", 0),
          "well-formed text is UTF-8, with controls, or empty");
    CHECK(!text_is_utf8("a\xff", 2) && !text_is_utf8("\xe2\x82", 2) &&
              !text_is_utf8("\xc0\x80", 2) && !text_is_utf8("\xed\xa0\x80", 3),
          "foreign, cut, overlong and surrogate bytes are not");
    CHECK(text_escape("abc", 3, NULL, 0) == 3, "without room it only measures");
}

int main(void)
{
    test_durations();
    test_sizes();
    test_nearest();
    test_escape();
    return tap_done();
}
