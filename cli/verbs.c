#include "cli.h"

#include "text.h"

#include <string.h>

extern const struct verb verb_up, verb_down, verb_check, verb_ps, verb_tree, verb_status, verb_why,
    verb_log, verb_events, verb_start, verb_stop, verb_restart, verb_add, verb_rm, verb_wait,
    verb_describe, verb_call, verb_send, verb_run, verb_counts, verb_nodes, verb_connect,
    verb_disconnect, verb_groups, verb_members, verb_publish, verb_services, verb_state, verb_version,
    verb_help, verb_completion;

const struct verb *const verbs[] = {
    &verb_up,      &verb_down,    &verb_check, &verb_ps,       &verb_tree,       &verb_status,
    &verb_why,     &verb_log,     &verb_events, &verb_start,   &verb_stop,       &verb_restart,
    &verb_add,     &verb_rm,      &verb_wait,  &verb_describe, &verb_call,       &verb_send,
    &verb_run,     &verb_counts,  &verb_nodes, &verb_connect,  &verb_disconnect, &verb_groups,
    &verb_members, &verb_publish, &verb_services, &verb_state, &verb_version, &verb_help,
    &verb_completion, NULL,
};

const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; verbs[i]; i++)
        if (strcmp(verbs[i]->name, name) == 0)
            return verbs[i];
    return NULL;
}

const char *verb_nearest(const char *name)
{
    const char *names[sizeof verbs / sizeof verbs[0]];
    size_t count = 0;

    for (; verbs[count]; count++)
        names[count] = verbs[count]->name;
    names[count] = NULL;
    return text_nearest(name, names);
}
