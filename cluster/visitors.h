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

/* One request; valid during the call. */
struct visit {
    struct visitor *visitor;
    uint64_t ref;
    char *const *words;
    size_t count;
};

struct visitors_hooks {
    /* What is asked of the mesh: appends the answer's words. NULL; or why not, "refused no such
     * node". */
    void (*nodes)(void *data, struct words *out);
    void (*connected)(void *data, struct words *out); /* names of those with a session */
    const char *(*connect)(void *data, const char *url);
    const char *(*disconnect)(void *data, const char *node);
    /* A request that is not for this file: false when it is for nobody. May be NULL, as the next. */
    bool (*visit)(void *data, const char *verb, const struct visit *visit);
    void (*gone)(void *data, uint64_t number); /* a visitor's connection has ended */
};

struct visitors {
    const char *run_dir, *node, *self; /* and our name, our address; borrowed */
    struct rights rights;
    struct groups *groups;
    struct fanout *fanout;
    const struct visitors_hooks *hooks;
    void *data;
    struct visitor *all;
    struct visitor *owed; /* those with changes of groups that were not sent yet */
    uint64_t last_number;
};

/* One that has said HELLO (switchboard.h). Takes conn over. */
void visitors_receive(struct visitors *visitors, struct sp_conn *conn, const uint8_t *hello,
                      size_t size);
void visitors_finish(struct visitors *visitors);

/* An event of groups.h, of the monitor of that subscriber, which is a visitor's number. */
void visitors_on_group(struct visitors *visitors, uint64_t subscriber, uint64_t ref,
                       const struct groups_event *event);
/* What has happened to groups is told in as few messages as the order allows: at the end of each turn of the
 * loop. */
void visitors_catch_up(struct visitors *visitors);
/* What fanout_settle() was asked for by that visitor. */
void visitors_on_settled(struct visitors *visitors, uint64_t number, uint64_t ref);
/* reason NULL: a session has begun. */
void visitors_on_node(struct visitors *visitors, const char *node, const char *reason);

/* ---- for others who answer visitors ---- */

/* The number of who asks: never used again. */
uint64_t visit_number(const struct visit *visit);
/* Has it so many words? Else it is refused. */
bool visit_has_words(const struct visit *visit, size_t least, size_t most, const char *expected);
/* words: may be NULL. */
void visit_reply(const struct visit *visit, const struct words *words);
/* head: one of CONTROL_E_*. */
void visit_refuse(const struct visit *visit, const char *head, const char *text);
/* The same later; nothing is said to one that has gone. */
void visitors_reply(const struct visitors *visitors, uint64_t number, uint64_t ref,
                    const struct words *words);
void visitors_refuse(const struct visitors *visitors, uint64_t number, uint64_t ref,
                     const char *text);
/* An event of the request with that ref. */
void visitors_event(const struct visitors *visitors, uint64_t number, uint64_t ref, const char *type,
                    const struct words *words);

#endif
