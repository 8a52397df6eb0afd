/*
 * What is asked of sys/node, which knows the other nodes and the groups (lib/control.h). It is
 * started when it is first needed: a node without it has neither.
 */
#ifndef TROUPE_CLI_MESH_H
#define TROUPE_CLI_MESH_H

#include "cli.h"

#include "group_name.h"

/* A member of a group: PATH@NODE#N, taken apart. */
struct mesh_member {
    struct addr addr;
    unsigned times; /* that it has joined */
};

struct mesh_members {
    struct mesh_member *at;
    size_t count;
};

/* sys/node, in the node where a place is. */
void mesh_mailbox(const char *place, char out[MAILBOX_MAX]);
/* Asks it about what there is; words may be NULL. Without a sys/node here there is nothing: no
 * words. 0 and answer (to be finished), else an exit status after having said why. */
int mesh_look(struct cli *cli, const char *place, const char *verb, const struct words *words,
              struct words *answer);
/* Tells it to do something, and starts it if it does not run. what: that is named when it fails. */
int mesh_order(struct cli *cli, const char *what, const char *verb, const struct words *words);

/* The name of this node, which may be another than that of its directory. 0, or an exit status
 * after having said why. */
int mesh_own_node(struct cli *cli, char out[ADDR_PART_MAX + 1]);
/* Reads GROUP or SCOPE:GROUP. The same. */
int mesh_read_group(const char *text, struct group_name *name);
/* Distinct members in the order of their addresses, those of this node without its name; which:
 * "all" or "local". The same; members are to be freed with mesh_members_finish(). */
int mesh_find_members(struct cli *cli, const char *which, const struct group_name *group,
                      struct mesh_members *members);
void mesh_members_finish(struct mesh_members *members);

#endif
