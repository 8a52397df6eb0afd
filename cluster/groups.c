#include "groups_table.h"

#include "addr.h"
#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct groups *groups_create(const struct groups_handlers *handlers, void *data)
{
    struct groups *groups = memory_zeroed(sizeof *groups);

    groups->handlers = *handlers;
    groups->data = data;
    groups->local_max = SIZE_MAX;
    return groups;
}

static void ignore_event(void *data, uint64_t subscriber, uint64_t ref,
                         const struct groups_event *event)
{
    (void)data;
    (void)subscriber;
    (void)ref;
    (void)event;
}

static void ignore_local(void *data, const struct groups_event *event)
{
    (void)data;
    (void)event;
}

void groups_destroy(struct groups *groups)
{
    if (!groups)
        return;
    groups->handlers = (struct groups_handlers){ignore_event, ignore_local};
    while (groups->sources)
        groups_close(groups, groups->sources->id);
    while (groups->subscribers)
        groups_unsubscribe(groups, groups->subscribers->id);
    free(groups->list);
    free(groups);
}

static int fail(int code)
{
    errno = code;
    return -1;
}

/* ---- changes ----------------------------------------------------------------------------- */

/* One actor, so many times more or fewer, as one event. Keeps the membership. */
static void change(struct groups *groups, struct membership *membership, size_t count)
{
    struct group *group = membership->key.group;
    const struct actor *actor = membership->key.actor;
    bool is_join = count > membership->count;
    size_t n = is_join ? count - membership->count : membership->count - count;
    const struct groups_actor **list = table_list(groups, n);

    for (size_t i = 0; i < n; i++)
        list[i] = &actor->face;
    table_set_count(groups, membership, count);
    table_tell(groups, is_join ? GROUPS_JOIN : GROUPS_LEAVE, group, actor->source->is_local, n);
}

static void drop(struct groups *groups, struct membership *membership, size_t count)
{
    change(groups, membership, count);
    table_tidy_membership(groups, membership);
}

/* ---- sources ----------------------------------------------------------------------------- */

void groups_open(struct groups *groups, uint64_t id, const char *node, const char *root, size_t max)
{
    struct source *source = memory_zeroed(sizeof *source);

    source->id = id;
    source->is_local = !*node;
    source->node = memory_text(node);
    source->root = memory_text(root);
    source->max = max;
    HASH_ADD(hh, groups->sources, id, sizeof source->id, source);
}

void groups_bound_local(struct groups *groups, size_t max)
{
    groups->local_max = max;
}

/* Is there room for so many memberships, when the source had so many of all that there are? */
static bool has_room(const struct groups *groups, const struct source *source, size_t had, size_t n)
{
    size_t others = groups->local_count - source->memberships;

    if (n > source->max - had)
        return false;
    return !source->is_local ||
           (others + had <= groups->local_max && n <= groups->local_max - others - had);
}

/* The last membership takes the actor with it. */
static void drop_actor(struct groups *groups, struct actor *actor)
{
    struct membership *membership = actor->memberships, *after;

    for (; membership; membership = after) {
        after = membership->after;
        membership->wanted = 0;
        drop(groups, membership, 0);
    }
}

void groups_close(struct groups *groups, uint64_t id)
{
    struct source *source = table_source(groups, id);

    if (!source)
        return;
    while (source->actors)
        drop_actor(groups, source->actors);
    HASH_DELETE(hh, groups->sources, source);
    free(source->node);
    free(source->root);
    free(source);
}

/* An actor's own address: its path, perhaps with its incarnation, never another node's. */
static int check_address(const struct source *source, const char *text)
{
    struct addr address;
    const char *why;

    if (addr_parse(text, &address, &why) < 0 || *address.node ||
        !addr_is_within(address.path, source->root))
        return fail(EPERM);
    return 0;
}

static struct source *find_speaker(const struct groups *groups, uint64_t id, bool in_snapshot)
{
    struct source *source = table_source(groups, id);

    if (!source) {
        errno = ESRCH;
        return NULL;
    }
    if (in_snapshot ? !source->is_in_snapshot : !source->is_synced || source->is_in_snapshot) {
        errno = EAGAIN;
        return NULL;
    }
    return source;
}

/* ---- snapshots --------------------------------------------------------------------------- */

/* What the snapshot before had said does not count any more. */
static void forget_wanted(struct groups *groups, struct source *source)
{
    struct actor *actor = source->actors, *next_actor;

    for (; actor; actor = next_actor) {
        struct membership *at = actor->memberships, *after;

        next_actor = actor->hh.next;
        for (; at; at = after) {
            after = at->after;
            at->wanted = 0;
            table_tidy_membership(groups, at);
        }
    }
    source->staged = 0;
}

int groups_snapshot_begin(struct groups *groups, uint64_t id)
{
    struct source *source = table_source(groups, id);

    if (!source)
        return fail(ESRCH);
    forget_wanted(groups, source);
    source->is_in_snapshot = true;
    return 0;
}

int groups_snapshot_add(struct groups *groups, uint64_t id, const char *scope, const char *group,
                        const char *address, size_t count)
{
    struct source *source = find_speaker(groups, id, true);
    struct membership *membership;

    if (!source || table_check_name(scope) < 0 || table_check_name(group) < 0 ||
        check_address(source, address) < 0)
        return -1;
    if (!has_room(groups, source, source->staged, count))
        return fail(ENOSPC);
    if (!count)
        return 0;
    membership = table_make_membership(groups, table_make_group(groups, scope, group),
                                       table_make_actor(groups, source, address));
    membership->wanted += count;
    source->staged += count;
    return 0;
}

/* Joins before leaves: a group whose only member was restarted is never empty. */
static void apply(struct groups *groups, struct source *source, enum groups_kind kind)
{
    struct actor *actor = source->actors, *next_actor;

    for (; actor; actor = next_actor) {
        struct membership *at = actor->memberships, *after;

        next_actor = actor->hh.next;
        for (; at; at = after) {
            after = at->after;
            if (kind == GROUPS_JOIN && at->wanted > at->count)
                change(groups, at, at->wanted);
            else if (kind == GROUPS_LEAVE && at->wanted < at->count)
                drop(groups, at, at->wanted);
        }
    }
}

int groups_snapshot_end(struct groups *groups, uint64_t id)
{
    struct source *source = find_speaker(groups, id, true);

    if (!source)
        return -1;
    apply(groups, source, GROUPS_JOIN);
    apply(groups, source, GROUPS_LEAVE);
    forget_wanted(groups, source);
    source->is_in_snapshot = false;
    source->is_synced = true;
    return 0;
}

/* ---- joining and leaving ----------------------------------------------------------------- */

static int check_change(const struct source *source, const char *scope, const char *group,
                        const char *const *addresses, size_t n)
{
    if (table_check_name(scope) < 0 || table_check_name(group) < 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (check_address(source, addresses[i]) < 0)
            return -1;
    return 0;
}

int groups_join(struct groups *groups, uint64_t id, const char *scope, const char *name,
                const char *const *addresses, size_t n)
{
    struct source *source = find_speaker(groups, id, false);
    const struct groups_actor **list;
    struct group *group;

    if (!source || check_change(source, scope, name, addresses, n) < 0)
        return -1;
    if (!has_room(groups, source, source->memberships, n))
        return fail(ENOSPC);
    if (n == 0)
        return 0;
    list = table_list(groups, n);
    group = table_make_group(groups, scope, name);
    for (size_t i = 0; i < n; i++) {
        struct actor *actor = table_make_actor(groups, source, addresses[i]);
        struct membership *membership = table_make_membership(groups, group, actor);

        table_set_count(groups, membership, membership->count + 1);
        list[i] = &actor->face;
    }
    table_tell(groups, GROUPS_JOIN, group, source->is_local, n);
    return 0;
}

static struct membership *find_membership(const struct groups *groups, const struct source *source,
                                          struct group *group, const char *address)
{
    struct actor *actor = table_actor(source, address);

    return actor ? table_membership(groups, group, actor) : NULL;
}

/* After the event, which still speaks of all of them. */
static void tidy_left(struct groups *groups, const struct source *source, struct group *group,
                      const char *const *addresses, size_t n)
{
    group->staged++; /* it stays until this is over */
    for (size_t i = 0; i < n; i++) {
        struct membership *membership = find_membership(groups, source, group, addresses[i]);

        if (membership)
            table_tidy_membership(groups, membership);
    }
    group->staged--;
    table_tidy_group(groups, group);
}

int groups_leave(struct groups *groups, uint64_t id, const char *scope, const char *name,
                 const char *const *addresses, size_t n)
{
    struct source *source = find_speaker(groups, id, false);
    struct group *group = source ? table_group(groups, scope, name) : NULL;
    const struct groups_actor **list = table_list(groups, n);
    size_t left = 0;

    if (!source || check_change(source, scope, name, addresses, n) < 0)
        return -1;
    for (size_t i = 0; group && i < n; i++) {
        struct membership *membership = find_membership(groups, source, group, addresses[i]);

        if (!membership || !membership->count)
            continue;
        table_set_count(groups, membership, membership->count - 1);
        list[left++] = &membership->key.actor->face;
    }
    if (left == 0)
        return n ? fail(ENOENT) : 0;
    table_tell(groups, GROUPS_LEAVE, group, source->is_local, left);
    tidy_left(groups, source, group, addresses, n);
    return 0;
}

int groups_ended(struct groups *groups, uint64_t id, const char *address)
{
    struct source *source = find_speaker(groups, id, false);
    struct actor *actor = source ? table_actor(source, address) : NULL;

    if (!source)
        return -1;
    if (!actor)
        return fail(ENOENT);
    for (struct membership *at = actor->memberships, *after; at; at = after) {
        after = at->after;
        while (at->count > 1)
            change(groups, at, at->count - 1);
        drop(groups, at, 0);
    }
    return 0;
}

/* ---- who is where ------------------------------------------------------------------------ */

void groups_members(const struct groups *groups, enum groups_which which, const char *scope,
                    const char *name, groups_visit *visit, void *data)
{
    const struct group *group = table_group(groups, scope, name);

    if (group)
        table_visit_members(group, which, visit, data);
}

static void visit_names(const struct scope *scope, enum groups_which which, groups_visit *visit,
                        void *data)
{
    for (const struct group *group = scope->groups; group; group = group->hh.next) {
        size_t members = group->distinct[1] + (which == GROUPS_ALL ? group->distinct[0] : 0);

        if (members)
            visit(data, scope->name, group->name, NULL, members);
    }
}

void groups_names(const struct groups *groups, enum groups_which which, const char *scope_name,
                  groups_visit *visit, void *data)
{
    const struct scope *only = scope_name ? table_scope(groups, scope_name) : NULL;

    if (only)
        visit_names(only, which, visit, data);
    for (const struct scope *scope = groups->scopes; !scope_name && scope; scope = scope->hh.next)
        visit_names(scope, which, visit, data);
}

void groups_each(const struct groups *groups, enum groups_which which, groups_visit *visit,
                 void *data)
{
    for (const struct scope *scope = groups->scopes; scope; scope = scope->hh.next)
        for (const struct group *group = scope->groups; group; group = group->hh.next)
            table_visit_members(group, which, visit, data);
}

struct groups_counts groups_counts(const struct groups *groups)
{
    return (struct groups_counts){.sources = HASH_COUNT(groups->sources),
                                  .scopes = HASH_COUNT(groups->scopes),
                                  .groups = groups->group_count,
                                  .actors = groups->actor_count,
                                  .memberships = groups->membership_count,
                                  .monitors = HASH_COUNT(groups->monitors)};
}

size_t groups_source_count(const struct groups *groups, uint64_t id)
{
    const struct source *source = table_source(groups, id);

    return source ? source->memberships : 0;
}
