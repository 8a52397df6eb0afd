/*
 * The name of a process group, as people write it: `GROUP`, or `SCOPE:GROUP` (SEMANTICS 8). A
 * group's name has the form of a path (`pages`, `rooms/42`), a scope's that of one part; without
 * one the scope is `pg`. Pure: text in, parts out.
 */
#ifndef TROUPE_GROUP_NAME_H
#define TROUPE_GROUP_NAME_H

#include "addr.h"

#define GROUP_SCOPE "pg" /* the scope when none is said, as OTP's default */

/* A CALL to a sys/node of another node, payload PATH: answered when the mailbox there has handled all messages
 * to groups that came before on this connection. */
#define GROUP_SETTLED ".settled"

enum { GROUP_NAME_MAX = 200, GROUP_TEXT_MAX = ADDR_PART_MAX + 1 + GROUP_NAME_MAX };

struct group_name {
    char scope[ADDR_PART_MAX + 1];
    char group[GROUP_NAME_MAX + 1];
};

/* 0, or -1 with *why, a phrase that says what was expected. */
int group_name_parse(const char *text, struct group_name *name, const char **why);

#endif
