#include "control_right.h"

#include "control.h"
#include "rights.h"

#include <stddef.h>
#include <string.h>

static const struct control_verb {
    const char *name;
    unsigned right;
    bool is_local;
} verbs[] = {
    {CONTROL_PS, RIGHT_LOOK, false},
    {CONTROL_PS_BRIEF, RIGHT_LOOK, false},
    {CONTROL_SELF, RIGHT_LOOK, false},
    {CONTROL_STATUS, RIGHT_LOOK, false},
    {CONTROL_WHY, RIGHT_LOOK, false},
    {CONTROL_COUNTS, RIGHT_LOOK, false},
    {CONTROL_EVENTS, RIGHT_LOOK, false},
    {CONTROL_WATCH, RIGHT_LOOK, false},
    {CONTROL_UNWATCH, RIGHT_LOOK, false},
    {CONTROL_ACTIVATE, RIGHT_SEND, false},
    {CONTROL_SERVICE, RIGHT_LOOK, false},
    {CONTROL_NODE, RIGHT_LOOK, false},
    {CONTROL_NOTIFY, RIGHT_CONTROL, false},
    {CONTROL_UNNOTIFY, RIGHT_CONTROL, false},
    {CONTROL_START, RIGHT_CONTROL, false},
    {CONTROL_STOP, RIGHT_CONTROL, false},
    {CONTROL_RESTART, RIGHT_CONTROL, false},
    {CONTROL_REMOVE, RIGHT_CONTROL, false},
    {CONTROL_ADD, RIGHT_CONTROL, false},
    {CONTROL_ADD_TEMPLATE, RIGHT_CONTROL, false},
    {CONTROL_DOWN, RIGHT_CONTROL, false},
    {CONTROL_UP, RIGHT_CONTROL, true},
    {CONTROL_WANT_NODE, RIGHT_CONTROL, true},
    {CONTROL_WANT_STORE, RIGHT_CONTROL, true},
    {CONTROL_ATTACH, RIGHT_CONTROL, true},
    {CONTROL_LINE, RIGHT_LOOK, true}, /* from who is attached */
    {CONTROL_GROUP_SNAPSHOT, RIGHT_CONTROL, true},
    {CONTROL_GROUP_JOIN, RIGHT_CONTROL, true},
    {CONTROL_GROUP_LEAVE, RIGHT_CONTROL, true},
    {CONTROL_GROUP_END, RIGHT_CONTROL, true},
    {CONTROL_GROUPS, RIGHT_LOOK, false},
    {CONTROL_MEMBERS, RIGHT_LOOK, false},
    {CONTROL_GROUP_WATCH, RIGHT_LOOK, false},
    {CONTROL_GROUP_UNWATCH, RIGHT_LOOK, false},
    {CONTROL_NODES, RIGHT_LOOK, false},
    {CONTROL_NODE_WATCH, RIGHT_LOOK, false},
    {CONTROL_CONNECT, RIGHT_CONTROL, false},
    {CONTROL_DISCONNECT, RIGHT_CONTROL, false},
    {CONTROL_OFFER, RIGHT_CONTROL, true},
    {CONTROL_PLACE, RIGHT_SEND, true},
    {CONTROL_WHERE, RIGHT_LOOK, true},
    {CONTROL_PLACED, RIGHT_CONTROL, true},
    {CONTROL_VACATED, RIGHT_CONTROL, true},
    {CONTROL_LOG, RIGHT_LOOK, false},
    {CONTROL_LOG_OPEN, RIGHT_CONTROL, true},
    {CONTROL_LOG_CLOSE, RIGHT_CONTROL, true},
    {CONTROL_LOG_WATCH, RIGHT_CONTROL, true},
    {CONTROL_STATE_GET, RIGHT_CONTROL, true},
    {CONTROL_STATE_PUT, RIGHT_CONTROL, true},
    {CONTROL_STATE_RM, RIGHT_CONTROL, true},
    {CONTROL_STATE_LIST, RIGHT_CONTROL, true},
    {CONTROL_EPOCH, RIGHT_CONTROL, true},
    {CONTROL_PLACE_CLAIM, RIGHT_CONTROL, true},
    {CONTROL_PLACE_FREE, RIGHT_CONTROL, true},
    {CONTROL_PLACE_READ, RIGHT_CONTROL, true},
    {CONTROL_PLACE_LIST, RIGHT_CONTROL, true},
    {CONTROL_REMINDER_PUT, RIGHT_CONTROL, true},
    {CONTROL_REMINDER_RM, RIGHT_CONTROL, true},
    {CONTROL_REMINDER_DUE, RIGHT_CONTROL, true},
    {CONTROL_REMINDER_SET, RIGHT_CONTROL, true},
    {CONTROL_REMINDER_ADVANCE, RIGHT_CONTROL, true},
    {CONTROL_NODE_INSERT, RIGHT_CONTROL, true},
    {CONTROL_NODE_BEAT, RIGHT_CONTROL, true},
    {CONTROL_NODE_SET, RIGHT_CONTROL, true},
    {CONTROL_NODE_RM, RIGHT_CONTROL, true},
    {CONTROL_NODE_LIST, RIGHT_CONTROL, true},
};

static const struct control_verb *find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(verbs[i].name, name))
            return &verbs[i];
    return NULL;
}

unsigned control_right(const char *verb)
{
    const struct control_verb *found = find(verb);

    return found ? found->right : 0;
}

bool control_is_local(const char *verb)
{
    const struct control_verb *found = find(verb);

    return !found || found->is_local;
}
