/*
 * Watches: answered with the first line of one path that matches a regular expression
 * (`ready: log`). A line counts from the moment of the request: what was in the pipe before does
 * not.
 */
#ifndef TROUPE_LOG_WATCH_H
#define TROUPE_LOG_WATCH_H

#include "log_reader.h"
#include "peer.h"

struct log_watches;
struct log_watch;

struct log_watches *log_watches_create(void);
void log_watches_destroy(struct log_watches *watches);

/* from[kind] is the offset from which a stream counts. NULL with why: a bad expression says what is
 * wrong with it. */
struct log_watch *log_watch_add(struct log_watches *watches, struct peer *peer, uint64_t ref,
                                const char *path, const char *regex, const uint64_t from[LOG_KINDS],
                                char why[128]);
void log_watches_remove(struct log_watches *watches, const struct peer *peer);

void log_watches_chunk(struct log_watches *watches, const struct log_chunk *chunk);
/* A line from the past (escaped). Answers and frees the watch when it matches: then true. */
bool log_watch_line(struct log_watch *watch, const char *text);

#endif
