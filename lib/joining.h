/*
 * Joining and leaving process groups: asked of the supervisor on the control socket, answered there
 * when sys/node has it (CLUSTER 3). Private to the runtime.
 */
#ifndef TROUPE_JOINING_H
#define TROUPE_JOINING_H

#include "group_name.h"
#include "reason.h"

#include <stdbool.h>

struct troupe;

/* The one JOIN or LEAVE that is being waited for. */
struct joining {
    bool is_waiting, is_join, is_answered;
    struct group_name name;
    char failure[REASON_MAX]; /* "": it is done */
};

/* Lines from the supervisor: the text after JOINED, LEFT, NOT_JOINED. */
void joining_on_joined(struct troupe *self, char *rest);
void joining_on_left(struct troupe *self, char *rest);
void joining_on_refused(struct troupe *self, char *rest);

#endif
