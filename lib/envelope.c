#include "envelope.h"

#include <endian.h>
#include <string.h>

enum { KNOWN_FLAGS = ENVELOPE_TYPED | ENVELOPE_WANTS_UNDELIVERED };

/* Where each field stands in the fixed part. */
enum {
    AT_VERSION = 0,
    AT_KIND = 1,
    AT_FLAGS = 2,
    AT_PAYLOAD_SIZE = 4,
    AT_REF = 8,
    AT_DEADLINE = 16,
    AT_BLOCKED = 24,
    AT_TO = 26,
    AT_FROM = 28,
    AT_TYPE = 30,
};

/* Little-endian words; at one that the machine has, the compiler makes a single load of each. */
static inline uint64_t get(const uint8_t *at, unsigned size)
{
    uint64_t n = 0;

    memcpy(&n, at, size);
    return le64toh(n);
}

static inline uint8_t *put(uint8_t *at, unsigned size, uint64_t n)
{
    n = htole64(n);
    memcpy(at, &n, size);
    return at + size;
}

static int bad(const char **why, const char *phrase)
{
    *why = phrase;
    return -1;
}

/* The four counts; each is 16 bits. */
static inline uint16_t count_at(const uint8_t *bytes, unsigned at)
{
    return (uint16_t)get(bytes + at, 2);
}

static int check(const uint8_t *bytes, size_t size, const char **why)
{
    uint64_t length;

    if (size < ENVELOPE_FIXED_SIZE)
        return bad(why, "length: shorter than an envelope's header");
    if (bytes[AT_VERSION] != ENVELOPE_VERSION)
        return bad(why, "version: expected 1");
    if (bytes[AT_KIND] < ENVELOPE_HELLO || bytes[AT_KIND] > ENVELOPE_CONTROL_REPLY)
        return bad(why, "kind: not a known one");
    if (get(bytes + AT_FLAGS, 2) & ~(uint64_t)KNOWN_FLAGS)
        return bad(why, "flags: unknown ones are set");
    if (count_at(bytes, AT_BLOCKED) > ENVELOPE_MAX_BLOCKED)
        return bad(why, "blocked: more than 32");
    if (count_at(bytes, AT_TO) > ENVELOPE_ADDRESS_MAX ||
        count_at(bytes, AT_FROM) > ENVELOPE_ADDRESS_MAX ||
        count_at(bytes, AT_TYPE) > ENVELOPE_NAME_MAX)
        return bad(why, "text: an address or a name that is too long");
    length = ENVELOPE_FIXED_SIZE + 8u * count_at(bytes, AT_BLOCKED) + count_at(bytes, AT_TO) +
             count_at(bytes, AT_FROM) + count_at(bytes, AT_TYPE) + get(bytes + AT_PAYLOAD_SIZE, 4);
    return length == size ? 0 : bad(why, "length: not the sum of the parts");
}

static struct envelope_text take_text(const uint8_t **at, uint16_t length)
{
    struct envelope_text text = {(const char *)*at, length};

    *at += length;
    return text;
}

int envelope_decode(const uint8_t *bytes, size_t size, struct envelope *env, const char **why)
{
    const uint8_t *at = bytes + ENVELOPE_FIXED_SIZE;

    if (check(bytes, size, why))
        return -1;
    env->kind = bytes[AT_KIND];
    env->flags = (uint16_t)get(bytes + AT_FLAGS, 2);
    env->ref = get(bytes + AT_REF, 8);
    env->deadline_us = get(bytes + AT_DEADLINE, 8);
    env->blocked_count = count_at(bytes, AT_BLOCKED);
    for (unsigned i = 0; i < env->blocked_count; i++, at += 8)
        env->blocked[i] = get(at, 8);
    env->to = take_text(&at, count_at(bytes, AT_TO));
    env->from = take_text(&at, count_at(bytes, AT_FROM));
    env->type = take_text(&at, count_at(bytes, AT_TYPE));
    env->payload = at;
    env->payload_size = (uint32_t)get(bytes + AT_PAYLOAD_SIZE, 4);
    return 0;
}

static struct envelope_text cut(struct envelope_text text, uint16_t length)
{
    if (text.length > length)
        text.length = length;
    return text;
}

static uint8_t *put_text(uint8_t *at, struct envelope_text text)
{
    if (text.length)
        memcpy(at, text.at, text.length);
    return at + text.length;
}

size_t envelope_encode_header(const struct envelope *env, uint8_t header[ENVELOPE_HEADER_MAX])
{
    struct envelope_text to = cut(env->to, ENVELOPE_ADDRESS_MAX);
    struct envelope_text from = cut(env->from, ENVELOPE_ADDRESS_MAX);
    struct envelope_text type = cut(env->type, ENVELOPE_NAME_MAX);
    uint16_t blocked = env->blocked_count;
    uint8_t *at = header;

    if (blocked > ENVELOPE_MAX_BLOCKED)
        blocked = ENVELOPE_MAX_BLOCKED;
    at = put(at, 1, ENVELOPE_VERSION);
    at = put(at, 1, env->kind);
    at = put(at, 2, env->flags);
    at = put(at, 4, env->payload_size);
    at = put(at, 8, env->ref);
    at = put(at, 8, env->deadline_us);
    at = put(at, 2, blocked);
    at = put(at, 2, to.length);
    at = put(at, 2, from.length);
    at = put(at, 2, type.length);
    for (unsigned i = 0; i < blocked; i++)
        at = put(at, 8, env->blocked[i]);
    at = put_text(at, to);
    at = put_text(at, from);
    at = put_text(at, type);
    return (size_t)(at - header);
}

struct envelope_text envelope_text(const char *nul_terminated)
{
    size_t length = strnlen(nul_terminated, ENVELOPE_ADDRESS_MAX);

    return (struct envelope_text){nul_terminated, (uint16_t)length};
}

int envelope_text_copy(struct envelope_text text, char *out, size_t size)
{
    if (text.length >= size)
        return -1;
    if (text.length)
        memcpy(out, text.at, text.length);
    out[text.length] = '\0';
    return 0;
}

int envelope_text_equals(struct envelope_text text, const char *nul_terminated)
{
    return strlen(nul_terminated) == text.length && !memcmp(text.at, nul_terminated, text.length);
}
