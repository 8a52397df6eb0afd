#include "joining.h"

#include "ctl.h"
#include "runtime.h"

#include <stdio.h>
#include <string.h>

enum { JOINING_MS = 5000 };

/* ---- answers --------------------------------------------------------------------------------- */

/* Answers come in the order of the requests; one to a request that was given up means nothing. */
static void answered(struct troupe *self, char *rest, const bool *is_join, const char *failure)
{
    struct joining *joining = &self->joining;
    char *scope = ctl_word(&rest), *group = ctl_word(&rest);

    if (!joining->is_waiting || !group || strcmp(scope, joining->name.scope) != 0 ||
        strcmp(group, joining->name.group) != 0 || (is_join && *is_join != joining->is_join))
        return;
    reason_copy(failure ? failure : rest, "", joining->failure);
    joining->is_answered = true;
}

void joining_on_joined(struct troupe *self, char *rest)
{
    answered(self, rest, &(const bool){true}, "");
}

void joining_on_left(struct troupe *self, char *rest)
{
    answered(self, rest, &(const bool){false}, "");
}

void joining_on_refused(struct troupe *self, char *rest)
{
    answered(self, rest, NULL, NULL);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static const char *ask(struct troupe *self, bool is_join, const char *group, unsigned times)
{
    struct joining *joining = &self->joining;
    char text[GROUP_TEXT_MAX + 32];
    const char *why;

    if (!parent_is_there(&self->parent) || joining->is_waiting)
        return "refused no supervisor to ask";
    if (self->ending)
        return "refused ending";
    *joining = (struct joining){.is_join = is_join};
    if (times == 0 || group_name_parse(group, &joining->name, &why) < 0)
        return "refused no name of a group";
    joining->is_waiting = true;
    snprintf(text, sizeof text, "%s %s %u", joining->name.scope, joining->name.group, times);
    parent_say(&self->parent, is_join ? CTL_JOIN : CTL_LEAVE, text);
    if (!agenda_wait_for(self, &joining->is_answered, JOINING_MS))
        snprintf(joining->failure, sizeof joining->failure, "%s",
                 self->ending ? "refused ending" : "timeout");
    joining->is_waiting = false;
    return *joining->failure ? joining->failure : NULL;
}

const char *troupe_join(struct troupe *self, const char *group, unsigned times)
{
    return ask(self, true, group, times);
}

const char *troupe_leave(struct troupe *self, const char *group, unsigned times)
{
    return ask(self, false, group, times);
}
