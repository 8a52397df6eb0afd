#include "backplane.h"

#include "askers.h"
#include "attached.h"
#include "control.h"
#include "linking.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 10 };

/* By which a watch was asked of another supervisor. */
struct way {
    struct question question;
    struct watch *watch;
};

/* ---- telling --------------------------------------------------------------------------------- */

void backplane_touch(struct backplane *plane, struct watcher *watcher)
{
    if (watcher->touched)
        return;
    watcher->touched = true;
    watcher->next_touched = plane->touched;
    plane->touched = watcher;
    ev_feed_event(plane->supervisor->loop, &plane->teller, EV_CUSTOM);
}

static void untouch(struct backplane *plane, struct watcher *watcher)
{
    struct watcher **at = &plane->touched;

    if (!watcher->touched)
        return;
    while (*at != watcher)
        at = &(*at)->next_touched;
    *at = watcher->next_touched;
    watcher->touched = false;
}

static void on_tell(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
    struct backplane *plane = container_of(prepare, struct backplane, teller);

    (void)loop;
    (void)revents;
    while (plane->touched) {
        struct watcher *watcher = plane->touched;

        untouch(plane, watcher);
        watcher->tell(watcher);
    }
}

void backplane_retry(struct backplane *plane)
{
    if (ev_is_active(&plane->retry))
        return;
    ev_timer_set(&plane->retry, RETRY_MS / 1000., 0.);
    ev_timer_start(plane->supervisor->loop, &plane->retry);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct backplane *plane = container_of(timer, struct backplane, retry);
    bool full;

    (void)loop;
    (void)revents;
    full = askers_tell_all(plane);
    full |= attached_tell_all(&plane->supervisor->attached);
    if (full)
        backplane_retry(plane);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void end_watch(struct watch *watch, uint64_t incarnation, const char *reason, bool ordered)
{
    watch_end(watch, incarnation, reason, ordered);
    watch->watcher->on_over(watch);
}

void backplane_end(struct backplane *plane, struct watched *watched, uint64_t incarnation,
                   const char *reason, bool ordered)
{
    (void)plane;
    while (watched->watches)
        end_watch(watched->watches, incarnation, reason, ordered);
}

static void await(struct backplane *plane, struct party *party)
{
    if (party->awaited || party->kind->is_alive(party))
        return;
    party->awaited = true;
    party->next_awaited = plane->awaited;
    plane->awaited = party;
}

void backplane_settle(struct backplane *plane)
{
    struct party **at = &plane->awaited;

    while (*at) {
        struct party *party = *at;
        uint64_t next = party->kind->incarnation(party);

        if (next && !party->kind->is_alive(party)) {
            at = &party->next_awaited;
            continue;
        }
        *at = party->next_awaited;
        party->awaited = false;
        if (!next)
            backplane_end(plane, &party->watched, 0, CONTROL_E_NOPROC, true);
    }
}

/* ---- where a watch goes: here ---------------------------------------------------------------- */

struct party *backplane_party(const struct backplane *plane, const char *path)
{
    struct party *party;

    HASH_FIND_STR(plane->parties, path, party);
    return party;
}

bool backplane_is_ours(const struct backplane *plane, const char *path)
{
    char above[ADDR_PATH_MAX + 1];

    return addr_supervisor(path, above, sizeof above) == 0 &&
           !strcmp(above, plane->supervisor->path) && shards_have(plane->supervisor, path);
}

int backplane_address(const struct backplane *plane, const char *text, struct addr *addr,
                      const char **why)
{
    char path[ADDR_TEXT_MAX + 1];

    if (addr_parse(text, addr, why) < 0) {
        *why = "refused that is no address";
    } else if (!*addr->path) {
        *why = "refused the root ends with everything";
    } else if (!*addr->node || !strcmp(addr->node, plane->supervisor->node->name)) {
        return 0;
    } else if (snprintf(path, sizeof path, "%s@%s", addr->path, addr->node) > ADDR_PATH_MAX) {
        *why = "refused too long an address";
    } else {
        strcpy(addr->path, path);
        return 0;
    }
    return -1;
}

void backplane_own_text(const struct party *party, const char *to, char out[ADDR_TEXT_MAX + 1])
{
    struct addr addr = {.incarnation = party->kind->incarnation(party)};

    snprintf(addr.path, sizeof addr.path, "%s", party->path);
    if (*addr_node_part(to))
        snprintf(addr.node, sizeof addr.node, "%s", party->plane->supervisor->node->name);
    addr_format(&addr, out, ADDR_TEXT_MAX + 1);
}

/* How that incarnation ended, as far as it is remembered. */
static const struct table_end *recorded(const struct backplane *plane, const char *path,
                                        uint64_t incarnation)
{
    struct table *table = plane->supervisor->table;
    const char *name = addr_child_name(path);
    const struct table_slot *slot = table_find(table, name);
    const struct table_gone *gone = table_gone(table, name);
    const struct table_end *end;

    for (unsigned i = 0; slot && (end = table_end(slot, i)); i++)
        if (end->incarnation == incarnation)
            return end;
    return gone && gone->end.incarnation == incarnation ? &gone->end : NULL;
}

bool backplane_watch_here(struct backplane *plane, struct watch *watch, uint64_t asked)
{
    struct party *party = backplane_party(plane, watch->path);
    uint64_t incarnation = party ? party->kind->incarnation(party) : 0;
    const struct table_end *end;

    if (incarnation && (!asked || asked == incarnation)) {
        watch_stand(watch, &party->watched, incarnation);
        await(plane, party);
        return true;
    }
    end = watch->kind == WATCH_ENDED ? recorded(plane, watch->path, asked) : NULL;
    if (!end)
        return false;
    end_watch(watch, asked, end->reason, false);
    return true;
}

/* ---- or to another supervisor ---------------------------------------------------------------- */

static void lose_way(struct backplane *plane, struct watch *watch, bool say)
{
    struct way *way = watch->way;
    char above[ADDR_PATH_MAX + 1], ref[24];
    struct words words = {1, (char *[]){ref}};

    watch->way = NULL;
    if (!way)
        return;
    if (say && way->question.fellow && addr_supervisor(watch->path, above, sizeof above) == 0) {
        snprintf(ref, sizeof ref, "%llu", (unsigned long long)way->question.ref);
        fellows_tell(&plane->supervisor->fellows, above, CONTROL_UNWATCH, &words);
    }
    question_forget(&way->question);
    free(way);
}

static struct party *party_of(const struct watch *watch)
{
    return container_of(watch->watcher, struct party, watcher);
}

/* "shop/db#7": whatever else it says, the number is what we want of it. */
static uint64_t incarnation_in(const struct words *words)
{
    struct addr addr;
    const char *why;

    return words->count && addr_parse(words->at[0], &addr, &why) == 0 ? addr.incarnation : 0;
}

static void take_stand(struct watch *watch, const struct words *words)
{
    watch_stand(watch, NULL, incarnation_in(words));
    party_on_stand(party_of(watch), watch);
}

static void take_down(struct watch *watch, const struct words *words)
{
    struct backplane *plane = party_of(watch)->plane;
    char reason[REASON_MAX];

    if (words->count < 3)
        return;
    reason_copy(words->at[1], "unknown", reason);
    lose_way(plane, watch, false);
    end_watch(watch, incarnation_in(words), reason, !strcmp(words->at[2], "1"));
}

void backplane_refusal(const struct envelope *env, char reason[REASON_MAX])
{
    char text[REASON_MAX];
    size_t size = env->payload_size < sizeof text - 1 ? env->payload_size : sizeof text - 1;

    memcpy(text, env->payload, size);
    text[size] = '\0';
    if (strncmp(text, CONTROL_E_REFUSED " ", sizeof CONTROL_E_REFUSED))
        text[strcspn(text, " ")] = '\0'; /* the word says it all: `noproc`, `denied` */
    reason_copy(text, CONTROL_E_REFUSED, reason);
}

static void take_refusal(struct watch *watch, const struct envelope *env)
{
    char reason[REASON_MAX];

    backplane_refusal(env, reason);
    lose_way(party_of(watch)->plane, watch, false);
    end_watch(watch, watch->asked, reason, true);
}

static void on_answer(struct question *question, const struct envelope *env, const char *why)
{
    struct watch *watch = container_of(question, struct way, question)->watch;
    struct words words = {0};

    if (!env) {
        lose_way(party_of(watch)->plane, watch, false);
        end_watch(watch, watch->incarnation ? watch->incarnation : watch->asked, why,
                  !strcmp(why, CONTROL_E_NOPROC));
    } else if (env->kind == ENVELOPE_ERROR) {
        take_refusal(watch, env);
    } else if (wire_unpack_words(env->payload, env->payload_size, &words) == 0) {
        if (env->kind == ENVELOPE_CONTROL_REPLY)
            take_stand(watch, &words);
        else if (envelope_text_equals(env->type, EVENT_DOWN))
            take_down(watch, &words);
        words_finish(&words);
    }
}

static const char *kind_text(enum watch_kind kind)
{
    static const char *const texts[] = {[WATCH_LINK] = CONTROL_WATCH_LINK,
                                        [WATCH_MONITOR] = CONTROL_WATCH_MONITOR,
                                        [WATCH_ENDED] = CONTROL_WATCH_ENDED};

    return texts[kind];
}

static int ask_elsewhere(struct party *party, struct watch *watch, uint64_t asked)
{
    char above[ADDR_PATH_MAX + 1], whom[ADDR_TEXT_MAX + 1], target[ADDR_TEXT_MAX + 1];
    struct words words = {3, (char *[]){(char *)kind_text(watch->kind), whom, target}};
    struct way *way = calloc(1, sizeof *way);

    if (!way)
        return -1;
    backplane_own_text(party, watch->path, whom);
    addr_write(watch->path, asked, target, sizeof target);
    way->watch = watch;
    way->question.on_answer = on_answer;
    if (addr_supervisor(watch->path, above, sizeof above) < 0 ||
        fellows_ask(&party->plane->supervisor->fellows, above, CONTROL_WATCH, &words,
                    &way->question) < 0) {
        free(way);
        return -1;
    }
    watch->way = way;
    return 0;
}

void backplane_seek(struct party *party, struct watch *watch, uint64_t asked)
{
    struct backplane *plane = party->plane;

    if (!backplane_is_ours(plane, watch->path)) {
        if ((watch->kind == WATCH_ENDED ? inquiries_join(party, watch)
                                        : ask_elsewhere(party, watch, asked)) < 0)
            end_watch(watch, watch->asked, "noconnection", true);
    } else if (!backplane_watch_here(plane, watch, asked)) {
        end_watch(watch, asked, CONTROL_E_NOPROC, true);
    } else if (watch->stands) {
        party_on_stand(party, watch);
    }
}

void backplane_withdraw(struct backplane *plane, struct watch *watch)
{
    lose_way(plane, watch, true);
    if (watch->kind == WATCH_ENDED)
        inquiries_leave(plane, watch);
    else
        watch_destroy(watch);
}

/* ---- life ------------------------------------------------------------------------------------ */

void backplane_forget_peer(struct backplane *plane, const struct peer *peer)
{
    linking_forget_peer(plane, peer);
    askers_forget(plane, peer);
}

void backplane_forget_watcher(struct backplane *plane, struct watcher *watcher)
{
    untouch(plane, watcher);
}

void backplane_forget_party(struct backplane *plane, struct party *party)
{
    struct party **at = &plane->awaited;

    backplane_end(plane, &party->watched, 0, CONTROL_E_NOPROC, true);
    while (*at && *at != party)
        at = &(*at)->next_awaited;
    if (*at)
        *at = party->next_awaited;
    untouch(plane, &party->watcher);
    HASH_DEL(plane->parties, party);
}

void backplane_init(struct backplane *plane, struct supervisor *supervisor)
{
    *plane = (struct backplane){.supervisor = supervisor};
    ev_init(&plane->teller, on_tell);
    ev_set_priority(&plane->teller, EV_MAXPRI);
    ev_timer_init(&plane->retry, on_retry, 0., 0.);
}

void backplane_finish(struct backplane *plane)
{
    ev_timer_stop(plane->supervisor->loop, &plane->retry);
    askers_finish(plane);
    inquiries_finish(plane);
    HASH_CLEAR(hh, plane->parties);
}
