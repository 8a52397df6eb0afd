/*
 * Contacts: the connections of an actor to other actors' mailboxes, one a path, dialled when first
 * needed and closed when nothing has used them for a while. What the other had not begun to handle when
 * a connection ended goes again on the next one; what it may have handled is told as lost, with the
 * reason of its end (PROTOCOL 1, SEMANTICS 6). Private to the runtime.
 */
#ifndef TROUPE_CONTACT_H
#define TROUPE_CONTACT_H

#include "addr.h"
#include "envelope.h"
#include "lookup.h"
#include "mono.h"
#include "peer.h"

#include <ev.h>
#include <sys/queue.h>
#include <uthash.h>

struct call;
struct subscription;

enum {
    CONTACT_FLUSH_BYTES = 64 * 1024, /* after so many it is tried to write, not at the turn's end only */
};

/* What was not used between two of these is closed; a variable for the tests. */
extern int64_t contact_sweep_ms;

TAILQ_HEAD(call_list, call);
TAILQ_HEAD(subscription_list, subscription);

struct contact {
    UT_hash_handle hh;
    struct troupe *self;
    struct peer *peer;      /* NULL: not connected */
    struct call_list calls; /* in the order they were sent; not answered */
    struct lookups lookups;
    struct subscription_list subscriptions; /* that stand */
    unsigned subscribers; /* subscriptions that know this contact: with one, it is never forgotten */
    uint64_t flushed; /* the place in the stream up to which it was tried to write at once */
    bool is_used; /* since the last sweep */
    char path[]; /* the key: PATH, or PATH@NODE when that is another node */
};

struct contacts {
    struct contact *all;
    ev_timer sweep; /* runs only while there are connections */
    /* the address that was sent to last, as it was written: the next is the same, as a rule */
    struct contact *last;
    char last_to[ADDR_TEXT_MAX + 1];
    uint64_t last_incarnation;
};

void contacts_init(struct troupe *self);
/* Closes all, after what is queued was written (at most for `ms`). */
void contacts_drain(struct troupe *self, int64_t ms);
void contacts_finish(struct troupe *self);

/* Where `to` is: the contact for its path, and the incarnation that it names, or 0. NULL with errno:
 * EINVAL (no address), ENOMEM. */
struct contact *contact_of(struct troupe *self, const char *to, uint64_t *incarnation);

/* Sends one envelope; its `to` and `from` are set here. With an incarnation, only that one takes it. Dials
 * when needed. place, when not NULL, gets where the frame ends in the connection's stream. 0; or -1 with
 * errno of sp_send(). */
int contact_send(struct contact *contact, uint64_t incarnation, struct envelope *env, uint64_t *place);
/* The same, and `to` is written as it stands: for a group, which sys/node knows (group.c). */
int contact_send_as(struct contact *contact, const char *to, struct envelope *env);
/* Dials, if there is no connection. 0, or -1 with errno. */
int contact_connect(struct contact *contact);
/* Writes what is queued now. */
void contact_flush(struct contact *contact);

#endif
