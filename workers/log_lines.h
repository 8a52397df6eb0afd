/*
 * Lines on their way to somebody who asked for them: an EVENT `lines` whose words are PATH STREAM
 * WALL_US TEXT, again and again (control.h).
 */
#ifndef TROUPE_LOG_LINES_H
#define TROUPE_LOG_LINES_H

#include "log_line.h"
#include "peer.h"

enum { LOG_LINES_MAX = 512, LOG_LINES_BYTES = 128 << 10 }; /* of one event, about */

struct log_lines {
    struct words words;
    size_t count, bytes;
};

/* text is escaped already. 0, or -1 (ENOMEM). */
int log_lines_add(struct log_lines *lines, const char *path, const char *stream, int64_t wall_us,
                  const char *text);
bool log_lines_is_full(const struct log_lines *lines);
/* Empties it for the next lines, and frees everything. */
void log_lines_finish(struct log_lines *lines);

/* 0, or -1 with errno. image is to be freed by wire_image_finish(). */
int log_lines_pack(const struct log_lines *lines, struct wire_image *image);
/* Sends a packed image. 0, or -1 with errno (EAGAIN: the other does not read). */
int log_lines_send(struct peer *peer, uint64_t ref, const struct wire_image *image);

#endif
