/*
 * What actors of this node publish, for guests: while anybody wants it, a SUB connection to the
 * mailbox of each actor that the config names. One that is not there, or ends, is dialled again and
 * again.
 */
#ifndef TROUPE_CLUSTER_FEEDS_H
#define TROUPE_CLUSTER_FEEDS_H

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct feed;

struct feeds {
    struct ev_loop *loop;
    const char *run_dir;           /* borrowed, as all above the line */
    const char *const *publishers; /* paths */
    size_t count;
    /* TOPIC, TAB, VALUES, as the actor has published it. */
    void (*on_news)(void *data, const char *path, const uint8_t *body, size_t size);
    void *data;
    /* its own */
    struct feed *all;
    bool is_wanted;
};

/* Begins to listen to all of them, or ends it. Does nothing when that is so already. */
void feeds_want(struct feeds *feeds, bool is_wanted);

#endif
