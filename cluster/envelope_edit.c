#include "envelope_edit.h"

#include "control_right.h"
#include "rights.h"

#include <string.h>

enum { DEADLINE_AT = 16, DEADLINE_END = DEADLINE_AT + 8, FROM_SIZE_AT = 28, FROM_SIZE_END = 30 };

/* ---- deadlines ------------------------------------------------------------------------------- */

static bool has_deadline(const uint8_t *body, size_t size)
{
    return size >= DEADLINE_END && (body[1] == ENVELOPE_CAST || body[1] == ENVELOPE_CALL);
}

static uint64_t read_u64(const uint8_t *at)
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static void whole(const uint8_t *body, size_t size, struct envelope_parts *out)
{
    out->parts[0] = (struct iovec){(void *)body, size};
    out->count = 1;
}

static void with_deadline(const uint8_t *body, size_t size, uint64_t deadline,
                          struct envelope_parts *out)
{
    for (int i = 0; i < 8; i++)
        out->deadline[i] = (uint8_t)(deadline >> 8 * i);
    out->parts[0] = (struct iovec){(void *)body, DEADLINE_AT};
    out->parts[1] = (struct iovec){out->deadline, sizeof out->deadline};
    out->parts[2] = (struct iovec){(void *)(body + DEADLINE_END), size - DEADLINE_END};
    out->count = 3;
}

void envelope_to_wire(const uint8_t *body, size_t size, struct mono now, struct envelope_parts *out)
{
    uint64_t deadline = has_deadline(body, size) ? read_u64(body + DEADLINE_AT) : 0;

    if (deadline)
        with_deadline(body, size, deadline > (uint64_t)now.us ? deadline - (uint64_t)now.us : 1,
                      out);
    else
        whole(body, size, out);
}

void envelope_from_wire(const uint8_t *body, size_t size, struct mono now,
                        struct envelope_parts *out)
{
    uint64_t left = has_deadline(body, size) ? read_u64(body + DEADLINE_AT) : 0;

    if (left > INT64_MAX / 2)
        left = INT64_MAX / 2;
    if (left)
        with_deadline(body, size, (uint64_t)now.us + left, out);
    else
        whole(body, size, out);
}

/* ---- rights ---------------------------------------------------------------------------------- */

static unsigned control_needs(const uint8_t *body, size_t size, const char **why)
{
    struct envelope env;
    char verb[64];

    if (envelope_decode(body, size, &env, why) < 0)
        return 0;
    *why = "means something on its own host only";
    if (envelope_text_copy(env.type, verb, sizeof verb) < 0 || control_is_local(verb))
        return 0;
    return control_right(verb);
}

unsigned envelope_right(const uint8_t *body, size_t size, const char **why)
{
    *why = "no request";
    if (size < 2)
        return 0;
    switch (body[1]) {
    case ENVELOPE_CAST:
    case ENVELOPE_CALL:
        return RIGHT_SEND;
    case ENVELOPE_CONTROL:
        return control_needs(body, size, why);
    default:
        return 0;
    }
}

bool envelope_is_message(const uint8_t *body, size_t size)
{
    return size >= 2 && (body[1] == ENVELOPE_CAST || body[1] == ENVELOPE_CALL);
}

bool envelope_is_cast(const uint8_t *body, size_t size)
{
    return size >= 2 && body[1] == ENVELOPE_CAST;
}

bool envelope_has_sender(const uint8_t *body, size_t size)
{
    return size >= FROM_SIZE_END && (body[FROM_SIZE_AT] || body[FROM_SIZE_AT + 1]);
}

/* ---- refusals -------------------------------------------------------------------------------- */

/* As the mailbox itself would refuse: by the number of a request, or by the name of a cast that
 * asked to hear of it. */
size_t envelope_refusal(const uint8_t *body, size_t size, const char *reason,
                        uint8_t out[ENVELOPE_REFUSAL_MAX])
{
    struct envelope env, error = {.kind = ENVELOPE_ERROR};
    size_t head, length = strnlen(reason, ENVELOPE_REFUSAL_MAX - ENVELOPE_HEADER_MAX);
    const char *why;

    if (envelope_decode(body, size, &env, &why) < 0)
        return 0;
    if (env.kind == ENVELOPE_CALL || env.kind == ENVELOPE_CONTROL)
        error.ref = env.ref;
    else if (env.kind == ENVELOPE_CAST && env.flags & ENVELOPE_WANTS_UNDELIVERED)
        error.type = env.type;
    else
        return 0;
    error.payload_size = (uint32_t)length;
    head = envelope_encode_header(&error, out);
    memcpy(out + head, reason, length);
    return head + length;
}
