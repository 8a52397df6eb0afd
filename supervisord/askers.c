#include "askers.h"

#include "control.h"
#include "linking.h"
#include "supervisor.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct asker {
    struct peer *peer;
    struct backplane *plane;
    struct watcher watcher;
    bool is_full; /* its outbox was */
    UT_hash_handle hh;
};

/* ---- telling --------------------------------------------------------------------------------- */

static int tell_one(struct asker *asker, const struct notice *notice)
{
    const struct watch *watch = notice->watch;
    char target[ADDR_TEXT_MAX + 1];
    struct words words = {3, (char *[]){target, watch->reason ? watch->reason : "unknown",
                                        watch->ordered ? "1" : "0"}};

    addr_write(watch->path, watch->incarnation, target, sizeof target);
    return peer_event_words(asker->peer, notice->ref, EVENT_DOWN, &words);
}

static void tell(struct watcher *watcher)
{
    struct asker *asker = container_of(watcher, struct asker, watcher);
    struct notice notice;

    asker->is_full = false;
    while (watches_next(watcher, &notice)) {
        if (tell_one(asker, &notice) < 0 && (errno == EAGAIN || errno == ENOMEM)) {
            asker->is_full = true;
            backplane_retry(asker->plane);
            break;
        }
        watches_told(&notice);
    }
    peer_flush(asker->peer);
}

bool askers_tell_all(struct backplane *plane)
{
    struct asker *asker, *next;
    bool full = false;

    HASH_ITER (hh, plane->askers, asker, next) {
        if (asker->is_full)
            tell(&asker->watcher);
        full |= asker->is_full;
    }
    return full;
}

static void on_over(struct watch *watch)
{
    struct asker *asker = container_of(watch->watcher, struct asker, watcher);

    backplane_touch(asker->plane, &asker->watcher);
}

/* ---- life ------------------------------------------------------------------------------------ */

static struct asker *find(const struct backplane *plane, const struct peer *peer)
{
    struct asker *asker;

    HASH_FIND_PTR(plane->askers, &peer, asker);
    return asker;
}

static struct asker *find_or_make(struct backplane *plane, struct peer *peer)
{
    struct asker *asker = find(plane, peer);

    if (asker)
        return asker;
    asker = calloc(1, sizeof *asker);
    if (!asker)
        return NULL;
    asker->peer = peer;
    asker->plane = plane;
    asker->watcher.on_over = on_over;
    asker->watcher.tell = tell;
    HASH_ADD_PTR(plane->askers, peer, asker);
    return asker;
}

static void withdraw(struct watch *watch, void *ctx)
{
    (void)ctx;
    watch_destroy(watch);
}

static void destroy(struct asker *asker)
{
    struct backplane *plane = asker->plane;

    HASH_DEL(plane->askers, asker);
    backplane_forget_watcher(plane, &asker->watcher);
    watches_each(&asker->watcher, withdraw, NULL);
    watcher_finish(&asker->watcher);
    free(asker);
}

void askers_forget(struct backplane *plane, const struct peer *peer)
{
    struct asker *asker = find(plane, peer);

    if (asker)
        destroy(asker);
}

void askers_finish(struct backplane *plane)
{
    struct asker *asker, *next;

    HASH_ITER (hh, plane->askers, asker, next)
        destroy(asker);
}

/* ---- what is asked --------------------------------------------------------------------------- */

static bool read_kind(const char *text, enum watch_kind *kind)
{
    static const struct {
        const char *text;
        enum watch_kind kind;
    } kinds[] = {{CONTROL_WATCH_MONITOR, WATCH_MONITOR},
                 {CONTROL_WATCH_LINK, WATCH_LINK},
                 {CONTROL_WATCH_ENDED, WATCH_ENDED}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].text, text)) {
            *kind = kinds[i].kind;
            return true;
        }
    return false;
}

/* An address of somebody of ours; refuses the request when it is none. */
static bool read_ours(const struct request *request, const char *text, struct addr *addr)
{
    struct backplane *plane = &request->supervisor->backplane;
    const char *why;

    if (backplane_address(plane, text, addr, &why) == 0 && backplane_is_ours(plane, addr->path))
        return true;
    request_refuse(request, CONTROL_E_NOPROC, "%s: it is not for us to know", text);
    return false;
}

static bool read_other(const struct request *request, const char *text, struct addr *addr)
{
    const char *why;

    if (backplane_address(&request->supervisor->backplane, text, addr, &why) == 0)
        return true;
    request_refuse(request, CONTROL_E_BAD, "%s: %s", text, why);
    return false;
}

static bool has_words(const struct request *request, size_t count)
{
    if (request->words.count == count)
        return true;
    request_refuse(request, CONTROL_E_BAD, "expected %zu words", count);
    return false;
}

static void reply_target(const struct request *request, const struct watch *watch)
{
    char target[ADDR_TEXT_MAX + 1];

    addr_write(watch->path, watch->incarnation, target, sizeof target);
    request_done(request, target);
}

static void watch_for(const struct request *request, enum watch_kind kind, const struct addr *addr)
{
    struct backplane *plane = &request->supervisor->backplane;
    const char *whom = request->words.at[1];
    struct asker *asker = find_or_make(plane, request->peer);
    struct watch *watch = NULL;
    bool is_new = false;

    if (asker) {
        watch = watches_find(&asker->watcher, kind, addr->path, addr->incarnation, whom);
        is_new = !watch;
        if (is_new)
            watch = watches_add(&asker->watcher, kind, addr->path, addr->incarnation, whom);
    }
    if (!watch || watches_monitor(watch, request->ref) < 0) {
        request_refuse(request, "overloaded", "%s", addr->path);
    } else if (!is_new || backplane_watch_here(plane, watch, addr->incarnation)) {
        reply_target(request, watch);
        return;
    } else {
        request_refuse(request, CONTROL_E_NOPROC, "%s", addr->path);
    }
    if (watch && is_new)
        watch_destroy(watch);
}

void askers_watch(const struct request *request)
{
    char *const *words = request->words.at;
    struct addr watcher, target;
    enum watch_kind kind;

    if (!has_words(request, 3) || !read_other(request, words[1], &watcher) ||
        !read_ours(request, words[2], &target))
        return;
    if (!read_kind(words[0], &kind) || (kind == WATCH_ENDED && !target.incarnation))
        request_refuse(request, CONTROL_E_BAD, "%s %s", words[0], words[2]);
    else
        watch_for(request, kind, &target);
}

void askers_unwatch(const struct request *request)
{
    struct asker *asker = find(&request->supervisor->backplane, request->peer);
    struct watch *watch;
    uint64_t ref;

    if (!has_words(request, 1))
        return;
    if (asker && text_unsigned(request->words.at[0], 1, UINT64_MAX, &ref) == 0) {
        watch = watches_demonitor(&asker->watcher, ref);
        if (watch)
            watch_destroy(watch);
    }
    request_done(request, request->words.at[0]);
}

void askers_notify(const struct request *request)
{
    struct addr ours, target;
    struct party *party;
    uint64_t incarnation;

    if (!has_words(request, 2) || !read_ours(request, request->words.at[0], &ours) ||
        !read_other(request, request->words.at[1], &target))
        return;
    party = backplane_party(&request->supervisor->backplane, ours.path);
    incarnation = party ? party->kind->incarnation(party) : 0;
    if (!incarnation || (ours.incarnation && ours.incarnation != incarnation))
        request_refuse(request, CONTROL_E_NOPROC, "%s", ours.path);
    else if (!strcmp(ours.path, target.path))
        request_refuse(request, CONTROL_E_REFUSED, "an actor cannot be linked to itself");
    else
        linking_begin_for(party, &target, request->peer, request->ref);
}

void askers_unnotify(const struct request *request)
{
    struct addr ours, target;
    struct party *party;

    if (!has_words(request, 2) || !read_ours(request, request->words.at[0], &ours) ||
        !read_other(request, request->words.at[1], &target))
        return;
    party = backplane_party(&request->supervisor->backplane, ours.path);
    if (party)
        linking_undo_own(party, target.path);
    request_done(request, ours.path);
}
