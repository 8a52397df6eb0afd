/*
 * Follows what happens in a subtree: subscribes at one supervisor and at every supervisor below it
 * as they come and go. First each one's children as they are now (on_row), then changes (on_event).
 * Because the subscription comes first, nothing is missed between the two.
 */
#ifndef TROUPE_CLI_WATCH_H
#define TROUPE_CLI_WATCH_H

#include "client.h"

#include <stdbool.h>

struct watch;

struct watch_handlers {
    void (*on_row)(void *data, const struct row *row);
    /* event: its name; facts: ts, level, path, … (lib/control.h); the path is a place. */
    void (*on_event)(void *data, const char *event, const struct facts *facts);
    /* This supervisor's children have all been given to on_row. May be NULL. */
    void (*on_snapshot)(void *data, const char *supervisor);
    /* The connection to the supervisor at scope, which it is, failed or ended: why, or the head of
     * the error that it answered with. It is tried again as long as the watch lives. May be NULL.
     */
    void (*on_lost)(void *data, const char *supervisor, const char *why);
};

/* is_deep: also what is below nested supervisors. scope is a place ("" is the root here). Dies of
 * no memory. */
struct watch *watch_create(struct client *client, const char *scope, bool is_deep,
                           const struct watch_handlers *handlers, void *data);
void watch_destroy(struct watch *watch); /* takes NULL; not from within its handlers */
/* No subscription waits for its first answer. */
bool watch_is_settled(const struct watch *watch);

#endif
