#include "trunk.h"

#include <string.h>

/* Requests find room or are refused; what keeps both sides in step, and answers, always go. */
int trunk_send_parts(struct switchboard_side *side, enum channel_kind kind, uint32_t id,
                      const struct envelope_parts *body)
{
    bool is_ours = kind == CHANNEL_FORTH || kind == CHANNEL_SHUT;
    struct switchboard_message message = {.lane = (uint64_t)is_ours << 32 | id,
                                       .must = kind != CHANNEL_FORTH,
                                       .count = 1 + body->count};
    uint8_t head[CHANNEL_HEAD];

    channel_head(kind, id, head);
    message.parts[0] = (struct iovec){head, sizeof head};
    for (int i = 0; i < body->count; i++)
        message.parts[1 + i] = body->parts[i];
    return side->board->hooks.send(side, &message);
}

int trunk_send(struct switchboard_side *side, enum channel_kind kind, uint32_t id,
                      const void *bytes, size_t size)
{
    struct envelope_parts body = {.parts = {{(void *)bytes, size}}, .count = 1};

    return trunk_send_parts(side, kind, id, &body);
}

void trunk_open(struct switchboard_side *side, uint32_t id, const char *to, const char *from)
{
    uint8_t bytes[CHANNEL_OPEN_MAX];
    size_t size = channel_open(id, to, from, bytes);
    struct switchboard_message message = {
        .lane = 1ull << 32 | id, .must = true, .parts = {{bytes, size}}, .count = 1};

    side->board->hooks.send(side, &message);
}

void trunk_tell_ended(struct switchboard_side *side, uint32_t id, const char *reason)
{
    trunk_send(side, CHANNEL_ENDED, id, reason, strlen(reason));
}
