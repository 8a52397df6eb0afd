#include "log_lines.h"

#include <stdio.h>
#include <string.h>

int log_lines_add(struct log_lines *lines, const char *path, const char *stream, int64_t wall_us,
                  const char *text)
{
    char wall[24];

    snprintf(wall, sizeof wall, "%lld", (long long)wall_us);
    if (words_append(&lines->words, path) < 0 || words_append(&lines->words, stream) < 0 ||
        words_append(&lines->words, wall) < 0 || words_append(&lines->words, text) < 0)
        return -1;
    lines->count++;
    lines->bytes += strlen(path) + strlen(text) + 40;
    return 0;
}

bool log_lines_is_full(const struct log_lines *lines)
{
    return lines->count >= LOG_LINES_MAX || lines->bytes >= LOG_LINES_BYTES;
}

void log_lines_finish(struct log_lines *lines)
{
    words_finish(&lines->words);
    *lines = (struct log_lines){0};
}

int log_lines_pack(const struct log_lines *lines, struct wire_image *image)
{
    return wire_pack_words(&lines->words, image);
}

int log_lines_send(struct peer *peer, uint64_t ref, const struct wire_image *image)
{
    struct envelope env = {.kind = ENVELOPE_EVENT,
                           .ref = ref,
                           .type = envelope_text("lines"),
                           .payload = image->data,
                           .payload_size = (uint32_t)image->size};

    return peer_send(peer, &env, -1);
}
