/* What a session carries of channels: read as it was written, and nothing else is. */
#include "../../cluster/channel.h"
#include "tap.h"

#include <string.h>

static uint8_t bytes[CHANNEL_OPEN_MAX + 1];

static bool refuses(size_t size, const char *word)
{
    struct channel_frame frame;
    const char *why = "";

    return channel_decode(bytes, size, &frame, &why) == -1 && strstr(why, word);
}

static void test_open(void)
{
    struct channel_frame frame;
    const char *why;
    size_t size = channel_open(0x81020304, "shop/db", "web/page@east#7", bytes);

    CHECK(!channel_decode(bytes, size, &frame, &why) && frame.kind == CHANNEL_OPEN &&
              frame.id == 0x81020304,
          "an open is read as it was written");
    CHECK(frame.to_size == 7 && !memcmp(frame.to, "shop/db", 7) && frame.from_size == 15 &&
              !memcmp(frame.from, "web/page@east#7", 15),
          "with both of its addresses");
    for (size_t cut = 0; cut < size; cut++)
        if (!refuses(cut, "a"))
            tap_ok(false, "an open cut at %zu is refused", cut);
    CHECK(refuses(size + 1, "form"), "something behind an open is refused");
    bytes[CHANNEL_HEAD + 1] = 0xff;
    CHECK(refuses(size, "form"), "a length beyond all bounds is refused");
}

static void test_long_texts(void)
{
    static char text[CHANNEL_TEXT_MAX + 2];

    memset(text, 'a', CHANNEL_TEXT_MAX);
    CHECK(channel_open(1, text, text, bytes) == sizeof bytes - 1, "the longest texts fit exactly");
    text[CHANNEL_TEXT_MAX] = 'a';
    CHECK(channel_open(1, text, "", bytes) == 0 && channel_open(1, "", text, bytes) == 0,
          "one more is refused");
}

static void test_others(void)
{
    struct channel_frame frame;
    const char *why;

    channel_head(CHANNEL_FORTH, 9, bytes);
    memcpy(bytes + CHANNEL_HEAD, "body", 4);
    CHECK(!channel_decode(bytes, CHANNEL_HEAD + 4, &frame, &why) && frame.kind == CHANNEL_FORTH &&
              frame.id == 9 && frame.size == 4 && !memcmp(frame.body, "body", 4),
          "what goes forth is a view");
    channel_head(CHANNEL_SHUT, 9, bytes);
    CHECK(!channel_decode(bytes, CHANNEL_HEAD, &frame, &why) && frame.kind == CHANNEL_SHUT &&
              refuses(CHANNEL_HEAD + 1, "shut"),
          "a shut is its head and no more");
    bytes[0] = CHANNEL_OPEN - 1;
    CHECK(refuses(CHANNEL_HEAD, "no channel"), "a kind before all is refused");
    bytes[0] = CHANNEL_RETURN + 1;
    CHECK(refuses(CHANNEL_HEAD, "no channel"), "and one behind all");
}

int main(void)
{
    test_open();
    test_long_texts();
    test_others();
    return tap_done();
}
