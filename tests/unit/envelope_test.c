#include "envelope.h"
#include "tap.h"

#include <stdlib.h>

static size_t encode(const struct envelope *env, uint8_t *out)
{
    size_t length = envelope_encode_header(env, out);

    if (env->payload_size)
        memcpy(out + length, env->payload, env->payload_size);
    return length + env->payload_size;
}

static struct envelope sample(void)
{
    return (struct envelope){.kind = ENVELOPE_CALL,
                             .flags = ENVELOPE_TYPED,
                             .ref = 0x1122334455667788u,
                             .deadline_us = 42,
                             .blocked_count = 2,
                             .blocked = {7, UINT64_MAX},
                             .to = envelope_text("shop/counter"),
                             .from = envelope_text("shop/web@east#3"),
                             .type = envelope_text("add"),
                             .payload = "payload",
                             .payload_size = 7};
}

static void test_round_trip(void)
{
    static const uint8_t start[] = {1, ENVELOPE_CALL, 1, 0, 7, 0, 0, 0, 0x88, 0x77};
    uint8_t bytes[ENVELOPE_HEADER_MAX + 16];
    struct envelope env = sample(), got;
    size_t size = encode(&env, bytes);
    const char *why;

    CHECK(!memcmp(bytes, start, sizeof start), "the header is little-endian, as PROTOCOL has it");
    CHECK(!envelope_decode(bytes, size, &got, &why) && got.kind == env.kind &&
              got.flags == env.flags && got.ref == env.ref && got.deadline_us == 42 &&
              got.blocked_count == 2 && got.blocked[0] == 7 && got.blocked[1] == UINT64_MAX &&
              envelope_text_equals(got.to, "shop/counter") &&
              envelope_text_equals(got.from, "shop/web@east#3") &&
              envelope_text_equals(got.type, "add") && got.payload_size == 7 &&
              !memcmp(got.payload, "payload", 7),
          "an envelope comes out as it went in");
    env = (struct envelope){.kind = ENVELOPE_CAST};
    CHECK(encode(&env, bytes) == ENVELOPE_FIXED_SIZE &&
              !envelope_decode(bytes, ENVELOPE_FIXED_SIZE, &got, &why) && got.to.length == 0,
          "an empty one is 32 bytes");
}

static bool refuses(size_t at, uint8_t value, const char *word)
{
    uint8_t bytes[ENVELOPE_HEADER_MAX + 16];
    struct envelope env = sample(), got;
    size_t size = encode(&env, bytes);
    const char *why = "";

    bytes[at] = value;
    return envelope_decode(bytes, size, &got, &why) == -1 && !strncmp(why, word, strlen(word));
}

static void test_refusals(void)
{
    uint8_t bytes[ENVELOPE_HEADER_MAX + 16];
    struct envelope env = sample(), got;
    size_t size = encode(&env, bytes);
    const char *why = "";
    bool all = true;

    CHECK(refuses(0, 9, "version"), "another version is refused");
    CHECK(refuses(1, 0, "kind") && refuses(1, 9, "kind"), "an unknown kind is refused");
    CHECK(refuses(2, 4, "flags") && refuses(3, 128, "flags"), "unknown flags are refused");
    CHECK(refuses(24, 33, "blocked") && refuses(25, 1, "blocked"), "more than 32 blocked actors are refused");
    CHECK(refuses(4, 8, "length") && refuses(7, 0xff, "length") && refuses(26, 200, "length"),
          "lengths that do not add up are refused");
    CHECK(refuses(27, 3, "text") && refuses(29, 3, "text") && refuses(31, 1, "text"),
          "so are addresses of over 597 bytes, and names of over 255");
    for (size_t n = 0; n < size; n++) {
        uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read past the end */

        memcpy(exact, bytes, n);
        all = all && envelope_decode(exact, n, &got, &why) == -1;
        free(exact);
    }
    CHECK(all, "every shorter range is refused");
    CHECK(envelope_decode(bytes, size + 1, &got, &why) == -1, "a longer one, too");
}

static void test_texts(void)
{
    char out[256];
    struct envelope_text text;

    text = envelope_text("abc");
    CHECK(!envelope_text_copy(text, out, 4) && !strcmp(out, "abc"), "a text that fits is copied");
    CHECK(envelope_text_copy(text, out, 3) == -1, "one that does not fit is not");
    CHECK(!envelope_text_equals(text, "abcd") && !envelope_text_equals(text, "ab"),
          "texts of other lengths differ");
}

/* The longest that there are; and longer ones, which no caller should have, stay inside the header. */
static void test_longest(void)
{
    char address[2 * ENVELOPE_ADDRESS_MAX];
    uint8_t bytes[ENVELOPE_HEADER_MAX];
    struct envelope env = {.kind = ENVELOPE_CALL, .blocked_count = 4000}, got;
    const char *why;

    memset(address, 'a', sizeof address);
    address[sizeof address - 1] = '\0';
    CHECK(envelope_text(address).length == ENVELOPE_ADDRESS_MAX, "a text is cut at an address's length");
    env.to = env.from = env.type = (struct envelope_text){address, sizeof address - 1};
    CHECK(envelope_encode_header(&env, bytes) == ENVELOPE_HEADER_MAX &&
              !envelope_decode(bytes, ENVELOPE_HEADER_MAX, &got, &why) &&
              got.blocked_count == ENVELOPE_MAX_BLOCKED && got.to.length == ENVELOPE_ADDRESS_MAX &&
              got.from.length == ENVELOPE_ADDRESS_MAX && got.type.length == ENVELOPE_NAME_MAX,
          "the longest header holds the longest of all its parts");
}

int main(void)
{
    test_round_trip();
    test_refusals();
    test_texts();
    test_longest();
    return tap_done();
}
