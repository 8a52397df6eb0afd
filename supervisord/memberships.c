#include "memberships.h"

#include "control.h"
#include "supervisor.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum {
    MEMBERSHIPS_MAX = 10000, /* of one party, as often as it has joined */
    TOTAL_MAX = 1000000,     /* of all: sys/node takes no more of a supervisor */
    SNAPSHOT_MAX = 12 << 20, /* bytes: all of them go in one message of at most 16 MiB */
    WISHES_MAX = 5000,       /* of one party: sys/node may be long in coming */
    WORDS_COST = 64,         /* of a membership in a message, beside its texts */
    DIAL_MS = 5000,
    WAIT_FIRST_MS = 20,
    WAIT_MAX_MS = 1000,
    DENIED_MAX = 6,
};

/* What a party waits for an answer to. */
struct group_wish {
    struct group_wish *prev, *next;
    struct party *party;
    uint64_t ref; /* of the request that carries it; 0: none does at present */
    bool is_join;
    unsigned count;
    struct group_name name;
};

static struct memberships *memberships_of(const struct party *party)
{
    return &party->plane->supervisor->memberships;
}

/* ---- the table ------------------------------------------------------------------------------- */

static struct membership **find(struct party *party, const struct group_name *name)
{
    struct membership **at = &party->memberships;

    while (*at &&
           (strcmp((*at)->name.group, name->group) || strcmp((*at)->name.scope, name->scope)))
        at = &(*at)->next;
    return at;
}

/* What one takes in a snapshot, at most. */
static size_t cost(const struct party *party, const struct group_name *name)
{
    return strlen(party->path) + strlen(name->scope) + strlen(name->group) + WORDS_COST;
}

static bool has_room(const struct party *party, const struct group_name *name, bool is_new,
                     unsigned count)
{
    const struct memberships *memberships = memberships_of(party);

    return count <= MEMBERSHIPS_MAX - party->membership_total &&
           count <= TOTAL_MAX - memberships->total &&
           (!is_new || memberships->bytes + cost(party, name) <= SNAPSHOT_MAX);
}

static void set_count(struct party *party, struct membership *membership, unsigned count)
{
    memberships_of(party)->total += count - membership->count;
    party->membership_total += count - membership->count;
    membership->count = count;
}

/* NULL, or why it cannot be. */
static const char *add(struct party *party, const struct group_name *name, unsigned count)
{
    struct membership **at = find(party, name);

    if (!has_room(party, name, !*at, count))
        return "overloaded";
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at)
            return "overloaded";
        (*at)->name = *name;
        memberships_of(party)->bytes += cost(party, name);
        if (party->membership_count++ == 0)
            memberships_of(party)->parties++;
    }
    set_count(party, *at, (*at)->count + count);
    return NULL;
}

static void drop(struct party *party, struct membership **at)
{
    struct membership *gone = *at;

    set_count(party, gone, 0);
    memberships_of(party)->bytes -= cost(party, &gone->name);
    *at = gone->next;
    free(gone);
    if (--party->membership_count == 0)
        memberships_of(party)->parties--;
}

/* As OTP: leaving more often than it has joined is leaving it all. */
static const char *subtract(struct party *party, const struct group_name *name, unsigned count)
{
    struct membership **at = find(party, name);

    if (!*at)
        return "not_joined";
    if ((*at)->count > count)
        set_count(party, *at, (*at)->count - count);
    else
        drop(party, at);
    return NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void forget_wish(struct memberships *memberships, struct group_wish *wish)
{
    DL_DELETE(memberships->wishes, wish);
    wish->party->wish_count--;
    free(wish);
}

static void answer(struct memberships *memberships, struct group_wish *wish, const char *failure)
{
    const char *verb = failure ? "NOT_JOINED" : wish->is_join ? "JOINED" : "LEFT";

    party_answer(wish->party, "%s %s %s%s%s", verb, wish->name.scope, wish->name.group,
                 failure ? " " : "", failure ? failure : "");
    forget_wish(memberships, wish);
}

/* All wishes that went with that request: answers come in the order of requests, so these are the
 * oldest. What was not to be is not in the next snapshot either. */
static void answer_all(struct memberships *memberships, uint64_t ref, const char *failure)
{
    struct group_wish *wish;

    while ((wish = memberships->wishes) && wish->ref == ref) {
        if (failure && wish->is_join)
            subtract(wish->party, &wish->name, wish->count);
        answer(memberships, wish, failure);
    }
}

/* ---- the connection -------------------------------------------------------------------------- */

static bool is_needed(const struct memberships *memberships)
{
    return memberships->parties || memberships->wishes;
}

static void retry_later(struct memberships *memberships)
{
    int64_t wait = memberships->wait_ms ? memberships->wait_ms : WAIT_FIRST_MS;

    if (ev_is_active(&memberships->retry) || !is_needed(memberships))
        return;
    memberships->wait_ms = wait * 2 < WAIT_MAX_MS ? wait * 2 : WAIT_MAX_MS;
    ev_timer_set(&memberships->retry, (double)wait / 1000, 0.);
    ev_timer_start(memberships->supervisor->loop, &memberships->retry);
}

/* Whatever it is: the next try to reach sys/node shows whether it is there. */
static void on_node_answer(struct question *question, const struct envelope *env, const char *why)
{
    (void)env;
    (void)why;
    question_forget(question);
}

/* A node that was not told to speak to others starts its sys/node when somebody first needs it; asked
 * again with each try, for the first may have failed. */
static void want_node(struct memberships *memberships)
{
    struct question *question = &memberships->node;

    question->on_answer = on_node_answer;
    if (!question->fellow)
        fellows_ask(&memberships->supervisor->fellows, "", CONTROL_WANT_NODE, NULL, question);
}

static void on_close(struct peer *peer, const char *why)
{
    struct memberships *memberships = peer_data(peer);
    struct group_wish *wish;

    memberships->peer = NULL;
    DL_FOREACH(memberships->wishes, wish)
    wish->ref = 0;
    if (!strcmp(why, CONTROL_E_NOPROC))
        want_node(memberships);
    retry_later(memberships);
}

/* sys/node knows us by what our parent has written down of us, which it may be about to: asked again soon, with
 * all that is wished until then. */
static bool is_not_known_yet(struct memberships *memberships, uint64_t ref, const char *reason)
{
    return ref == memberships->snapshot && !strcmp(reason, CONTROL_E_DENIED) &&
           ++memberships->denied < DENIED_MAX;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct memberships *memberships = peer_data(peer);
    char reason[REASON_MAX];

    if (fd >= 0)
        close(fd);
    if (env->kind == ENVELOPE_CONTROL_REPLY) {
        memberships->wait_ms = memberships->denied = 0;
        answer_all(memberships, env->ref, NULL);
    } else if (env->kind == ENVELOPE_ERROR && env->ref) {
        backplane_refusal(env, reason);
        if (is_not_known_yet(memberships, env->ref, reason)) {
            peer_break(peer);
            return;
        }
        answer_all(memberships, env->ref, reason);
        if (env->ref == memberships->snapshot) /* it has nothing of ours: all that is left again */
            peer_break(peer);
    }
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static void add_triple(struct words *words, const struct membership *membership)
{
    char count[16];

    snprintf(count, sizeof count, "%u", membership->count);
    words_append(words, membership->name.scope);
    words_append(words, membership->name.group);
    words_append(words, count);
}

static uint64_t send_snapshot(struct memberships *memberships)
{
    const struct supervisor *supervisor = memberships->supervisor;
    struct words words = {0};
    uint64_t ref;

    for (struct party *party = supervisor->backplane.parties; party; party = party->hh.next) {
        char member[ADDR_TEXT_MAX + 1];

        addr_write(party->path, party->member_incarnation, member, sizeof member);
        for (const struct membership *m = party->memberships; m; m = m->next) {
            words_append(&words, member);
            add_triple(&words, m);
        }
    }
    ref = peer_request(memberships->peer, CONTROL_GROUP_SNAPSHOT, &words, -1);
    words_finish(&words);
    return ref;
}

/* All that is known goes first; whatever was wished until now is part of it. */
static void dial(struct memberships *memberships)
{
    struct supervisor *supervisor = memberships->supervisor;
    struct group_wish *wish;
    uint64_t ref;

    memberships->peer =
        peer_dial(supervisor->loop, supervisor->node->run_dir, PEER_NODE, supervisor->self,
                  mono_add_ms(mono_now(), DIAL_MS), &handlers, memberships);
    ref = memberships->peer ? send_snapshot(memberships) : 0;
    if (!ref) {
        peer_close(memberships->peer, false);
        memberships->peer = NULL;
        retry_later(memberships);
        return;
    }
    memberships->snapshot = ref;
    DL_FOREACH(memberships->wishes, wish)
    wish->ref = ref;
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct memberships *memberships = container_of(timer, struct memberships, retry);

    (void)loop;
    (void)revents;
    if (!memberships->peer && is_needed(memberships))
        dial(memberships);
}

/* Tells one change. Returns the number of the request that carries it, or 0: the next snapshot
 * will. */
static uint64_t tell(struct memberships *memberships, const char *verb, const struct words *words)
{
    uint64_t ref;

    if (!memberships->peer) {
        if (!ev_is_active(&memberships->retry))
            dial(memberships);
        return memberships->wishes ? memberships->wishes->prev->ref : 0;
    }
    ref = peer_request(memberships->peer, verb, words, -1);
    if (!ref) { /* out of step: all is told again */
        struct peer *peer = memberships->peer;

        on_close(peer, "full");
        peer_close(peer, false);
    }
    return ref;
}

/* ---- what is asked --------------------------------------------------------------------------- */

static uint64_t tell_change(struct party *party, bool is_join, const struct group_name *name,
                            unsigned count)
{
    struct membership change = {.count = count, .name = *name};
    char member[ADDR_TEXT_MAX + 1];
    struct words words = {0};
    uint64_t ref;

    addr_write(party->path, party->member_incarnation, member, sizeof member);
    words_append(&words, member);
    add_triple(&words, &change);
    ref = tell(memberships_of(party), is_join ? CONTROL_GROUP_JOIN : CONTROL_GROUP_LEAVE, &words);
    words_finish(&words);
    return ref;
}

static struct group_wish *wish_for(struct party *party, bool is_join, const struct group_name *name,
                                   unsigned count)
{
    struct memberships *memberships = memberships_of(party);
    struct group_wish *wish = party->wish_count < WISHES_MAX ? calloc(1, sizeof *wish) : NULL;

    if (!wish)
        return NULL;
    wish->party = party;
    wish->is_join = is_join;
    wish->count = count;
    wish->name = *name;
    DL_APPEND(memberships->wishes, wish);
    party->wish_count++;
    return wish;
}

static void refuse(struct party *party, const struct group_name *name, const char *why)
{
    party_answer(party, "NOT_JOINED %s %s %s", name->scope, name->group, why);
}

static void change(struct party *party, bool is_join, const struct group_name *name, unsigned count)
{
    struct group_wish *wish = wish_for(party, is_join, name, count);
    const char *failure;
    uint64_t ref;

    if (!wish) {
        refuse(party, name, "overloaded");
        return;
    }
    party->member_incarnation = party->kind->incarnation(party);
    failure = is_join ? add(party, name, count) : subtract(party, name, count);
    if (failure) {
        forget_wish(memberships_of(party), wish);
        refuse(party, name, failure);
        return;
    }
    ref = tell_change(party, is_join, name, count);
    if (ref)
        wish->ref = ref;
}

bool memberships_take_line(struct party *party, const struct ctl_line *line)
{
    char *rest = line->rest, *scope = ctl_word(&rest), *group = ctl_word(&rest);
    char *count_text = ctl_word(&rest), text[GROUP_TEXT_MAX + 1];
    struct group_name name;
    uint64_t count = 1;
    const char *why;

    if (!scope || !group ||
        snprintf(text, sizeof text, "%s:%s", scope, group) >= (int)sizeof text ||
        group_name_parse(text, &name, &why) < 0 ||
        (count_text && text_unsigned(count_text, 1, UINT32_MAX, &count) < 0))
        return false;
    change(party, line->verb == CTL_JOIN, &name, (unsigned)count);
    return true;
}

void memberships_join_all(struct party *party, char *const *groups)
{
    struct group_name name;
    const char *why;

    for (; *groups; groups++) {
        party->member_incarnation = party->kind->incarnation(party);
        if (group_name_parse(*groups, &name, &why) == 0 && !add(party, &name, 1))
            tell_change(party, true, &name, 1);
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

void memberships_end(struct party *party, uint64_t incarnation)
{
    struct memberships *memberships = memberships_of(party);
    char member[ADDR_TEXT_MAX + 1];
    struct words words = {1, (char *[]){member}};
    struct group_wish *wish, *next;

    DL_FOREACH_SAFE(memberships->wishes, wish, next)
    if (wish->party == party)
        forget_wish(memberships, wish);
    if (!party->memberships)
        return;
    while (party->memberships)
        drop(party, &party->memberships);
    addr_write(party->path, incarnation, member, sizeof member);
    if (memberships->peer)
        tell(memberships, CONTROL_GROUP_END, &words);
}

/* ---- for people ------------------------------------------------------------------------------ */

void memberships_facts(const struct party *party, struct facts *facts)
{
    struct buf text = {0};

    for (const struct membership *m = party->memberships; m; m = m->next) {
        bool is_default = !strcmp(m->name.scope, GROUP_SCOPE);

        buf_printf(&text, "%s%s%s%s", buf_length(&text) ? " " : "", is_default ? "" : m->name.scope,
                   is_default ? "" : ":", m->name.group);
        if (m->count > 1)
            buf_printf(&text, "*%u", m->count);
    }
    buf_append(&text, "", 1);
    if (party->memberships && text.data)
        facts_add(facts, 's', "groups", (const char *)buf_front(&text));
    buf_finish(&text);
}

/* ---- life ------------------------------------------------------------------------------------ */

void memberships_init(struct memberships *memberships, struct supervisor *supervisor)
{
    *memberships = (struct memberships){.supervisor = supervisor};
    ev_timer_init(&memberships->retry, on_retry, 0., 0.);
}

void memberships_finish(struct memberships *memberships)
{
    while (memberships->wishes)
        forget_wish(memberships, memberships->wishes);
    ev_timer_stop(memberships->supervisor->loop, &memberships->retry);
    question_forget(&memberships->node);
    peer_close(memberships->peer, true);
    memberships->peer = NULL;
}
