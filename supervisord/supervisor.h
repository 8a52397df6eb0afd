/*
 * A supervisor: its children in start order, its strategy and intensity, and its loop. Always a
 * process of its own; nested ones are forked without exec. What to do is decided by strategy.c and
 * intensity.c; what a single child does, by child.c; this file carries decisions out.
 */
#ifndef TROUPE_SUPERVISOR_H
#define TROUPE_SUPERVISOR_H

#include "activations.h"
#include "offers.h"
#include "attached.h"
#include "backplane.h"
#include "child.h"
#include "events.h"
#include "falling.h"
#include "fellows.h"
#include "hotline.h"
#include "links.h"
#include "logpipes.h"
#include "memberships.h"
#include "node.h"
#include "peer.h"
#include "requests.h"
#include "shards.h"
#include "signals.h"

enum supervisor_mode { SUPERVISOR_BOOTING, SUPERVISOR_RUNNING, SUPERVISOR_ENDING };

struct supervisor {
    struct ev_loop *loop;
    const struct node *node;
    char path[ADDR_PATH_MAX + 1]; /* "" for the root; its children are below it */
    char folder[ADDR_PATH_MAX + 1]; /* where its mailbox and its table are: path, but for a shard */
    char self[ADDR_TEXT_MAX + 1]; /* path@node#incarnation */
    uint64_t incarnation;
    const struct spec_supervisor *spec;
    bool is_root;

    enum supervisor_mode mode;
    struct child **children; /* start order */
    size_t count;
    /* What the children lie in, max_children of them; untouched ones take no memory. A fork leaves
     * it out: copying it would cost 0.1 µs a page, half of all that a large supervisor has. */
    struct child *cribs;
    size_t crib_hint;
    struct seat *seats; /* room for one each, for strategy.c */
    struct child *by_pid, *by_name;
    size_t zombies_held;
    struct falling falling;
    struct intensity intensity;
    char final_reason[REASON_MAX];
    enum need final_need;
    /* The significant child that has ended while we boot: auto_shutdown follows when that is done,
     * as in OTP, whose supervisors hear of ends once all are started. "": none has. */
    char ended_in_boot[ADDR_PATH_MAX + 1];
    /* The root's: does one application depend on another, which of those that it needs is not
     * ready (NULL: all are), and in which order are they stopped (stop_rank; `first` and those that
     * depend on it before all others; NULL: nobody)? NULL elsewhere. */
    bool (*depends)(const struct child *child, const struct child *on);
    const char *(*missing)(const struct child *child);
    void (*rank_stops)(const struct child *first);
    void (*on_boot)(struct supervisor *supervisor); /* the first batch is done */
    void (*on_end)(struct supervisor *supervisor);  /* the last child is gone, the loop ends */

    struct table *table;
    struct pages pages;

    int control_fd; /* to the parent; -1 for the root */
    ev_io control;
    struct signals signals;
    ev_prepare advance; /* never started: fed, it runs at the turn's end, outside every callback */

    struct sp_listener *listener;
    struct hotlines hotlines; /* to sys/node: where is an actor of a service? */
    struct requests requests;
    struct activations activations; /* of a service */
    struct offers offers;           /* of one that is shared with other nodes */
    struct shards shards;           /* the same */
    struct events events;
    struct fellows fellows;
    struct links links;
    struct backplane backplane;
    struct memberships memberships;
    struct attachments attached;
    struct logpipes logpipes;
};

/* Everything a supervisor process needs before its loop runs. Children are made, none is started.
 * mailbox_fd: its bound `.supervisor`; control_fd: -1 for the root. 0, or -1 with errno. */
int supervisor_init(struct supervisor *supervisor, const struct node *node, const char *path,
                    uint64_t incarnation, const struct spec_supervisor *spec, int mailbox_fd,
                    int control_fd);
/* Starts the children in order and runs until the end; the process's exit status. */
int supervisor_run(struct supervisor *supervisor);

/* Begins the end: children stop in reverse order, then the loop ends. The first reason stands. */
void supervisor_end(struct supervisor *supervisor, enum need need, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same, because that child, a significant one, has ended; put off until the boot is over. */
void supervisor_auto_shutdown(struct supervisor *supervisor, const char *path);

struct child *supervisor_find(struct supervisor *supervisor, const char *name);
/* Adds a child that is down. Takes over own_spec. NULL with errno (EEXIST, ENOSPC …). */
struct child *supervisor_add(struct supervisor *supervisor, const struct spec *spec,
                             struct spec *own_spec);
/* Forgets a child that is down. */
void supervisor_forget(struct supervisor *supervisor, struct child *child);
/* The batch may have a next step. */
void supervisor_kick(struct supervisor *supervisor);

/* What an application needs and is not ready, or NULL. */
const char *supervisor_missing(const struct child *child);

/* Reports from children. */
void supervisor_on_ready(struct child *child);
/* The incarnation (or the try to start one) is over and nothing of it is left. */
void supervisor_on_end(struct child *child, const char *reason);
/* A stop met a child that had no process. */
void supervisor_on_down(struct child *child);

bool supervisor_is_leader(pid_t pid, void *supervisor);
/* Whose member the stray is, or NULL. */
struct child *supervisor_owner(struct supervisor *supervisor, const struct stray *stray);
uint32_t supervisor_used(struct supervisor *supervisor);

#endif
