#include "linking.h"

#include "backplane.h"
#include "control.h"
#include "supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { LINKINGS_MAX = 10000 }; /* of one party: what they wait for may be a supervisor that hangs */

struct linking {
    struct linking *prev, *next;           /* of the party's */
    struct linking *prev_owed, *next_owed; /* of those that other supervisors wait for */
    struct party *party;
    enum link_mode mode;
    struct addr addr;         /* of the other */
    struct watch *half;       /* our own: of the other's end */
    struct question question; /* to the other's supervisor: its half */
    bool asked, granted;      /* that half */
    uint64_t incarnation;     /* the other's */
    struct peer *peer;        /* whose request it was; NULL: the party's own */
    uint64_t ref;
    bool is_request;
};

static const char *const mode_texts[] = {
    [LINK_MONITOR] = "MONITOR", [LINK_NOTIFY] = "NOTIFY", [LINK_PEER] = "PEER"};

enum link_mode link_mode_of(const char *text)
{
    for (int mode = LINK_MONITOR; mode <= LINK_PEER; mode++)
        if (!strcmp(text, mode_texts[mode]))
            return (enum link_mode)mode;
    return 0;
}

/* ---- the end of it --------------------------------------------------------------------------- */

static struct backplane *plane_of(const struct linking *linking)
{
    return linking->party->plane;
}

static void destroy(struct linking *linking)
{
    question_forget(&linking->question);
    DL_DELETE(linking->party->linkings, linking);
    linking->party->linking_count--;
    if (linking->peer)
        DL_DELETE2(plane_of(linking)->owed, linking, prev_owed, next_owed);
    free(linking);
}

static void answer_made(const struct linking *linking)
{
    char text[ADDR_TEXT_MAX + 1];
    struct request request = {.peer = linking->peer, .ref = linking->ref};

    if (linking->peer) {
        party_text(linking->party, text);
        request_done(&request, text);
    } else if (!linking->is_request) {
        addr_write(linking->addr.path, linking->incarnation, text, sizeof text);
        party_answer(linking->party, "LINKED %s %s", text, mode_texts[linking->mode]);
    }
}

static void answer_failed(const struct linking *linking, const char *reason)
{
    char text[ADDR_TEXT_MAX + 1];

    if (linking->peer) {
        peer_reply_error(linking->peer, linking->ref, "%s", reason);
    } else if (!linking->is_request) {
        addr_write(linking->addr.path, linking->addr.incarnation, text, sizeof text);
        party_answer(linking->party, "DOWN 0 %s %s", text, reason);
    }
}

static void succeed(struct linking *linking)
{
    if (linking->half)
        linking->half->firm = true;
    answer_made(linking);
    destroy(linking);
}

static bool is_wanted(const struct party *party, const struct watch *half)
{
    for (const struct linking *l = party->linkings; l; l = l->next)
        if (l->half == half)
            return true;
    return false;
}

static void tell_undo(struct party *party, const struct addr *addr)
{
    char above[ADDR_PATH_MAX + 1], whom[ADDR_TEXT_MAX + 1];
    struct words words = {2, (char *[]){(char *)addr->path, whom}};

    backplane_own_text(party, addr->path, whom);
    if (addr_supervisor(addr->path, above, sizeof above) == 0)
        fellows_tell(&party->plane->supervisor->fellows, above, CONTROL_UNNOTIFY, &words);
}

/* What was made for it alone goes with it. */
static void fail(struct linking *linking, const char *reason)
{
    struct party *party = linking->party;
    struct watch *half = linking->half;

    answer_failed(linking, reason);
    if (linking->asked)
        tell_undo(party, &linking->addr);
    destroy(linking);
    if (half && !half->firm && !is_wanted(party, half))
        backplane_withdraw(party->plane, half);
}

/* ---- the other's half ------------------------------------------------------------------------ */

static void advance(struct linking *linking);

/* Both are ours: it is done in one go. */
static void link_other_here(struct linking *linking)
{
    struct backplane *plane = plane_of(linking);
    struct party *party = linking->party, *other = backplane_party(plane, linking->addr.path);
    uint64_t incarnation = other ? other->kind->incarnation(other) : 0;
    struct watch *watch;

    if (!incarnation || (linking->addr.incarnation && linking->addr.incarnation != incarnation)) {
        fail(linking, CONTROL_E_NOPROC);
        return;
    }
    watch = watches_find(&other->watcher, WATCH_LINK, party->path, 0, "");
    if (!watch) {
        watch = watches_add(&other->watcher, WATCH_LINK, party->path, 0, "");
        if (!watch || !backplane_watch_here(plane, watch, 0)) {
            if (watch)
                watch_destroy(watch);
            fail(linking, "overloaded");
            return;
        }
    }
    watch->firm = true;
    linking->granted = true;
    linking->incarnation = incarnation;
    succeed(linking);
}

static void take_grant(struct linking *linking, const struct envelope *env)
{
    struct words words = {0};
    struct addr addr = {0};
    const char *why;

    linking->granted = true;
    if (wire_unpack_words(env->payload, env->payload_size, &words) == 0 && words.count &&
        addr_parse(words.at[0], &addr, &why) == 0 && addr.incarnation)
        linking->incarnation = addr.incarnation;
    words_finish(&words);
    advance(linking);
}

static void on_answer(struct question *question, const struct envelope *env, const char *why)
{
    struct linking *linking = container_of(question, struct linking, question);
    char reason[REASON_MAX];

    if (env && env->kind == ENVELOPE_CONTROL_REPLY) {
        take_grant(linking, env);
        return;
    }
    linking->asked = false; /* there is nothing to be undone */
    if (env)
        backplane_refusal(env, reason);
    fail(linking, env ? reason : why);
}

static void link_other(struct linking *linking)
{
    struct party *party = linking->party;
    char above[ADDR_PATH_MAX + 1], other[ADDR_TEXT_MAX + 1], us[ADDR_TEXT_MAX + 1];
    struct words words = {2, (char *[]){other, us}};

    if (backplane_is_ours(party->plane, linking->addr.path)) {
        link_other_here(linking);
        return;
    }
    addr_write(linking->addr.path, linking->addr.incarnation, other, sizeof other);
    backplane_own_text(party, linking->addr.path, us);
    linking->question.on_answer = on_answer;
    if (addr_supervisor(linking->addr.path, above, sizeof above) < 0 ||
        fellows_ask(&party->plane->supervisor->fellows, above, CONTROL_NOTIFY, &words,
                    &linking->question) < 0)
        fail(linking, "noconnection");
    else
        linking->asked = true;
}

/* ---- the own half ---------------------------------------------------------------------------- */

/* The next step, when the last one is done. */
static void advance(struct linking *linking)
{
    struct watch *half = linking->half;

    if (half && !half->stands)
        return;
    if (half && linking->addr.incarnation && half->incarnation != linking->addr.incarnation) {
        fail(linking, CONTROL_E_NOPROC);
        return;
    }
    if (half)
        linking->incarnation = half->incarnation;
    if (!(linking->mode & LINK_NOTIFY) || linking->granted)
        succeed(linking);
    else if (!linking->asked)
        link_other(linking);
}

static void begin(struct linking *linking)
{
    struct party *party = linking->party;
    struct watch *half = NULL;

    if (linking->mode & LINK_MONITOR)
        half = watches_find(&party->watcher, WATCH_LINK, linking->addr.path, 0, "");
    if (half || !(linking->mode & LINK_MONITOR)) {
        linking->half = half;
        advance(linking);
        return;
    }
    half = watches_add(&party->watcher, WATCH_LINK, linking->addr.path, 0, "");
    if (!half) {
        fail(linking, "overloaded");
        return;
    }
    linking->half = half;
    backplane_seek(party, half, linking->addr.incarnation);
}

static struct linking *create(struct party *party, enum link_mode mode, const struct addr *addr)
{
    struct linking *linking;

    if (party->linking_count >= LINKINGS_MAX)
        return NULL;
    linking = calloc(1, sizeof *linking);
    if (!linking)
        return NULL;
    linking->party = party;
    linking->mode = mode;
    linking->addr = *addr;
    DL_APPEND(party->linkings, linking);
    party->linking_count++;
    return linking;
}

void linking_begin(struct party *party, enum link_mode mode, const struct addr *addr)
{
    struct linking *linking = create(party, mode, addr);

    if (linking)
        begin(linking);
    else
        party_answer(party, "DOWN 0 %s overloaded", addr->path);
}

void linking_begin_for(struct party *party, const struct addr *addr, struct peer *peer,
                       uint64_t ref)
{
    struct linking *linking = create(party, LINK_MONITOR, addr);

    if (!linking) {
        peer_reply_error(peer, ref, "overloaded");
        return;
    }
    linking->peer = peer;
    linking->ref = ref;
    linking->is_request = true;
    DL_APPEND2(party->plane->owed, linking, prev_owed, next_owed);
    begin(linking);
}

/* Of several LINKs that wait for the same half each goes its own way; none touches another. */
void linking_on_stand(struct party *party, struct watch *watch)
{
    struct linking *linking, *next;

    for (linking = party->linkings; linking; linking = next) {
        next = linking->next;
        if (linking->half == watch)
            advance(linking);
    }
}

void linking_on_over(struct party *party, struct watch *watch)
{
    struct linking *linking, *next;

    for (linking = party->linkings; linking; linking = next) {
        next = linking->next;
        if (linking->half != watch)
            continue;
        linking->half = NULL;
        fail(linking, watch->reason ? watch->reason : "unknown");
    }
}

/* ---- taking back ----------------------------------------------------------------------------- */

static void cancel(struct party *party, const char *path, enum link_mode mode)
{
    struct linking *linking, *next;

    for (linking = party->linkings; linking; linking = next) {
        next = linking->next;
        if ((linking->mode & mode) && !strcmp(linking->addr.path, path))
            fail(linking, "refused it was unlinked");
    }
}

void linking_undo_own(struct party *party, const char *path)
{
    struct watch *watch;

    cancel(party, path, LINK_MONITOR);
    watch = watches_find(&party->watcher, WATCH_LINK, path, 0, "");
    if (watch)
        backplane_withdraw(party->plane, watch);
}

void linking_undo(struct party *party, enum link_mode mode, const struct addr *addr)
{
    struct party *other = backplane_party(party->plane, addr->path);

    if (mode & LINK_MONITOR)
        linking_undo_own(party, addr->path);
    if (!(mode & LINK_NOTIFY))
        return;
    cancel(party, addr->path, LINK_NOTIFY);
    if (other)
        linking_undo_own(other, party->path);
    else if (!backplane_is_ours(party->plane, addr->path))
        tell_undo(party, addr);
}

void linking_drop_all(struct party *party)
{
    while (party->linkings) {
        if (party->linkings->peer)
            answer_failed(party->linkings, CONTROL_E_NOPROC);
        destroy(party->linkings);
    }
}

void linking_forget_peer(struct backplane *plane, const struct peer *peer)
{
    struct linking *linking, *next;

    for (linking = plane->owed; linking; linking = next) {
        next = linking->next_owed;
        if (linking->peer != peer)
            continue;
        DL_DELETE2(plane->owed, linking, prev_owed, next_owed);
        linking->peer = NULL;
    }
}
