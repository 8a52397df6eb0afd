/*
 * This node's part in the company of those that may run services (CLUSTER 4, L1 to L3 and L6):
 * lease.h and membership.h decide, sys/store has the rows (ledger.h), and the other nodes are asked
 * over their sessions.
 *
 * It begins as the generation of the node's root, so that a sys/node that was killed comes back to
 * the same lease. A generation that has been declared dead never changes again: then all of its
 * service actors have ended, by the kernel's timers, and a new one is begun by itself.
 */
#ifndef TROUPE_CLUSTER_REGISTRY_H
#define TROUPE_CLUSTER_REGISTRY_H

#include "host_load.h"
#include "ledger.h"
#include "membership.h"

struct registry;

struct registry_hooks {
    /* To that node; it does not matter if there is no session. */
    void (*send)(void *data, const char *node, const void *bytes, size_t size);
    /* What is offered here, and how much of it there is: into out, of MEMBERSHIP_SERVICES_MAX. */
    size_t (*offers)(void *data, struct node_service *out);
    /* Instances may run until then (ms of mono_now()). */
    void (*on_lease)(void *data, int64_t until_ms);
    /* None may, and none does: what was claimed is somebody else's. */
    void (*on_fenced)(void *data);
    /* There is a new table of nodes; or one was asked for, and the store was unreachable. */
    void (*on_table)(void *data);
    void (*on_silence)(void *data);
};

struct registry_options {
    struct ev_loop *loop;
    const char *node, *url, *run_dir; /* borrowed */
    uint64_t generation;
    int64_t lease_ms;
    struct host_limits limits;
    struct ledger *ledger;
    const struct registry_hooks *hooks;
    void *data;
};

/* The options' strings and hooks are borrowed. */
struct registry *registry_create(const struct registry_options *options);
/* Takes NULL. */
void registry_destroy(struct registry *registry);

/* A message of REGISTRY_CONFIRM … REGISTRY_PROMISE (exchange_wire.h) from that node. NULL; or why
 * it is none. */
const char *registry_message(struct registry *registry, const char *node, const uint8_t *bytes,
                             size_t size);

/* No more placements here; when the last instance has ended, say so. */
void registry_leave(struct registry *registry);
void registry_drained(struct registry *registry);
/* Has the row become that of one that has left, or is there nothing to leave? */
bool registry_has_left(const struct registry *registry);

const struct membership *registry_membership(const struct registry *registry);
uint64_t registry_generation(const struct registry *registry);
void registry_read(struct registry *registry);
/* A session with that node has begun; it can be sent to. */
void registry_met(struct registry *registry, const char *node);
/* The session with some node has ended: if that was its end, on this host, it shows at once. */
void registry_look(struct registry *registry);
/* What is offered here has changed: it is told with a beat at once. */
void registry_tell(struct registry *registry);
/* Is this host below what the node allows, as it was when our row was written last? */
bool registry_has_room(const struct registry *registry);
/* Has it had no lease yet, or does not everybody know it, so that it may soon run something? */
bool registry_is_beginning(const struct registry *registry);
/* ms of mono_now(); 0: no instance may run. */
int64_t registry_lease_until_ms(const struct registry *registry);

/* As rows of the store have a generation, and back: 0 when it is none. */
void registry_generation_text(uint64_t generation, char out[17]);
uint64_t registry_generation_of(const char *text);

#endif
