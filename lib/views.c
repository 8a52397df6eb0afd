#include "views.h"

#include "control.h"
#include "peer.h"
#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIAL_MS = 5000, ASK_MS = 5000, WAIT_FIRST_MS = 20, WAIT_MAX_MS = 1000 };

struct view_query {
    uint64_t ref;
    bool is_answered;
    int failure; /* an errno; 0: answer is there */
    struct words answer;
};

struct view_change {
    TAILQ_ENTRY(view_change) link;
    uint64_t view;
    enum troupe_group_event event;
    const char *address; /* inside, behind the group */
    char group[];
};

/* ---- members --------------------------------------------------------------------------------- */

enum {
    KEY_MAX = 256 + ADDR_TEXT_MAX + 1 /* groups of other nodes may have longer names than ours */
};

/* GROUP, NUL, ADDRESS: returns its length, 0 when they are none. */
static size_t make_key(const char *group, const char *address, char key[KEY_MAX])
{
    size_t length = strlen(group) + 1, more = strlen(address);

    if (length + more >= KEY_MAX)
        return 0;
    memcpy(key, group, length);
    memcpy(key + length, address, more + 1);
    return length + more;
}

static int add_member(struct view_member **members, const char *group, const char *address)
{
    struct view_member *member;
    char key[KEY_MAX];
    size_t length = make_key(group, address, key);
    unsigned hash;

    HASH_VALUE(key, length, hash);
    HASH_FIND_BYHASHVALUE(hh, *members, key, length, hash, member);
    if (!member) {
        member = length ? malloc(sizeof *member + length + 1) : NULL;
        if (!member)
            return -1;
        member->count = 0;
        memcpy(member->group, key, length + 1);
        member->address = member->group + strlen(group) + 1;
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, *members, member->group, length, hash, member);
    }
    member->count++;
    return 0;
}

static struct view_member *find_member(struct view_member *members, const char *group,
                                       const char *address)
{
    struct view_member *member;
    char key[KEY_MAX];
    size_t length = make_key(group, address, key);

    HASH_FIND(hh, members, key, length, member);
    return member;
}

static void remove_member(struct view *view, const char *group, const char *address)
{
    struct view_member *member = find_member(view->members, group, address);

    if (!member || --member->count)
        return;
    /* There are members when one was found. NOLINTNEXTLINE(clang-analyzer-core.*) */
    HASH_DEL(view->members, member);
    free(member);
}

static void forget_members(struct view_member **members)
{
    struct view_member *member, *next;

    HASH_ITER (hh, *members, member, next) {
        HASH_DEL(*members, member);
        free(member);
    }
}

static void destroy(struct view *view)
{
    HASH_DEL(view->self->views.all, view);
    forget_members(&view->members);
    free(view);
}

/* ---- telling the author --------------------------------------------------------------------- */

static void drop_change(struct views *views, struct view_change *change)
{
    TAILQ_REMOVE(&views->changes, change, link);
    free(change);
}

static struct view *find(const struct views *views, uint64_t number)
{
    struct view *view;

    HASH_FIND(hh, views->all, &number, sizeof number, view);
    return view;
}

/* One at a time; the rest stays owed. A view that was given up meanwhile is not told of any more.
 */
static void tell(struct troupe *self, struct agenda_item *item)
{
    struct views *views = container_of(item, struct views, owed);
    struct view_change *change = TAILQ_FIRST(&views->changes);
    struct view *view = find(views, change->view);

    TAILQ_REMOVE(&views->changes, change, link);
    if (!TAILQ_EMPTY(&views->changes))
        agenda_post(self, &views->owed);
    if (view)
        view->on_change(self, change->event, change->group, change->address, view->data);
    free(change);
}

/* What is owed goes with views_finish(). */
static void keep(struct agenda_item *item)
{
    (void)item;
}

/* An actor that cannot be told of a change has a wrong view for ever: then it sees the connection
 * end, and all is told anew. */
static int owe(struct view *view, enum troupe_group_event event, const char *group,
               const char *address)
{
    struct views *views = &view->self->views;
    size_t length = strlen(group) + 1, more = strlen(address) + 1;
    struct view_change *change;

    if (!view->on_change)
        return 0;
    change = malloc(sizeof *change + length + more);
    if (!change)
        return -1;
    memcpy(change->group, group, length);
    memcpy(change->group + length, address, more);
    change->address = change->group + length;
    change->view = view->number;
    change->event = event;
    TAILQ_INSERT_TAIL(&views->changes, change, link);
    agenda_post(view->self, &views->owed);
    return 0;
}

/* ---- what sys/node says --------------------------------------------------------------------- */

/* GROUP MEMBER, again and again. */
static int take_changes(struct view *view, bool is_join, const struct words *words)
{
    for (size_t i = 0; i + 1 < words->count; i += 2) {
        const char *group = words->at[i], *address = words->at[i + 1];

        if (is_join && add_member(&view->members, group, address) < 0)
            return -1;
        if (!is_join)
            remove_member(view, group, address);
        if (owe(view, is_join ? TROUPE_GROUP_JOINED : TROUPE_GROUP_LEFT, group, address) < 0)
            return -1;
    }
    return 0;
}

/* What there is more often among these than among those. */
static int tell_more(struct view *view, enum troupe_group_event event, struct view_member *these,
                     struct view_member *those)
{
    int failed = 0;

    for (const struct view_member *member = these; member; member = member->hh.next) {
        const struct view_member *other = find_member(those, member->group, member->address);

        for (size_t n = other ? other->count : 0; n < member->count; n++)
            failed |= owe(view, event, member->group, member->address);
    }
    return failed;
}

/* The members of now beside those that were known: what is different has changed meanwhile. Joins
 * before leaves: a group whose only member was restarted is never empty. */
static int take_snapshot(struct view *view, const struct words *words)
{
    struct view_member *before = view->members;
    int failed = 0;

    view->members = NULL;
    for (size_t i = 0; i + 1 < words->count; i += 2)
        failed |= add_member(&view->members, words->at[i], words->at[i + 1]);
    if (!failed)
        failed = tell_more(view, TROUPE_GROUP_JOINED, view->members, before);
    if (!failed)
        failed = tell_more(view, TROUPE_GROUP_LEFT, before, view->members);
    view->is_told = true;
    view->is_denied = false;
    forget_members(&before);
    return failed;
}

static struct view *of_ref(const struct views *views, uint64_t ref)
{
    for (struct view *view = views->all; view; view = view->hh.next)
        if (view->ref == ref)
            return view;
    return NULL;
}

static void answer_query(struct view_query *query, const struct envelope *env)
{
    query->is_answered = true;
    if (env->kind != ENVELOPE_CONTROL_REPLY)
        query->failure = EACCES;
    else if (wire_unpack_words(env->payload, env->payload_size, &query->answer) < 0)
        query->failure = ENOMEM;
}

/* -1: out of step. */
static int take_for_view(struct view *view, const struct envelope *env)
{
    struct words words = {0};
    int result = wire_unpack_words(env->payload, env->payload_size, &words);

    if (result == 0 && env->kind == ENVELOPE_CONTROL_REPLY)
        result = take_snapshot(view, &words);
    else if (result == 0)
        result = take_changes(view, envelope_text_equals(env->type, EVENT_GROUP_JOIN), &words);
    words_finish(&words);
    return result;
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct troupe *self = peer_data(peer);
    struct views *views = &self->views;
    struct view *view = env->ref ? of_ref(views, env->ref) : NULL;

    if (fd >= 0)
        close(fd);
    views->wait_ms = 0;
    agenda_hold(self);
    if (views->query && views->query->ref == env->ref)
        answer_query(views->query, env);
    else if (view && env->kind == ENVELOPE_ERROR)
        view->is_told = view->is_denied = true;
    else if (view && take_for_view(view, env) < 0)
        peer_break(peer);
    agenda_let_go(self);
}

/* ---- the connection ------------------------------------------------------------------------- */

static void retry_later(struct troupe *self)
{
    struct views *views = &self->views;
    int64_t wait = views->wait_ms ? views->wait_ms : WAIT_FIRST_MS;

    if (ev_is_active(&views->retry) || !views->all)
        return;
    views->wait_ms = wait * 2 < WAIT_MAX_MS ? wait * 2 : WAIT_MAX_MS;
    ev_now_update(self->loop);
    ev_timer_set(&views->retry, (double)wait / 1000, 0.);
    ev_timer_start(self->loop, &views->retry);
}

/* A node without a sys/node is one in which nobody has ever joined anything (OTP Y08). */
static void on_close(struct peer *peer, const char *why)
{
    struct troupe *self = peer_data(peer);
    struct views *views = &self->views;
    bool is_absent = !strcmp(why, "noproc");

    views->peer = NULL;
    for (struct view *view = views->all; view; view = view->hh.next) {
        view->ref = 0;
        view->is_told |= is_absent;
    }
    if (views->query) {
        views->query->failure = is_absent ? 0 : ENOTCONN;
        views->query->is_answered = true;
    }
    retry_later(self);
}

static const struct peer_handlers handlers = {.on_envelope = on_envelope, .on_close = on_close};

static void ask_for(struct view *view)
{
    struct views *views = &view->self->views;
    struct words words = {*view->name.group ? 2 : 1,
                          (char *[]){view->name.scope, view->name.group}};

    view->ref = peer_request(views->peer, CONTROL_GROUP_WATCH, &words, -1);
    if (!view->ref)
        peer_break(views->peer);
}

static int connect_node(struct troupe *self)
{
    struct views *views = &self->views;

    if (views->peer)
        return 0;
    views->peer = peer_dial(self->loop, self->boot->run_dir, PEER_NODE, self->address,
                            mono_add_ms(mono_now(), DIAL_MS), &handlers, self);
    if (!views->peer) {
        errno = ENOTCONN;
        return -1;
    }
    ev_timer_stop(self->loop, &views->retry);
    for (struct view *view = views->all; view && views->peer; view = view->hh.next)
        ask_for(view);
    return 0;
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct views *views = container_of(timer, struct views, retry);

    (void)loop;
    (void)revents;
    if (views->all && connect_node(views->all->self) < 0)
        retry_later(views->all->self);
}

/* ---- questions ------------------------------------------------------------------------------ */

int views_ask(struct troupe *self, const char *verb, const struct words *words,
              struct words *answer)
{
    struct views *views = &self->views;
    struct view_query query = {.failure = 0};

    if (views->query || connect_node(self) < 0) {
        errno = views->query ? EBUSY : ENOTCONN;
        return -1;
    }
    query.ref = peer_request(views->peer, verb, words, -1);
    if (!query.ref)
        return -1;
    views->query = &query;
    if (!agenda_wait_for(self, &query.is_answered, ASK_MS))
        query.failure = self->ending ? EINTR : ETIMEDOUT;
    views->query = NULL;
    *answer = query.answer;
    errno = query.failure;
    return query.failure ? -1 : 0;
}

/* ---- views ---------------------------------------------------------------------------------- */

static struct view *create(struct troupe *self, const struct group_name *name,
                           troupe_on_group *on_change, void *data)
{
    struct views *views = &self->views;
    struct view *view = calloc(1, sizeof *view);

    if (!view)
        return NULL;
    view->self = self;
    view->number = ++views->last_number;
    view->name = *name;
    view->on_change = on_change;
    view->data = data;
    HASH_ADD(hh, views->all, number, sizeof view->number, view);
    if (views->peer)
        ask_for(view);
    else if (connect_node(self) < 0)
        retry_later(self);
    return view;
}

static struct view *find_silent(const struct views *views, const struct group_name *name)
{
    for (struct view *view = views->all; view; view = view->hh.next)
        if (!view->on_change && !strcmp(view->name.group, name->group) &&
            !strcmp(view->name.scope, name->scope))
            return view;
    return NULL;
}

struct view *views_look(struct troupe *self, const struct group_name *name)
{
    struct view *view = find_silent(&self->views, name);

    if (!view)
        view = create(self, name, NULL, NULL);
    if (!view)
        return NULL;
    if (!view->is_told && !agenda_wait_for(self, &view->is_told, ASK_MS)) {
        errno = self->ending ? EINTR : ENOTCONN;
        return NULL;
    }
    errno = EACCES;
    return view->is_denied ? NULL : view;
}

uint64_t troupe_watch_group(struct troupe *self, const char *group, troupe_on_group *on_change,
                            void *data)
{
    size_t length = strlen(group);
    struct group_name name = {0};
    struct view *view;
    const char *why;

    if (length && group[length - 1] == ':' && length <= sizeof name.scope &&
        addr_is_part(group, length - 1)) {
        memcpy(name.scope, group, length - 1);
    } else if (group_name_parse(group, &name, &why) < 0) {
        errno = EINVAL;
        return 0;
    }
    view = create(self, &name, on_change, data);
    return view ? view->number : 0;
}

void troupe_unwatch_group(struct troupe *self, uint64_t watch)
{
    struct views *views = &self->views;
    struct view *view = find(views, watch);
    char ref[24];
    struct words words = {1, (char *[]){ref}};

    if (!view)
        return;
    if (view->ref && views->peer) {
        snprintf(ref, sizeof ref, "%llu", (unsigned long long)view->ref);
        peer_request(views->peer, CONTROL_GROUP_UNWATCH, &words, -1);
    }
    destroy(view);
}

/* ---- life ----------------------------------------------------------------------------------- */

void views_init(struct troupe *self)
{
    struct views *views = &self->views;

    TAILQ_INIT(&views->changes);
    views->owed = (struct agenda_item){.run = tell, .drop = keep};
    ev_timer_init(&views->retry, on_retry, 0., 0.);
}

void views_finish(struct troupe *self)
{
    struct views *views = &self->views;

    agenda_withdraw(self, &views->owed);
    while (!TAILQ_EMPTY(&views->changes))
        drop_change(views, TAILQ_FIRST(&views->changes));
    while (views->all)
        destroy(views->all);
    ev_timer_stop(self->loop, &views->retry);
    peer_close(views->peer, false);
    views->peer = NULL;
}
