#include "groups_table.h"

#include "memory.h"

#include <errno.h>
#include <stdlib.h>

static struct subscriber *find_subscriber(const struct groups *groups, uint64_t id)
{
    struct subscriber *subscriber;

    HASH_FIND(hh, groups->subscribers, &id, sizeof id, subscriber);
    return subscriber;
}

static struct subscriber *make_subscriber(struct groups *groups, uint64_t id)
{
    struct subscriber *subscriber = find_subscriber(groups, id);

    if (subscriber)
        return subscriber;
    subscriber = memory_zeroed(sizeof *subscriber);
    subscriber->id = id;
    HASH_ADD(hh, groups->subscribers, id, sizeof id, subscriber);
    return subscriber;
}

static struct monitor *add_monitor(struct groups *groups, uint64_t id, uint64_t ref)
{
    struct monitor *monitor = memory_zeroed(sizeof *monitor);

    monitor->key = (struct monitor_key){id, ref};
    monitor->subscriber = make_subscriber(groups, id);
    DL_APPEND2(monitor->subscriber->monitors, monitor, before, after);
    HASH_ADD(hh, groups->monitors, key, sizeof monitor->key, monitor);
    return monitor;
}

static void show_scope(const struct scope *scope, groups_visit *visit, void *data)
{
    const struct group *group = scope->groups;

    for (; group; group = group->hh.next)
        table_visit_members(group, GROUPS_ALL, visit, data);
}

int groups_monitor(struct groups *groups, uint64_t subscriber, uint64_t ref, const char *scope,
                   const char *group, groups_visit *visit, void *data)
{
    struct monitor *monitor;

    if (table_check_name(scope) < 0 || (group && table_check_name(group) < 0))
        return -1;
    monitor = add_monitor(groups, subscriber, ref);
    if (group) {
        monitor->group = table_make_group(groups, scope, group);
        monitor->scope = monitor->group->scope;
        DL_APPEND(monitor->group->monitors, monitor);
        table_visit_members(monitor->group, GROUPS_ALL, visit, data);
    } else {
        monitor->scope = table_make_scope(groups, scope);
        DL_APPEND(monitor->scope->monitors, monitor);
        show_scope(monitor->scope, visit, data);
    }
    return 0;
}

static void remove_monitor(struct groups *groups, struct monitor *monitor)
{
    struct subscriber *subscriber = monitor->subscriber;

    HASH_DELETE(hh, groups->monitors, monitor);
    DL_DELETE2(subscriber->monitors, monitor, before, after);
    if (monitor->group) {
        DL_DELETE(monitor->group->monitors, monitor);
        table_tidy_group(groups, monitor->group);
    } else {
        DL_DELETE(monitor->scope->monitors, monitor);
        table_tidy_scope(groups, monitor->scope);
    }
    free(monitor);
    if (subscriber->monitors)
        return;
    HASH_DELETE(hh, groups->subscribers, subscriber);
    free(subscriber);
}

int groups_demonitor(struct groups *groups, uint64_t subscriber, uint64_t ref)
{
    const struct monitor_key key = {subscriber, ref};
    struct monitor *monitor;

    /* The analyzer does not see that a key has no holes. NOLINTNEXTLINE(clang-analyzer-core.*) */
    HASH_FIND(hh, groups->monitors, &key, sizeof key, monitor);
    if (!monitor) {
        errno = ENOENT;
        return -1;
    }
    remove_monitor(groups, monitor);
    return 0;
}

void groups_unsubscribe(struct groups *groups, uint64_t id)
{
    const struct subscriber *subscriber = find_subscriber(groups, id);
    struct monitor *monitor = subscriber ? subscriber->monitors : NULL, *after;

    for (; monitor; monitor = after) { /* the last takes the subscriber with it */
        after = monitor->after;
        remove_monitor(groups, monitor);
    }
}
