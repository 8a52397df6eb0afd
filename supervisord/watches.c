#include "watches.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct monitor {
    uint64_t ref;
    struct watch *watch;
    struct monitor *prev, *next;
    UT_hash_handle hh;
};

static const char kind_letters[] = {[WATCH_LINK] = 'l', [WATCH_MONITOR] = 'm', [WATCH_ENDED] = 'e'};

enum { KEY_MAX = 1536 }; /* two addresses, with room to spare */

/* "m PATH\0 3 WHOM": path and whom are read where they lie in it. */
static int write_key(char key[KEY_MAX], enum watch_kind kind, const char *path, uint64_t asked,
                     const char *whom)
{
    int length = snprintf(key, KEY_MAX, "%c%s%c%llu %s", kind_letters[kind], path, 0,
                          (unsigned long long)asked, whom);

    return length < KEY_MAX ? length : -1;
}

struct watch *watches_find(const struct watcher *watcher, enum watch_kind kind, const char *path,
                           uint64_t asked, const char *whom)
{
    char key[KEY_MAX];
    int length = write_key(key, kind, path, asked, whom);
    struct watch *watch = NULL;

    if (length >= 0)
        HASH_FIND(hh, watcher->by_key, key, (unsigned)length, watch);
    return watch;
}

struct watch *watches_add(struct watcher *watcher, enum watch_kind kind, const char *path,
                          uint64_t asked, const char *whom)
{
    char key[KEY_MAX];
    int length = write_key(key, kind, path, asked, whom);
    struct watch *watch;

    errno = ENOSPC;
    if (length < 0 || watcher->watches >= WATCHES_MAX)
        return NULL;
    watch = calloc(1, sizeof *watch + (size_t)length + 1);
    if (!watch)
        return NULL;
    memcpy(watch->key, key, (size_t)length + 1);
    watch->watcher = watcher;
    watch->kind = kind;
    watch->asked = asked;
    watch->path = watch->key + 1;
    watch->whom = watch->key + length - strlen(whom);
    HASH_ADD_KEYPTR(hh, watcher->by_key, watch->key, (unsigned)length, watch);
    watcher->watches++;
    return watch;
}

/* ---- monitors -------------------------------------------------------------------------------- */

int watches_monitor(struct watch *watch, uint64_t ref)
{
    struct watcher *watcher = watch->watcher;
    struct monitor *monitor;

    HASH_FIND(hh, watcher->by_ref, &ref, sizeof ref, monitor);
    errno = monitor ? EEXIST : ENOSPC;
    if (monitor || watcher->monitors >= WATCHES_MAX)
        return -1;
    monitor = malloc(sizeof *monitor);
    if (!monitor)
        return -1;
    monitor->ref = ref;
    monitor->watch = watch;
    DL_APPEND(watch->list, monitor);
    HASH_ADD(hh, watcher->by_ref, ref, sizeof monitor->ref, monitor);
    watcher->monitors++;
    return 0;
}

static void remove_monitor(struct monitor *monitor)
{
    struct watch *watch = monitor->watch;

    DL_DELETE(watch->list, monitor);
    HASH_DELETE(hh, watch->watcher->by_ref, monitor);
    watch->watcher->monitors--;
    free(monitor);
}

struct watch *watches_demonitor(struct watcher *watcher, uint64_t ref)
{
    struct monitor *monitor;
    struct watch *watch;

    HASH_FIND(hh, watcher->by_ref, &ref, sizeof ref, monitor);
    if (!monitor)
        return NULL;
    watch = monitor->watch;
    remove_monitor(monitor);
    return watch->list ? NULL : watch;
}

size_t watch_monitors(const struct watch *watch)
{
    const struct monitor *monitor;
    size_t n = 0;

    DL_COUNT(watch->list, monitor, n);
    return n;
}

/* ---- the life of a watch --------------------------------------------------------------------- */

void watch_stand(struct watch *watch, struct watched *watched, uint64_t incarnation)
{
    watch->stands = true;
    watch->incarnation = incarnation;
    watch->watched = watched;
    if (watched)
        DL_APPEND(watched->watches, watch);
}

static void leave_watched(struct watch *watch)
{
    if (watch->watched)
        DL_DELETE(watch->watched->watches, watch);
    watch->watched = NULL;
}

void watch_end(struct watch *watch, uint64_t incarnation, const char *reason, bool ordered)
{
    struct watcher *watcher = watch->watcher;

    leave_watched(watch);
    HASH_DELETE(hh, watcher->by_key, watch);
    watch->queue = watch->list ? &watcher->over : &watcher->over_links;
    watch->stands = false;
    watch->ordered = ordered;
    watch->incarnation = incarnation;
    watch->reason = strdup(reason);
    DL_APPEND(*watch->queue, watch);
}

void watch_destroy(struct watch *watch)
{
    if (watch->queue) {
        DL_DELETE(*watch->queue, watch);
    } else {
        HASH_DELETE(hh, watch->watcher->by_key, watch);
        leave_watched(watch);
    }
    while (watch->list)
        remove_monitor(watch->list);
    watch->watcher->watches--;
    free(watch->reason);
    free(watch);
}

/* ---- telling --------------------------------------------------------------------------------- */

bool watches_next(const struct watcher *watcher, struct notice *notice)
{
    struct watch *watch = watcher->over_links ? watcher->over_links : watcher->over;

    if (!watch)
        return false;
    *notice = (struct notice){watch, watch->list ? watch->list->ref : 0};
    return true;
}

void watches_told(const struct notice *notice)
{
    struct watch *watch = notice->watch;

    if (watch->list && watch->list->next)
        remove_monitor(watch->list);
    else
        watch_destroy(watch);
}

void watches_each(struct watcher *watcher, void (*act)(struct watch *, void *), void *ctx)
{
    struct watch *watch, *next;

    HASH_ITER (hh, watcher->by_key, watch, next)
        act(watch, ctx);
}

void watcher_finish(struct watcher *watcher)
{
    while (watcher->over_links)
        watch_destroy(watcher->over_links);
    while (watcher->over)
        watch_destroy(watcher->over);
}
