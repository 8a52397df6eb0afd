/* What sys/node does to envelopes that pass through it. */
#include "../../cluster/envelope_edit.h"
#include "control.h"
#include "envelope.h"
#include "rights.h"
#include "tap.h"

#include <string.h>

static uint8_t body[ENVELOPE_HEADER_MAX + 16], joined[ENVELOPE_HEADER_MAX + 16];

static size_t make(enum envelope_kind kind, const char *type, uint64_t deadline, uint16_t flags)
{
    struct envelope env = {.kind = (uint8_t)kind,
                           .flags = flags,
                           .ref = 77,
                           .deadline_us = deadline,
                           .type = envelope_text(type),
                           .payload_size = 4};
    size_t head = envelope_encode_header(&env, body);

    memcpy(body + head, "load", 4);
    return head + 4;
}

static uint64_t join(const struct envelope_parts *parts, size_t wanted)
{
    struct envelope env = {0};
    size_t size = 0;
    const char *why;

    for (int i = 0; i < parts->count; i++) {
        memcpy(joined + size, parts->parts[i].iov_base, parts->parts[i].iov_len);
        size += parts->parts[i].iov_len;
    }
    CHECK(size == wanted && !envelope_decode(joined, size, &env, &why) && env.ref == 77 &&
              env.payload_size == 4 && !memcmp(env.payload, "load", 4),
          "nothing else of it is touched");
    return env.deadline_us;
}

static void test_deadlines(void)
{
    const struct mono here = {5000000}, there = {900};
    struct envelope_parts parts;
    size_t size = make(ENVELOPE_CALL, "add", 5200000, 0);

    envelope_to_wire(body, size, here, &parts);
    CHECK(join(&parts, size) == 200000, "on the wire a deadline is what is left of it");
    memcpy(body, joined, size);
    envelope_from_wire(body, size, there, &parts);
    CHECK(join(&parts, size) == 200900, "and a point of the other clock behind it");
    size = make(ENVELOPE_CAST, "add", 4000000, 0);
    envelope_to_wire(body, size, here, &parts);
    CHECK(join(&parts, size) == 1, "one that is over stays over");
    size = make(ENVELOPE_CAST, "add", 0, 0);
    envelope_to_wire(body, size, here, &parts);
    CHECK(join(&parts, size) == 0, "none stays none");
    envelope_from_wire(body, size, there, &parts);
    CHECK(join(&parts, size) == 0, "on the other side, too");
    size = make(ENVELOPE_EVENT, "topic", 12, 0);
    envelope_to_wire(body, size, here, &parts);
    CHECK(join(&parts, size) == 12, "the number of an event is no deadline");
    size = make(ENVELOPE_CALL, "add", UINT64_MAX, 0);
    envelope_from_wire(body, size, there, &parts);
    CHECK(join(&parts, size) > UINT64_MAX / 8, "a deadline beyond all times does not wrap around");
    envelope_to_wire(body, 20, here, &parts);
    CHECK(parts.count == 1 && parts.parts[0].iov_len == 20, "half an envelope is let pass");
}

static void test_rights(void)
{
    const char *why;

    CHECK(envelope_right(body, make(ENVELOPE_CAST, "add", 0, 0), &why) == RIGHT_SEND &&
              envelope_right(body, make(ENVELOPE_CALL, "add", 0, 0), &why) == RIGHT_SEND,
          "messages need the right to send");
    CHECK(envelope_right(body, make(ENVELOPE_CONTROL, CONTROL_PS, 0, 0), &why) == RIGHT_LOOK,
          "ps needs the right to look");
    CHECK(envelope_right(body, make(ENVELOPE_CONTROL, CONTROL_STOP, 0, 0), &why) == RIGHT_CONTROL,
          "stop needs the right to control");
    CHECK(!envelope_right(body, make(ENVELOPE_CONTROL, CONTROL_GROUP_JOIN, 0, 0), &why) &&
              strstr(why, "own host"),
          "what only a supervisor of the node says does not cross");
    CHECK(!envelope_right(body, make(ENVELOPE_CONTROL, "nonsense", 0, 0), &why),
          "nor what nobody knows");
    CHECK(!envelope_right(body, make(ENVELOPE_REPLY, "", 0, 0), &why), "a reply is no request");
    CHECK(!envelope_right(body, make(ENVELOPE_HELLO, "", 0, 0), &why), "nor is a hello");
    CHECK(!envelope_right(body, 1, &why), "nor a single byte");
}

static void test_refusals(void)
{
    uint8_t out[ENVELOPE_REFUSAL_MAX];
    struct envelope env;
    const char *why;
    size_t size = envelope_refusal(body, make(ENVELOPE_CALL, "add", 0, 0), "overloaded", out);

    CHECK(!envelope_decode(out, size, &env, &why) && env.kind == ENVELOPE_ERROR && env.ref == 77 &&
              env.payload_size == 10 && !memcmp(env.payload, "overloaded", 10),
          "a call is refused by its number");
    size = envelope_refusal(body, make(ENVELOPE_CAST, "add", 0, ENVELOPE_WANTS_UNDELIVERED),
                            "noproc", out);
    CHECK(!envelope_decode(out, size, &env, &why) && env.ref == 0 &&
              envelope_text_equals(env.type, "add"),
          "a cast that asked to hear of it by its name");
    CHECK(!envelope_refusal(body, make(ENVELOPE_CAST, "add", 0, 0), "noproc", out),
          "one that did not is told nothing");
    CHECK(!envelope_refusal(body, 9, "noproc", out), "nor what is no envelope");
}

int main(void)
{
    test_deadlines();
    test_rights();
    test_refusals();
    return tap_done();
}
