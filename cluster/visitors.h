/*
 * Who speaks to sys/node itself: supervisors, which tell what their children have joined; actors
 * and people, who ask for groups and nodes, and watch them (control.h). One connection each; when
 * it ends, what it told and what it watched ends with it.
 */
#ifndef TROUPE_CLUSTER_VISITORS_H
#define TROUPE_CLUSTER_VISITORS_H

#include "fanout.h"
#include "groups.h"
#include "rights.h"
#include "sp.h"
#include "wire.h"

struct visitor;

struct visitors_hooks {
    /* What is asked of the mesh: appends the answer's words. NULL; or why not, "refused no such
     * node". */
    void (*nodes)(void *data, struct words *out);
    void (*connected)(void *data, struct words *out); /* names of those with a session */
    const char *(*connect)(void *data, const char *url);
    const char *(*disconnect)(void *data, const char *node);
};

struct visitors {
    const char *node, *self; /* our name, our address; borrowed */
    struct rights rights;
    struct groups *groups;
    struct fanout *fanout;
    const struct visitors_hooks *hooks;
    void *data;
    struct visitor *all;
    uint64_t last_number;
};

/* One that has said HELLO (switchboard.h). Takes conn over. */
void visitors_receive(struct visitors *visitors, struct sp_conn *conn, const uint8_t *hello,
                      size_t size);
void visitors_finish(struct visitors *visitors);

/* An event of groups.h, of the monitor of that subscriber, which is a visitor's number. */
void visitors_on_group(struct visitors *visitors, uint64_t subscriber, uint64_t ref,
                       const struct groups_event *event);
/* What fanout_settle() was asked for by that visitor. */
void visitors_on_settled(struct visitors *visitors, uint64_t number, uint64_t ref);
/* reason NULL: a session has begun. */
void visitors_on_node(struct visitors *visitors, const char *node, const char *reason);

#endif
