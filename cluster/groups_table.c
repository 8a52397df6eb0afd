#include "groups_table.h"

#include "memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int table_check_name(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > GROUPS_NAME_MAX)
        goto fail;
    for (; *name; name++)
        if ((unsigned char)*name <= ' ' || *name == 127)
            goto fail;
    return 0;
fail:
    errno = EINVAL;
    return -1;
}

/* ---- finding and making ------------------------------------------------------------------ */

struct scope *table_scope(const struct groups *groups, const char *name)
{
    struct scope *scope;

    HASH_FIND_STR(groups->scopes, name, scope);
    return scope;
}

struct scope *table_make_scope(struct groups *groups, const char *name)
{
    struct scope *scope = table_scope(groups, name);
    size_t length = strlen(name);

    if (scope)
        return scope;
    scope = memory_zeroed(sizeof *scope + length + 1);
    memcpy(scope->name, name, length);
    HASH_ADD_KEYPTR(hh, groups->scopes, scope->name, length, scope);
    return scope;
}

static struct group *find_group(const struct scope *scope, const char *name)
{
    struct group *group;

    HASH_FIND_STR(scope->groups, name, group);
    return group;
}

struct group *table_group(const struct groups *groups, const char *scope_name, const char *name)
{
    const struct scope *scope = table_scope(groups, scope_name);

    return scope ? find_group(scope, name) : NULL;
}

struct group *table_make_group(struct groups *groups, const char *scope_name, const char *name)
{
    struct scope *scope = table_make_scope(groups, scope_name);
    size_t length = strlen(name);
    struct group *group;
    unsigned hash;

    HASH_VALUE(name, length, hash);
    HASH_FIND_BYHASHVALUE(hh, scope->groups, name, length, hash, group);
    if (group)
        return group;
    group = memory_zeroed(sizeof *group + length + 1);
    memcpy(group->name, name, length);
    group->scope = scope;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, scope->groups, group->name, length, hash, group);
    groups->group_count++;
    return group;
}

struct source *table_source(const struct groups *groups, uint64_t id)
{
    struct source *source;

    HASH_FIND(hh, groups->sources, &id, sizeof id, source);
    return source;
}

struct actor *table_actor(const struct source *source, const char *address)
{
    struct actor *actor;

    HASH_FIND_STR(source->actors, address, actor);
    return actor;
}

struct actor *table_make_actor(struct groups *groups, struct source *source, const char *address)
{
    struct actor *actor = table_actor(source, address);
    size_t length = strlen(address);

    if (actor)
        return actor;
    actor = memory_zeroed(sizeof *actor + length + 1);
    memcpy(actor->address, address, length);
    actor->face = (struct groups_actor){actor->address, source->node};
    actor->source = source;
    HASH_ADD_KEYPTR(hh, source->actors, actor->address, length, actor);
    groups->actor_count++;
    return actor;
}

struct membership *table_membership(const struct groups *groups, struct group *group,
                                    struct actor *actor)
{
    const struct membership_key key = {group, actor};
    struct membership *membership;

    /* The analyzer does not see that a key has no holes. NOLINTNEXTLINE(clang-analyzer-core.*) */
    HASH_FIND(hh, groups->memberships, &key, sizeof key, membership);
    return membership;
}

struct membership *table_make_membership(struct groups *groups, struct group *group,
                                         struct actor *actor)
{
    const struct membership_key key = {group, actor};
    struct membership *membership;
    unsigned hash;

    /* As above. NOLINTNEXTLINE(clang-analyzer-core.*) */
    HASH_VALUE(&key, sizeof key, hash);
    HASH_FIND_BYHASHVALUE(hh, groups->memberships, &key, sizeof key, hash, membership);
    if (membership)
        return membership;
    membership = memory_zeroed(sizeof *membership);
    membership->key = key;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, groups->memberships, &membership->key, sizeof key, hash,
                                membership);
    DL_APPEND2(actor->memberships, membership, before, after);
    group->staged++;
    return membership;
}

void table_set_count(struct groups *groups, struct membership *membership, size_t count)
{
    struct group *group = membership->key.group;
    struct source *source = membership->key.actor->source;
    bool is_local = source->is_local;

    if (count && !membership->count) {
        DL_APPEND(group->members[is_local], membership);
        group->distinct[is_local]++;
        group->staged--;
    } else if (!count && membership->count) {
        DL_DELETE(group->members[is_local], membership);
        group->distinct[is_local]--;
        group->staged++;
    }
    source->memberships += count - membership->count;
    groups->membership_count += count - membership->count;
    if (is_local)
        groups->local_count += count - membership->count;
    membership->count = count;
}

static void visit_list(const struct group *group, const struct membership *at, groups_visit *visit,
                       void *data)
{
    for (; at; at = at->next)
        visit(data, group->scope->name, group->name, &at->key.actor->face, at->count);
}

void table_visit_members(const struct group *group, enum groups_which which, groups_visit *visit,
                         void *data)
{
    visit_list(group, group->members[1], visit, data);
    if (which == GROUPS_ALL)
        visit_list(group, group->members[0], visit, data);
}

/* ---- going ------------------------------------------------------------------------------- */

void table_tidy_scope(struct groups *groups, struct scope *scope)
{
    if (scope->groups || scope->monitors)
        return;
    HASH_DELETE(hh, groups->scopes, scope);
    free(scope);
}

void table_tidy_group(struct groups *groups, struct group *group)
{
    struct scope *scope = group->scope;

    if (group->distinct[0] || group->distinct[1] || group->staged || group->monitors)
        return;
    HASH_DELETE(hh, scope->groups, group);
    free(group);
    groups->group_count--;
    table_tidy_scope(groups, scope);
}

void table_tidy_actor(struct groups *groups, struct actor *actor)
{
    if (actor->memberships)
        return;
    HASH_DELETE(hh, actor->source->actors, actor);
    free(actor);
    groups->actor_count--;
}

void table_tidy_membership(struct groups *groups, struct membership *membership)
{
    struct group *group = membership->key.group;
    struct actor *actor = membership->key.actor;

    if (membership->count || membership->wanted)
        return;
    HASH_DELETE(hh, groups->memberships, membership);
    DL_DELETE2(actor->memberships, membership, before, after);
    free(membership);
    group->staged--;
    table_tidy_group(groups, group);
    table_tidy_actor(groups, actor);
}

/* ---- telling ----------------------------------------------------------------------------- */

const struct groups_actor **table_list(struct groups *groups, size_t n)
{
    if (n > groups->list_size) {
        groups->list = memory_resize(groups->list, n, sizeof *groups->list);
        groups->list_size = n;
    }
    return groups->list;
}

static void tell_monitors(const struct groups *groups, const struct monitor *monitor,
                          const struct groups_event *event)
{
    for (; monitor; monitor = monitor->next)
        groups->handlers.on_event(groups->data, monitor->key.subscriber, monitor->key.ref, event);
}

void table_tell(struct groups *groups, enum groups_kind kind, const struct group *group,
                bool is_local, size_t n)
{
    const struct groups_event event = {.kind = kind,
                                       .scope = group->scope->name,
                                       .group = group->name,
                                       .actors = groups->list,
                                       .count = n};

    if (n == 0)
        return;
    tell_monitors(groups, group->monitors, &event);
    tell_monitors(groups, group->scope->monitors, &event);
    if (is_local)
        groups->handlers.on_local(groups->data, &event);
}
