/*
 * The backplane of one supervisor (SEMANTICS 7): where each watch goes, to the list of a party of
 * our own or to the supervisor that knows the other; and who has to be told what at the end of a
 * turn of the loop, which comes before anybody is started again.
 */
#ifndef TROUPE_BACKPLANE_H
#define TROUPE_BACKPLANE_H

#include "addr.h"
#include "inquiries.h"
#include "party.h"
#include "peer.h"
#include "seeking.h"

#include <ev.h>

struct supervisor;
struct asker;

struct backplane {
    struct supervisor *supervisor;
    struct party *parties;   /* by path */
    struct party *awaited;   /* watched, and not begun yet */
    struct asker *askers;    /* other supervisors, by connection */
    struct linking *owed;    /* links that other supervisors asked us to make */
    struct inquiries inquiries;
    struct seekings seekings;
    struct watcher *touched; /* have something to be told */
    ev_prepare teller;       /* never started: fed, it runs before anything else */
    ev_timer retry;          /* connections that were full */
};

void backplane_init(struct backplane *plane, struct supervisor *supervisor);
void backplane_finish(struct backplane *plane);

struct party *backplane_party(const struct backplane *plane, const char *path);
/* Is it for us to know about that path? */
bool backplane_is_ours(const struct backplane *plane, const char *path);
/* Reads an address into addr: its path is `shop/db`, or `shop/db@west` when that is another node. 0, or
 * -1 and *why, a reason. */
int backplane_address(const struct backplane *plane, const char *text, struct addr *addr,
                      const char **why);

/* PATH#N of a party of ours, or PATH@NODE#N when the path `to` of who is told is in another node. */
void backplane_own_text(const struct party *party, const char *to, char out[ADDR_TEXT_MAX + 1]);

/* Begins a watch of a party of our own. `asked`: the incarnation that it must be of, or 0. True: it
 * stands, or its end was known already (then it is over); false: there is none (`noproc`). */
bool backplane_watch_here(struct backplane *plane, struct watch *watch, uint64_t asked);
/* Begins a party's watch, wherever the other is; on_stand or on_over of the party follow. */
void backplane_seek(struct party *party, struct watch *watch, uint64_t asked);
/* The reason that another supervisor gives for a refusal. */
void backplane_refusal(const struct envelope *env, char reason[REASON_MAX]);
/* Takes a watch back, whatever has become of it. */
void backplane_withdraw(struct backplane *plane, struct watch *watch);

/* The incarnation that is watched is over: each watch of it, too. */
void backplane_end(struct backplane *plane, struct watched *watched, uint64_t incarnation,
                   const char *reason, bool ordered);
/* Who was watched before it began, and will not begin after all: those who wait hear of it. */
void backplane_settle(struct backplane *plane);

/* A watcher has something to be told, soon. */
void backplane_touch(struct backplane *plane, struct watcher *watcher);
/* A watcher, or a party, goes away. */
void backplane_forget_watcher(struct backplane *plane, struct watcher *watcher);
void backplane_forget_party(struct backplane *plane, struct party *party);
/* A connection was full: it is tried again. */
void backplane_retry(struct backplane *plane);
/* A connection of somebody who asked us is gone. */
void backplane_forget_peer(struct backplane *plane, const struct peer *peer);

#endif
