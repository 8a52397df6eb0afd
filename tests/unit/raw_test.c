#include "raw.h"
#include "tap.h"

static int split(const char *text, size_t size, char *copy, char **fields, int max,
                 const char **why)
{
    memcpy(copy, text, size);
    copy[size] = 'X'; /* may be overwritten, and must not be read */
    return raw_split(copy, size, fields, max, why);
}

static void test_split(void)
{
    char copy[128];
    char *fields[4];
    const char *why = "";

    CHECK(split("add\t5\tx y", 9, copy, fields, 4, &why) == 3 && !strcmp(fields[0], "add") &&
              !strcmp(fields[1], "5") && !strcmp(fields[2], "x y"),
          "a line is split at tabs");
    CHECK(split("say\ta\\tb\\nc\\\\d", 14, copy, fields, 4, &why) == 2 &&
              !strcmp(fields[1], "a\tb\nc\\d"),
          "escapes are undone");
    CHECK(split("get\n", 4, copy, fields, 4, &why) == 1 && !strcmp(fields[0], "get"),
          "one newline at the end is dropped");
    CHECK(split("", 0, copy, fields, 4, &why) == 1 && !*fields[0], "nothing is one empty field");
    CHECK(split("a\t\tb\t", 5, copy, fields, 4, &why) == 4 && !*fields[1] &&
              !strcmp(fields[2], "b") && !*fields[3],
          "empty fields count");
    CHECK(split("a\t\t\t\t", 5, copy, fields, 4, &why) == -1 && strstr(why, "fields"),
          "more fields than there is room for are refused");
    CHECK(split("a\\x", 3, copy, fields, 4, &why) == -1 && strstr(why, "escape"),
          "a strange escape is refused");
    CHECK(split("a\\", 2, copy, fields, 4, &why) == -1 && strstr(why, "escape"),
          "so is half of one");
    CHECK(split("a\0b", 3, copy, fields, 4, &why) == -1 && strstr(why, "NUL"), "so is a NUL");
}

static void test_append(void)
{
    static const char *const fields[] = {"say", "", "tab\there", "new\nline", "back\\slash", ""};
    enum { N = sizeof fields / sizeof *fields };
    struct buf line = {0};
    char copy[128];
    char *again[N];
    const char *why;
    bool same;

    for (int i = 0; i < N; i++)
        raw_append(&line, fields[i], strlen(fields[i]));
    same = split((char *)buf_front(&line), buf_length(&line), copy, again, N, &why) == N;
    for (int i = 0; same && i < N; i++)
        same = !strcmp(fields[i], again[i]);
    CHECK(same, "fields that are joined and split are the same");
    buf_finish(&line);
    raw_put(&line, true, "", 0);
    raw_put(&line, false, "x", 1);
    CHECK(buf_length(&line) == 2 && !memcmp(buf_front(&line), "\tx", 2),
          "a first field may be empty");
    buf_finish(&line);
}

int main(void)
{
    test_split();
    test_append();
    return tap_done();
}
