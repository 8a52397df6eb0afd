/*
 * Follows this node's sessions with others, as sys/node tells of them: first those that there are,
 * then each that begins or ends. When sys/node itself ends, all have ended; it is asked again as
 * long as the node lives.
 */
#ifndef TROUPE_CLI_SESSIONS_H
#define TROUPE_CLI_SESSIONS_H

#include "client.h"

struct sessions;

struct sessions_handlers {
    /* is_snapshot: it was there when sys/node was asked. */
    void (*on_up)(void *data, const char *node, bool is_snapshot);
    void (*on_down)(void *data, const char *node, const char *reason);
    /* There is no more to follow: the node has ended, or does not let us look. */
    void (*on_over)(void *data, const struct answer *answer);
};

/* Dies of no memory. */
struct sessions *sessions_follow(struct client *client, const struct sessions_handlers *handlers,
                                 void *data);
void sessions_destroy(struct sessions *sessions); /* not from within its handlers */

#endif
