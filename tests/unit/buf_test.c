#include "buf.h"
#include "tap.h"

#include <errno.h>

static void test_growth(void)
{
    struct buf buf = {0};
    bool whole = true;

    for (int i = 0; i < 300000; i++) {
        if (buf_append(&buf, &(uint8_t){(uint8_t)i}, 1))
            whole = false;
    }
    for (int i = 0; i < 300000; i++)
        whole = whole && buf_front(&buf)[i] == (uint8_t)i;
    CHECK(whole && buf_length(&buf) == 300000, "what was appended is there, in order");
    buf_consume(&buf, 60000);
    CHECK(buf_length(&buf) == 240000 && *buf_front(&buf) == (uint8_t)60000,
          "the front can be taken");
    CHECK(!buf_append(&buf, "end", 3) && !memcmp(buf_front(&buf) + 240000, "end", 3) &&
              *buf_front(&buf) == (uint8_t)60000,
          "appending goes on behind what is left");
    buf_consume(&buf, buf_length(&buf));
    CHECK(!buf.data && !buf.size, "an emptied large buffer gives its memory back");
    CHECK(!buf_append(&buf, "x", 1) && buf.size <= 256, "and starts small again");
    buf_consume(&buf, 1);
    CHECK(buf.data && !buf_length(&buf), "an emptied small one keeps it");
    buf_finish(&buf);
}

static void test_stream(void)
{
    struct buf buf = {0};
    uint8_t next_in = 0, next_out = 0;
    bool same = true;

    for (int i = 0; i < 20000; i++) {
        for (int n = i % 7; n >= 0; n--)
            buf_append(&buf, &(uint8_t){next_in++}, 1);
        for (int n = i % 5; n >= 0 && buf_length(&buf); n--) {
            same = same && *buf_front(&buf) == next_out++;
            buf_consume(&buf, 1);
        }
    }
    CHECK(same, "a stream through it keeps its order");
    buf_finish(&buf);
}

static void test_limits(void)
{
    struct buf buf = {0};

    buf_append(&buf, "abc", 3);
    CHECK(!buf_reserve(&buf, SIZE_MAX - 1) && errno == ENOMEM && buf_length(&buf) == 3 &&
              !memcmp(buf_front(&buf), "abc", 3),
          "too much room is refused, and nothing is lost");
    CHECK(!buf_printf(&buf, "-%d-%s", 42, "x") && buf_length(&buf) == 8 &&
              !memcmp(buf_front(&buf), "abc-42-x", 8),
          "text is appended without its NUL");
    buf_finish(&buf);
}

int main(void)
{
    test_growth();
    test_stream();
    test_limits();
    return tap_done();
}
