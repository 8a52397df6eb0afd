/*
 * Contacts: the connections of an actor to other actors' mailboxes, one a path, dialled when first
 * needed and closed when nothing has used them for a while. What the other had not begun to handle when
 * a connection ended goes again on the next one; what it may have handled is told as lost, with the
 * reason of its end (PROTOCOL 1, SEMANTICS 6). From another node what its mailbox did not take comes back,
 * before the connection ends. While a connection is left for the sake of others (yield.c),
 * or its receiver is not worth one at once, what is sent is held back. Private to the runtime.
 */
#ifndef TROUPE_CONTACT_H
#define TROUPE_CONTACT_H

#include "addr.h"
#include "envelope.h"
#include "lookup.h"
#include "mono.h"
#include "peer.h"
#include "summons.h"

#include <ev.h>
#include <sys/queue.h>
#include <uthash.h>

struct call;
struct subscription;

enum {
    CONTACT_FLUSH_BYTES = 64 * 1024, /* after so many it is tried to write, not at the turn's end only */
    CONTACT_REDIAL_MS = 10,          /* after a connection that has taken nothing; then twice that … */
    CONTACT_REDIAL_MAX_MS = 1000,
    CONTACT_GIVE_UP_MS = 5000,       /* so long it is tried */
};

/* What was not used between two of these is closed; a variable for the tests. */
extern int64_t contact_sweep_ms;

TAILQ_HEAD(call_list, call);
TAILQ_HEAD(subscription_list, subscription);
LIST_HEAD(contact_list, contact);

struct contact {
    UT_hash_handle hh;
    struct troupe *self;
    char node[ADDR_PART_MAX + 1]; /* where its service has it; "": here, or it is of none */
    unsigned summoned;            /* times in a row, and nobody was reached */
    struct peer *peer;      /* NULL: not connected */
    struct call_list calls; /* in the order they were sent; not answered */
    struct lookups lookups;
    struct subscription_list subscriptions; /* that stand */
    unsigned subscribers; /* subscriptions that know this contact: with one, it is never forgotten */
    uint64_t flushed; /* the place in the stream up to which it was tried to write at once */
    bool is_used; /* since the last sweep */

    struct buf returned; /* frames that went, and that nobody took: first on the next connection */
    struct buf held; /* frames, while there is to be no connection yet; places count from its beginning */
    uint64_t begin;  /* place where the first frame behind HELLO begins */
    unsigned cuts;   /* connections, one after the other, that ended without having taken a frame */
    struct mono cut_since;
    ev_timer redial;
    struct summons *summons; /* nobody is there, and its service is asked for it; or NULL */

    /* yield.c: a connection that is left is a contact by itself, which nobody finds by its path */
    struct contact *old; /* what is being left: until all that went on it was taken, what is sent is held */
    bool is_old;
    struct contact *successor; /* of an old one: whose `old` it is; NULL when that waits no more */
    LIST_ENTRY(contact) in_leaving;
    bool must_follow;  /* following.h: it is new, and has not asked yet */
    bool is_following; /* it has: until the answer what is sent is held */
    bool has_relayed;  /* of a sys/node: messages to groups */
    unsigned visits; /* callbacks of its connection that are under way */
    char path[]; /* the key: PATH, or PATH@NODE when that is another node */
};

struct contacts {
    struct contact *all;
    struct contact_list leaving; /* old ones */
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

/* The same, if there is one already; else NULL. */
struct contact *contact_known(struct troupe *self, const char *to);

/* Sends one envelope; its `to` and `from` are set here. With an incarnation, only that one takes it. Dials
 * when needed. place, when not NULL, gets where the frame ends in the connection's stream. 0; or -1 with
 * errno of sp_send(). */
int contact_send(struct contact *contact, uint64_t incarnation, struct envelope *env, uint64_t *place);
/* The same, and `to` is written as it stands: for a group, which sys/node knows (group.c). */
int contact_send_as(struct contact *contact, const char *to, struct envelope *env);
/* What it had to follow is settled: it may begin. */
void contact_follow(struct contact *contact);
/* Dials, if there is no connection. 0, or -1 with errno. */
int contact_connect(struct contact *contact);
/* Writes what is queued now. */
void contact_flush(struct contact *contact);
/* Does what was sent go somewhere, or has everything been lost? */
bool contact_is_dialled(const struct contact *contact);
/* The address of the other, with its incarnation, as far as it is known; else "". */
const char *contact_remote(const struct contact *contact);

/* For yield.c. One that is not found by its path; NULL when memory is short. */
struct contact *contact_make(struct troupe *self, const char *path);
/* Sends whole frames, the last of which ended at place `end` of another stream, by a new connection. */
void contact_go_on(struct contact *contact, uint64_t end, const struct buf *frames);
/* The same with what is held. */
void contact_send_held(struct contact *contact);
/* What has come back stands before these frames. 0; or -1: memory is short, and it is lost. */
int contact_put_returned_first(struct contact *contact, struct buf *frames);
/* All that was sent to it has failed, these frames too. */
void contact_fail(struct contact *contact, const struct buf *frames, const char *why);

#endif
