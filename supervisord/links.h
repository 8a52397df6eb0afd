/*
 * Links of the config between children (SEMANTICS 1, `link`): a child starts when all it is linked
 * to are ready, and ends when one of them ends abnormally. Targets under the same supervisor are
 * seen directly; of others we hear by subscribing to their supervisor's events. Actors of services are looked for on all nodes, by
 * asking sys/node again and again.
 */
#ifndef TROUPE_LINKS_H
#define TROUPE_LINKS_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct supervisor;
struct child;
struct link_source; /* another supervisor that we listen to */
struct link_place;

struct links {
    struct supervisor *supervisor;
    struct link_source *sources;
    struct link_place *places;
    ev_timer retry;
    int64_t retry_ms;
};

void links_init(struct links *links, struct supervisor *supervisor);
void links_finish(struct links *links);
/* Are all that the child is linked to ready? Begins to listen to those that are elsewhere; a child
 * that waits gets CHILD_EV_LINKED when all are up. */
bool links_are_up(struct links *links, struct child *child);
/* A child of this supervisor is ready, or has ended. */
void links_on_ready(struct links *links, const struct child *child);
void links_on_end(struct links *links, const struct child *child, const char *reason, bool ordered);

#endif
