/*
 * Services, as sys/node sees to them (CLUSTER 4): brings the registry of nodes, the places of
 * service actors and the supervisors that offer services together. Who asks, and how they are told,
 * is control.h's.
 */
#ifndef TROUPE_CLUSTER_SERVICES_H
#define TROUPE_CLUSTER_SERVICES_H

#include "host_load.h"
#include "membership.h"
#include "visitors.h"

struct services;

struct services_options {
    struct ev_loop *loop;
    const char *run_dir, *node, *url, *self; /* borrowed, as all here */
    uint64_t generation;
    int64_t lease_ms;
    struct host_limits limits;
    const struct visitors *visitors;
    bool (*send)(void *data, const char *node, const void *bytes, size_t size);
    void *data;
};

struct services *services_create(const struct services_options *options);
/* Takes NULL. */
void services_destroy(struct services *services);

/* No more placements here: the row becomes that of one that has left. services_have_left(): it is, or there was
 * nothing to leave. */
void services_leave(struct services *services);
bool services_have_left(const struct services *services);

/* A request that may be for us; false: it is not. */
bool services_visit(struct services *services, const char *verb, const struct visit *visit);
/* The nodes that share services, if this one is among them; 0: it is out. They stand until the next
 * message. */
size_t services_nodes(const struct services *services, const struct node_row **rows);
/* A visitor's connection has ended. */
void services_gone(struct services *services, uint64_t number);

/* A message of REGISTRY_CONFIRM … PLACES_HOSTED. NULL; or why it is none. */
const char *services_message(struct services *services, const char *node, const uint8_t *bytes,
                             size_t size);
/* A session with that node has begun; it can be sent to. */
void services_up(struct services *services, const char *node);
/* The session with that node has ended. */
void services_down(struct services *services, const char *node);

#endif
