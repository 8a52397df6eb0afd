/*
 * An attachment: this process as an actor of the tree, by a connection to a supervisor that stands
 * for the control socket of a child (PROTOCOL 4). Lines go both ways; its end is ours. Prints
 * nothing.
 */
#ifndef TROUPE_CLI_ATTACHMENT_H
#define TROUPE_CLI_ATTACHMENT_H

#include "client.h"
#include "ctl.h"

struct attachment;

struct attachment_handlers {
    /* It stands: address is ours, with the incarnation. */
    void (*on_attached)(void *data, const char *address);
    /* A line from the supervisor. */
    void (*on_line)(void *data, struct ctl_line *line);
    /* It was refused, or the connection has ended. answer is ERROR or CLOSED; nothing comes after.
     */
    void (*on_lost)(void *data, const struct answer *answer);
};

/* Attaches as path; "" is run/PID at the root. Nothing is told before this returns. NULL with
 * errno. */
struct attachment *attachment_create(struct client *client, const char *path,
                                     const struct attachment_handlers *handlers, void *data);
/* Says one line to the supervisor: a verb and its arguments. 0, or -1 with errno. */
int attachment_say(struct attachment *attachment, enum ctl_verb verb, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Writes what was said, and ends it. Takes NULL; not from within its handlers. */
void attachment_destroy(struct attachment *attachment);

#endif
