#include "visitors.h"

#include "addr.h"
#include "control.h"
#include "control_right.h"
#include "group_name.h"
#include "peer.h"
#include "spokesman.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

enum {
    MEMBERSHIPS_MAX = 1000000, /* of one supervisor's children; of all of them: exchange.h */
    TOLD_MAX = 4096,           /* words of one message */
};

/* Changes of one kind that a visitor is to hear of, of one monitor: GROUP MEMBER, again and again. */
struct tidings {
    uint64_t ref;
    enum groups_kind kind;
    struct words words; /* none: nothing is owed */
};

struct visitor {
    struct visitors *visitors;
    uint64_t number; /* as a source of members, and as a subscriber to groups */
    struct peer *peer;
    unsigned rights;
    bool is_source;
    uint64_t node_ref; /* of its node-watch; 0: none */
    struct tidings tidings;
    struct visitor *before, *after; /* of those with tidings */
    struct visitor *prev, *next;
    UT_hash_handle hh;
};

static struct groups *groups_of(const struct visit *visit)
{
    return visit->visitor->visitors->groups;
}

/* ---- what is said to them ------------------------------------------------------------------------ */

/* Who does not read what it watches loses its connection, and then asks anew: nothing is left out
 * unsaid. */
static void send_event(struct visitor *visitor, uint64_t ref, const char *type,
                       const struct words *words)
{
    if (peer_event_words(visitor->peer, ref, type, words) < 0)
        peer_break(visitor->peer);
}

static void forget_tidings(struct visitor *visitor)
{
    if (visitor->tidings.words.count)
        DL_DELETE2(visitor->visitors->owed, visitor, before, after);
    words_finish(&visitor->tidings.words);
}

static void tell_tidings(struct visitor *visitor)
{
    const struct tidings *tidings = &visitor->tidings;

    if (tidings->words.count)
        send_event(visitor, tidings->ref,
                   tidings->kind == GROUPS_JOIN ? EVENT_GROUP_JOIN : EVENT_GROUP_LEAVE,
                   &tidings->words);
    forget_tidings(visitor);
}

/* Whatever else it hears comes after what has happened before. */
static struct peer *speak_to(struct visitor *visitor)
{
    tell_tidings(visitor);
    return visitor->peer;
}

/* ---- answers -------------------------------------------------------------------------------- */

void visit_reply(const struct visit *visit, const struct words *words)
{
    static const struct words none = {0};

    peer_reply_words(speak_to(visit->visitor), visit->ref, words ? words : &none, -1);
}

void visit_refuse(const struct visit *visit, const char *head, const char *text)
{
    peer_reply_error(speak_to(visit->visitor), visit->ref, "%s %s", head, text);
}

/* What groups.h says of a change. */
static void answer_change(const struct visit *visit, int result)
{
    if (result == 0)
        visit_reply(visit, NULL);
    else if (errno == ENOENT)
        visit_refuse(visit, CONTROL_E_REFUSED, "not_joined");
    else if (errno == EPERM)
        visit_refuse(visit, CONTROL_E_DENIED, "nolocal: no child of that supervisor");
    else if (errno == EINVAL)
        visit_refuse(visit, CONTROL_E_BAD, "no name of a scope or a group");
    else
        visit_refuse(visit, CONTROL_E_REFUSED, errno == ENOSPC ? "overloaded" : strerror(errno));
}

bool visit_has_words(const struct visit *visit, size_t least, size_t most, const char *expected)
{
    if (visit->count >= least && visit->count <= most)
        return true;
    visit_refuse(visit, CONTROL_E_BAD, expected);
    return false;
}

/* ---- supervisors: what their children have joined ------------------------------------------- */

/* A supervisor may tell of those below itself only, and nobody else of them. */
static bool become_source(struct visitor *visitor)
{
    const struct visitors *visitors = visitor->visitors;
    struct addr addr;

    if (visitor->is_source)
        return true;
    if (!spokesman_is(visitors->run_dir, visitors->node, peer_creds(visitor->peer),
                      peer_remote(visitor->peer), &addr))
        return false;
    groups_open(visitors->groups, visitor->number, "", addr.path, MEMBERSHIPS_MAX);
    visitor->is_source = true;
    return true;
}

static void do_snapshot(const struct visit *visit)
{
    enum { WORDS = 4 }; /* MEMBER SCOPE GROUP COUNT */
    struct groups *groups = groups_of(visit);
    uint64_t source = visit->visitor->number, count;
    int result;

    if (visit->count % WORDS) {
        visit_refuse(visit, CONTROL_E_BAD, "expected MEMBER SCOPE GROUP COUNT, again and again");
        return;
    }
    if (!become_source(visit->visitor)) {
        visit_refuse(visit, CONTROL_E_DENIED, "no supervisor of this node by that name");
        return;
    }
    result = groups_snapshot_begin(groups, source);
    for (size_t i = 0; !result && i < visit->count; i += WORDS) {
        char *const *w = visit->words + i;

        errno = EINVAL;
        result = text_unsigned(w[3], 1, UINT32_MAX, &count) < 0
                     ? -1
                     : groups_snapshot_add(groups, source, w[1], w[2], w[0], count);
    }
    if (!result)
        result = groups_snapshot_end(groups, source);
    answer_change(visit, result);
}

/* As often as it is said: a list of the same address. */
static void change(const struct visit *visit, int (*act)(struct groups *, uint64_t, const char *,
                                                         const char *, const char *const *, size_t))
{
    const char **list;
    uint64_t count;
    int result;

    if (!visit_has_words(visit, 4, 4, "expected MEMBER SCOPE GROUP COUNT"))
        return;
    if (text_unsigned(visit->words[3], 1, MEMBERSHIPS_MAX, &count) < 0) {
        visit_refuse(visit, CONTROL_E_BAD, "COUNT: expected a number from 1 to 1000000");
        return;
    }
    list = malloc(count * sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        list[i] = visit->words[0];
    errno = ENOMEM;
    result = list ? act(groups_of(visit), visit->visitor->number, visit->words[1], visit->words[2],
                        list, count)
                  : -1;
    answer_change(visit, result);
    free(list);
}

static void do_join(const struct visit *visit)
{
    change(visit, groups_join);
}

static void do_leave(const struct visit *visit)
{
    change(visit, groups_leave);
}

static void do_end(const struct visit *visit)
{
    if (visit_has_words(visit, 1, 1, "expected MEMBER"))
        answer_change(visit,
                      groups_ended(groups_of(visit), visit->visitor->number, visit->words[0]));
}

/* ---- who is where --------------------------------------------------------------------------- */

/* What is collected for an answer. */
struct listing {
    const struct visitors *visitors;
    struct words words;
    bool with_group;
};

static int add_actor(struct words *words, const struct visitors *visitors,
                     const struct groups_actor *actor)
{
    const char *node = *actor->node ? actor->node : visitors->node;
    size_t path = strcspn(actor->address, "#");
    char text[ADDR_TEXT_MAX + ADDR_PART_MAX + 2];

    if (strlen(actor->address) + 1 + strlen(node) >= sizeof text)
        return 0; /* an address has no such length */
    memcpy(text, actor->address, path);
    text[path] = '@';
    stpcpy(stpcpy(text + path + 1, node), actor->address + path);
    return words_append(words, text);
}

static void list_member(void *data, const char *scope, const char *group,
                        const struct groups_actor *actor, size_t count)
{
    struct listing *listing = data;

    (void)scope;
    while (count--) {
        if (listing->with_group)
            words_append(&listing->words, group);
        add_actor(&listing->words, listing->visitors, actor);
    }
}

static void list_group(void *data, const char *scope, const char *group,
                       const struct groups_actor *actor, size_t count)
{
    struct listing *listing = data;
    char text[24];

    (void)actor;
    snprintf(text, sizeof text, "%zu", count);
    words_append(&listing->words, scope);
    words_append(&listing->words, group);
    words_append(&listing->words, text);
}

static bool read_which(const struct visit *visit, enum groups_which *which)
{
    *which = !strcmp(visit->words[0], "local") ? GROUPS_LOCAL : GROUPS_ALL;
    if (*which == GROUPS_LOCAL || !strcmp(visit->words[0], "all"))
        return true;
    visit_refuse(visit, CONTROL_E_BAD, "WHICH: expected all or local");
    return false;
}

static void reply_listing(const struct visit *visit, struct listing *listing)
{
    visit_reply(visit, &listing->words);
    words_finish(&listing->words);
}

static void do_groups(const struct visit *visit)
{
    struct listing listing = {.visitors = visit->visitor->visitors};
    enum groups_which which;

    if (!visit_has_words(visit, 1, 2, "expected WHICH [SCOPE]") || !read_which(visit, &which))
        return;
    groups_names(groups_of(visit), which, visit->count > 1 ? visit->words[1] : NULL, list_group,
                 &listing);
    reply_listing(visit, &listing);
}

static void do_members(const struct visit *visit)
{
    struct listing listing = {.visitors = visit->visitor->visitors};
    enum groups_which which;

    if (!visit_has_words(visit, 3, 3, "expected WHICH SCOPE GROUP") || !read_which(visit, &which))
        return;
    groups_members(groups_of(visit), which, visit->words[1], visit->words[2], list_member,
                   &listing);
    reply_listing(visit, &listing);
}

static void do_group_watch(const struct visit *visit)
{
    struct listing listing = {.visitors = visit->visitor->visitors, .with_group = true};

    if (!visit_has_words(visit, 1, 2, "expected SCOPE [GROUP]"))
        return;
    if (groups_monitor(groups_of(visit), visit->visitor->number, visit->ref, visit->words[0],
                       visit->count > 1 ? visit->words[1] : NULL, list_member, &listing) < 0)
        answer_change(visit, -1);
    else
        visit_reply(visit, &listing.words);
    words_finish(&listing.words);
}

static void do_group_unwatch(const struct visit *visit)
{
    uint64_t ref;

    if (!visit_has_words(visit, 1, 1, "expected REF"))
        return;
    if (text_unsigned(visit->words[0], 1, UINT64_MAX, &ref) < 0)
        visit_refuse(visit, CONTROL_E_BAD, "REF: expected a number");
    else
        answer_change(visit, groups_demonitor(groups_of(visit), visit->visitor->number, ref));
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static void do_nodes(const struct visit *visit)
{
    const struct visitors *visitors = visit->visitor->visitors;
    struct words words = {0};

    visitors->hooks->nodes(visitors->data, &words);
    visit_reply(visit, &words);
    words_finish(&words);
}

static void do_node_watch(const struct visit *visit)
{
    const struct visitors *visitors = visit->visitor->visitors;
    struct words words = {0};

    visit->visitor->node_ref = visit->ref;
    visitors->hooks->connected(visitors->data, &words);
    visit_reply(visit, &words);
    words_finish(&words);
}

static void answer_order(const struct visit *visit, const char *failure)
{
    if (failure)
        visit_refuse(visit, CONTROL_E_REFUSED, failure);
    else
        visit_reply(visit, NULL);
}

static void do_connect(const struct visit *visit)
{
    const struct visitors *visitors = visit->visitor->visitors;

    if (visit_has_words(visit, 1, 1, "expected URL"))
        answer_order(visit, visitors->hooks->connect(visitors->data, visit->words[0]));
}

static void do_disconnect(const struct visit *visit)
{
    const struct visitors *visitors = visit->visitor->visitors;

    if (visit_has_words(visit, 1, 1, "expected NODE"))
        answer_order(visit, visitors->hooks->disconnect(visitors->data, visit->words[0]));
}

/* ---- messages to groups ----------------------------------------------------------------------- */

struct delivery {
    const struct visitor *visitor;
    const struct envelope *env;
};

/* Whom the sender has a way of its own to is left out (lib/following.h). */
static bool is_left_out(const struct delivery *delivery, const char *member)
{
    const struct envelope *env = delivery->env;
    struct addr addr;
    const char *why;
    uint64_t hash;

    if (!env->blocked_count || addr_parse(member, &addr, &why) < 0)
        return false;
    snprintf(addr.node, sizeof addr.node, "%s", delivery->visitor->visitors->node);
    hash = addr_hash(&addr);
    for (unsigned i = 0; i < env->blocked_count; i++)
        if (env->blocked[i] == hash)
            return true;
    return false;
}

static void deliver(void *data, const char *scope, const char *group, const struct groups_actor *actor,
                    size_t count)
{
    const struct delivery *delivery = data;
    const struct visitor *visitor = delivery->visitor;

    (void)scope;
    (void)group;
    (void)count; /* once, however often it has joined */
    if (is_left_out(delivery, actor->address))
        return;
    fanout_send(visitor->visitors->fanout, actor->address, peer_remote(visitor->peer), delivery->env);
}

/* A name that the switchboard vouches for: it has dialled us itself, for an actor of another node. */
static bool is_from_elsewhere(const struct visitor *visitor)
{
    return peer_creds(visitor->peer)->pid == getpid();
}

/* Who is of this node sends to its members himself: here he could call himself anything, and members
 * believe what sys/node says of a sender. */
static void refuse_cast(struct visitor *visitor, const struct envelope *env)
{
    static const char why[] = "denied a message to a group by way of sys/node, within its node";
    struct envelope error = {.kind = ENVELOPE_ERROR,
                             .type = env->type,
                             .payload = why,
                             .payload_size = sizeof why - 1};

    peer_send(speak_to(visitor), &error, -1);
}

/* `to` is SCOPE:GROUP: from an actor of another node, for all members of this one. */
static void cast_to_group(struct visitor *visitor, const struct envelope *env)
{
    struct delivery delivery = {visitor, env};
    char to[GROUP_TEXT_MAX + 1];
    struct group_name name;
    const char *why;

    if (!is_from_elsewhere(visitor))
        refuse_cast(visitor, env);
    else if (envelope_text_copy(env->to, to, sizeof to) == 0 &&
        group_name_parse(to, &name, &why) == 0)
        groups_members(visitor->visitors->groups, GROUPS_LOCAL, name.scope, name.group, deliver,
                       &delivery);
}

/* GROUP_SETTLED, the one call that there is. */
static void take_call(const struct visit *visit, const struct envelope *env)
{
    struct fanout *fanout = visit->visitor->visitors->fanout;
    char path[ADDR_PATH_MAX + 1];

    if (!envelope_text_equals(env->type, GROUP_SETTLED) || env->payload_size >= sizeof path) {
        peer_reply_error(speak_to(visit->visitor), visit->ref,
                         "unknown_message sys/node takes control requests only");
        return;
    }
    snprintf(path, sizeof path, "%.*s", (int)env->payload_size, (const char *)env->payload);
    fanout_settle(fanout, path, visit->visitor->number, visit->ref);
}

/* ---- dispatch ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*act)(const struct visit *visit);
} verbs[] = {
    {CONTROL_GROUP_SNAPSHOT, do_snapshot},
    {CONTROL_GROUP_JOIN, do_join},
    {CONTROL_GROUP_LEAVE, do_leave},
    {CONTROL_GROUP_END, do_end},
    {CONTROL_GROUPS, do_groups},
    {CONTROL_MEMBERS, do_members},
    {CONTROL_GROUP_WATCH, do_group_watch},
    {CONTROL_GROUP_UNWATCH, do_group_unwatch},
    {CONTROL_NODES, do_nodes},
    {CONTROL_NODE_WATCH, do_node_watch},
    {CONTROL_CONNECT, do_connect},
    {CONTROL_DISCONNECT, do_disconnect},
};

static bool is_for_others(const struct visit *visit, const char *name)
{
    const struct visitors *visitors = visit->visitor->visitors;

    return visitors->hooks->visit && visit->visitor->rights & control_right(name) &&
           visitors->hooks->visit(visitors->data, name, visit);
}

static void dispatch(const struct visit *visit, const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, name) != 0)
            continue;
        if (visit->visitor->rights & control_right(name))
            verbs[i].act(visit);
        else
            visit_refuse(visit, CONTROL_E_DENIED, name);
        return;
    }
    if (!is_for_others(visit, name))
        visit_refuse(visit, CONTROL_E_UNKNOWN, name);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct visit visit = {.visitor = peer_data(peer), .ref = env->ref};
    struct words words = {0};
    char name[64] = "";

    if (fd >= 0)
        close(fd);
    if (env->kind == ENVELOPE_CALL)
        take_call(&visit, env);
    if (env->kind == ENVELOPE_CAST)
        cast_to_group(visit.visitor, env);
    if (env->kind != ENVELOPE_CONTROL)
        return;
    if (envelope_text_copy(env->type, name, sizeof name) < 0 ||
        wire_unpack_words(env->payload, env->payload_size, &words) < 0) {
        visit_refuse(&visit, CONTROL_E_BAD, "the payload is no list of words");
        return;
    }
    visit.words = words.at;
    visit.count = words.count;
    dispatch(&visit, name);
    words_finish(&words);
}

/* ---- events --------------------------------------------------------------------------------- */

static struct visitor *find(const struct visitors *visitors, uint64_t number)
{
    struct visitor *visitor;

    HASH_FIND(hh, visitors->all, &number, sizeof number, visitor);
    return visitor;
}

static int add_tiding(struct visitor *visitor, const char *group, const struct groups_actor *actor)
{
    struct words *words = &visitor->tidings.words;
    bool is_first = words->count == 0;

    if (words_append(words, group) < 0)
        return -1;
    if (is_first)
        DL_APPEND2(visitor->visitors->owed, visitor, before, after);
    return add_actor(words, visitor->visitors, actor);
}

void visitors_on_group(struct visitors *visitors, uint64_t subscriber, uint64_t ref,
                       const struct groups_event *event)
{
    struct visitor *visitor = find(visitors, subscriber);

    for (size_t i = 0; visitor && i < event->count; i++) {
        struct tidings *tidings = &visitor->tidings;

        if (tidings->ref != ref || tidings->kind != event->kind || tidings->words.count >= TOLD_MAX)
            tell_tidings(visitor);
        tidings->ref = ref;
        tidings->kind = event->kind;
        if (add_tiding(visitor, event->group, event->actors[i]) < 0)
            peer_break(visitor->peer);
    }
}

void visitors_catch_up(struct visitors *visitors)
{
    while (visitors->owed)
        tell_tidings(visitors->owed);
}

void visitors_on_node(struct visitors *visitors, const char *node, const char *reason)
{
    struct words words = {reason ? 2 : 1, (char *[]){(char *)node, (char *)reason}};

    for (struct visitor *visitor = visitors->all; visitor; visitor = visitor->hh.next)
        if (visitor->node_ref) {
            tell_tidings(visitor);
            send_event(visitor, visitor->node_ref, reason ? EVENT_NODE_DOWN : EVENT_NODE_UP,
                       &words);
        }
}

void visitors_on_settled(struct visitors *visitors, uint64_t number, uint64_t ref)
{
    struct visitor *visitor = find(visitors, number);
    const struct envelope answer = {.kind = ENVELOPE_REPLY, .ref = ref};

    if (visitor)
        peer_send(speak_to(visitor), &answer, -1);
}

/* ---- for others ------------------------------------------------------------------------------ */

uint64_t visit_number(const struct visit *visit)
{
    return visit->visitor->number;
}

void visitors_reply(const struct visitors *visitors, uint64_t number, uint64_t ref,
                    const struct words *words)
{
    struct visit visit = {.visitor = find(visitors, number), .ref = ref};

    if (visit.visitor)
        visit_reply(&visit, words);
}

void visitors_refuse(const struct visitors *visitors, uint64_t number, uint64_t ref,
                     const char *text)
{
    struct visitor *visitor = find(visitors, number);

    if (visitor)
        peer_reply_error(speak_to(visitor), ref, "%s", text);
}

void visitors_event(const struct visitors *visitors, uint64_t number, uint64_t ref, const char *type,
                    const struct words *words)
{
    struct visitor *visitor = find(visitors, number);

    if (!visitor)
        return;
    tell_tidings(visitor);
    send_event(visitor, ref, type, words);
}

/* ---- life ----------------------------------------------------------------------------------- */

static void forget(struct visitor *visitor)
{
    struct visitors *visitors = visitor->visitors;

    if (visitors->hooks->gone)
        visitors->hooks->gone(visitors->data, visitor->number);
    HASH_DEL(visitors->all, visitor);
    forget_tidings(visitor);
    groups_unsubscribe(visitors->groups, visitor->number);
    groups_close(visitors->groups, visitor->number);
    free(visitor);
}

static void on_close(struct peer *peer, const char *why)
{
    (void)why;
    forget(peer_data(peer));
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

void visitors_receive(struct visitors *visitors, struct sp_conn *conn, const uint8_t *hello,
                      size_t size)
{
    const struct ucred *creds = sp_conn_creds(conn);
    struct visitor *visitor = calloc(1, sizeof *visitor);

    if (!visitor) {
        sp_conn_close(conn, false);
        return;
    }
    visitor->visitors = visitors;
    visitor->number = ++visitors->last_number;
    visitor->rights = rights_of(&visitors->rights, creds->uid, creds->gid);
    HASH_ADD(hh, visitors->all, number, sizeof visitor->number, visitor);
    visitor->peer = peer_adopt(conn, visitors->self, hello, size, &handlers, visitor);
    if (!visitor->peer) {
        sp_conn_close(conn, false);
        forget(visitor);
    }
}

void visitors_finish(struct visitors *visitors)
{
    while (visitors->all) {
        struct visitor *visitor = visitors->all;

        peer_close(visitor->peer, true);
        forget(visitor);
    }
}
