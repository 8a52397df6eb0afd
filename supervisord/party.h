/*
 * A party to links and monitors: a child, or a process attached to this supervisor, through all its
 * incarnations. Takes the lines of its control socket that ask for ends (PROTOCOL 4), keeps what it
 * watches and who watches it, and holds back what its socket does not take yet: orders go first,
 * then answers, then ends, which are written down only when there is room for them.
 */
#ifndef TROUPE_PARTY_H
#define TROUPE_PARTY_H

#include "addr.h"
#include "buf.h"
#include "ctl.h"
#include "memberships.h"
#include "reason.h"
#include "watches.h"
#include "wire.h"

#include <stdbool.h>
#include <stdint.h>

struct away;
struct backplane;
struct linking;
struct party;
struct seek;

/* What is different between a child and an attached process. */
struct party_kind {
    /* The incarnation that a watch begun now is of: the present one, or the next of one that is
     * being started; 0 when there is none to come. */
    uint64_t (*incarnation)(const struct party *party);
    /* Has it a process now? */
    bool (*is_alive)(const struct party *party);
    /* One datagram of whole lines. 0, or -1 with EAGAIN, and party_drain() is then called when
     * there is room; or -1 with another error: nobody listens. */
    int (*send)(struct party *party, const char *lines, size_t size);
    /* It said something about ends that makes no sense. */
    void (*complain)(struct party *party, const char *text);
    /* Ends it because somebody it is linked to has ended: reason is `cascade PATH REASON`. */
    void (*end)(struct party *party, const char *reason);
};

struct party {
    struct backplane *plane;
    const struct party_kind *kind;
    const char *path; /* its owner's */
    struct watcher watcher;
    struct watched watched;
    struct membership *memberships; /* groups that it has joined, */
    size_t membership_count;        /* how many, */
    size_t membership_total;        /* each as often as it was joined, */
    size_t wish_count;              /* that it waits for an answer about, */
    uint64_t member_incarnation;    /* and which incarnation of it */
    struct linking *linkings; /* LINKs that are not answered yet, */
    size_t linking_count;     /* and how many */
    struct away *away;        /* where links to actors of services have gone */
    bool traps;               /* ends of those it is linked to are messages to it */
    bool awaited;             /* watched before it has a process: in the backplane's list */
    struct party *next_awaited;
    struct buf orders, answers; /* whole lines */
    struct buf packed;          /* a datagram that did not fit */
    UT_hash_handle hh;
};

void party_init(struct party *party, struct backplane *plane, const struct party_kind *kind,
                const char *path);
/* It will not come again: who waits for it hears so. */
void party_finish(struct party *party);

/* An incarnation is over: what it watched is forgotten, who watched it will be told. */
void party_on_end(struct party *party, uint64_t incarnation, const char *reason, bool ordered);

/* Takes a line that is about ends; false when it is about something else. */
bool party_take_line(struct party *party, const struct ctl_line *line);

/* Says something at once, before all that waits. False when nobody listens. */
bool party_order(struct party *party, const char *lines);
/* Says something in its turn. */
void party_answer(struct party *party, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Writes what waits, as far as there is room. */
void party_drain(struct party *party);
bool party_has_waiting(const struct party *party);
/* It asks and does not read the answers: no more of it is to be read until it does. */
bool party_is_glutted(const struct party *party);
/* Its control socket is gone, and with it what waited. */
void party_hush(struct party *party);

/* It is known where the actor is that it has asked to be linked to, or to monitor; or why nobody
 * can tell. */
void party_found(struct party *party, const struct seek *seek, const char *failure);

/* One of its watches stands. */
void party_on_stand(struct party *party, struct watch *watch);

/* PATH#N, of the incarnation that a watch begun now is of. */
void party_text(const struct party *party, char out[ADDR_TEXT_MAX + 1]);

/* Whom it watches and is linked to, and who watches it, for people; who asks through another
 * supervisor is named as that one named it. */
void party_facts(const struct party *party, struct facts *facts);

#endif
