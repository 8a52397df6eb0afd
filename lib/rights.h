/*
 * Rights (SEMANTICS 10): what a uid may do, decided by SO_PEERCRED at accept. Pure.
 */
#ifndef TROUPE_RIGHTS_H
#define TROUPE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { RIGHT_LOOK = 1, RIGHT_SEND = 2, RIGHT_CONTROL = 4, RIGHT_ALL = 7 };

/* What the rights are called, in the order of their bits; ends with NULL. */
extern const char *const rights_words[];

struct rights {
    uid_t node_uid;          /* the user that runs the node */
    const uid_t *send_uids;  /* uids named by `user:` in the tree */
    size_t send_count;
    bool has_group;          /* a group named in the config … */
    gid_t group;
    unsigned group_rights;   /* … may do this */
};

/* The set of RIGHT_ bits of a client; supplementary groups are not seen, its gid is. */
unsigned rights_of(const struct rights *rights, uid_t uid, gid_t gid);

#endif
