/*
 * The order of what an actor sends to a group and to one of its members, in another node (SEMANTICS
 * 6).
 *
 * A message to a group goes to that node once, to its sys/node, which hands it to the members. A
 * member that this actor has a way of its own to (a contact) is left out there: it gets the message
 * by that way, where all stays in order. And a way that is made after messages to groups have gone
 * to that node begins behind them: it is held until sys/node there says (GROUP_SETTLED, a call with
 * the member's path) that the member has handled all of them. Private to the runtime.
 */
#ifndef TROUPE_FOLLOWING_H
#define TROUPE_FOLLOWING_H

#include <stdbool.h>

struct contact;
struct troupe;

/* Must a new way to this path, PATH or PATH@NODE, begin behind messages to groups? */
bool following_is_needed(struct troupe *self, const char *path);
/* Asks; contact_follow() is called, once, when they are settled, or lost. 0, or -1 with errno of
 * call_start(). */
int following_begin(struct contact *contact);

#endif
