/*
 * Who hears of whose end: the sets and counts behind links and monitors (SEMANTICS 7). Pure.
 *
 * A watch joins a watcher to one incarnation of one actor, in one way. Monitors count singly: each
 * is a number under which the watcher hears of that end, and a watch has any number of them. A link
 * is a watch that has none, and there is at most one to an actor: links are a set. When the
 * incarnation is over, its watches pass from the list of the watched to that of their watcher,
 * where they wait to be told, however long that takes: what waits needs no memory beyond what it
 * had.
 */
#ifndef TROUPE_WATCHES_H
#define TROUPE_WATCHES_H

#include "reserve.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WATCHES_MAX = 100000 }; /* monitors of one watcher, and likewise watches */

enum watch_kind {
    WATCH_LINK,    /* its abnormal end is the watcher's, too */
    WATCH_MONITOR, /* of the present incarnation, or the next */
    WATCH_ENDED,   /* of one that may be over */
};

struct watch;
struct monitor;

/* Who hears. */
struct watcher {
    struct watch *by_key;
    struct monitor *by_ref;
    size_t watches, monitors;
    struct watch *over_links, *over; /* what it has not been told yet, oldest first */
    /* Its owner's: one of its watches has just come to be over; it may be told now. */
    void (*on_over)(struct watch *watch);
    void (*tell)(struct watcher *watcher);
    struct watcher *next_touched; /* whose turn to be told has come */
    bool touched;
};

/* Whom it is about. */
struct watched {
    struct watch *watches;
};

struct watch {
    struct watcher *watcher;
    struct watched *watched; /* the list that it stands in; NULL: none of ours */
    enum watch_kind kind;
    const char *path;     /* the actor's */
    const char *whom;     /* on whose behalf the watcher asks; "" for itself */
    uint64_t asked;       /* the incarnation that it must be of, or 0 */
    uint64_t incarnation; /* that it is of; 0: not known yet */
    bool stands;          /* whoever knows of that end has promised to tell */
    bool firm;            /* a link that was told to have been made */
    struct watch **queue; /* of its watcher, once it is over */
    bool ordered;
    char *reason;         /* NULL: memory was short */
    struct monitor *list; /* oldest first */
    void *way;            /* by which it was asked of another supervisor; the asker's */
    struct watch *prev, *next;
    UT_hash_handle hh;
    char key[];
};

/* One thing to be told. */
struct notice {
    struct watch *watch;
    uint64_t ref; /* 0: a link */
};

/* A watch of that kind on the actor at path, asked for on behalf of whom ("" for itself); `asked`
 * is the incarnation it is to be of, 0 for the present one or the next. What is over is not found.
 */
struct watch *watches_find(const struct watcher *watcher, enum watch_kind kind, const char *path,
                           uint64_t asked, const char *whom);
/* A new one, which must not be there. NULL with ENOMEM, or ENOSPC: WATCHES_MAX. */
struct watch *watches_add(struct watcher *watcher, enum watch_kind kind, const char *path,
                          uint64_t asked, const char *whom);
/* Withdraws it: nothing of it will be told. */
void watch_destroy(struct watch *watch);

/* One more number to hear under. 0, or -1 with EEXIST (the watcher has that number), ENOSPC,
 * ENOMEM. */
int watches_monitor(struct watch *watch, uint64_t ref);
/* Takes a number back, told of already or not. The watch if that was its last one, for the caller
 * to withdraw; else NULL. */
struct watch *watches_demonitor(struct watcher *watcher, uint64_t ref);

/* It is known where the watched are, and of which incarnation it is. */
void watch_stand(struct watch *watch, struct watched *watched, uint64_t incarnation);
/* That incarnation is over (0: there was none): the watch waits to be told. */
void watch_end(struct watch *watch, uint64_t incarnation, const char *reason, bool ordered);
/* Who is it to be told of first? Links, then monitors, in the order of the ends. False: nothing. */
bool watches_next(const struct watcher *watcher, struct notice *notice);
/* That one was told (or need not be), and is forgotten. */
void watches_told(const struct notice *notice);

/* Its numbers. */
size_t watch_monitors(const struct watch *watch);
/* Calls for each watch that is not over; it may destroy the watch. */
void watches_each(struct watcher *watcher, void (*act)(struct watch *, void *), void *ctx);
/* Withdraws everything that is over; what is not must have been withdrawn before. */
void watcher_finish(struct watcher *watcher);

#endif
