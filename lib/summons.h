/*
 * Summons: asking for an actor of a service that is not there (CLUSTER 4): its service's supervisor, or, when
 * only other nodes have that service, sys/node. One request, however long it takes; it is asked again when who
 * was asked is restarted meanwhile.
 */
#ifndef TROUPE_SUMMONS_H
#define TROUPE_SUMMONS_H

#include "addr.h"
#include "hotline.h"

#include <stdbool.h>

struct summons;

/* failure: NULL when it is ready, and can be dialled, on this node or, when that is not "", on that one; else a
 * line by SEMANTICS 6: "noproc", "overloaded …", "down …", "denied", "noconnection". The summons is freed when
 * this returns. */
typedef void summons_done(void *data, const char *node, const char *failure);

enum { SUMMONS_PATH_MAX = ADDR_PATH_MAX + 1 + ADDR_PART_MAX };
/* What is dialled to reach it: its path, and behind an @ the node that summons_done() told, if that is not "". */
void summons_path(const char *path, const char *node, char out[SUMMONS_PATH_MAX + 1]);

/* Nobody answers at this path, `why` being what its connection ended with, or at that node, when it
 * is not "": then it may have moved, and `node` is "" again. NULL: nobody would start it if asked,
 * or was asked too often since somebody was reached (`times`, counted here), or errno. Never done
 * before this returns. */
struct summons *summons_send(struct hotlines *hotlines, const char *path, char *node, unsigned *times,
                             const char *why, summons_done *done, void *data);
/* May an actor of a service be at this path, on another node, as none of this one is there? */
bool summons_can_find(const char *run_dir, const char *path);
/* Asks where it is, and does not start it: done is told the node, or a failure. As summons_send(). */
struct summons *summons_find(struct hotlines *hotlines, const char *path, summons_done *done,
                             void *data);
/* Takes NULL. */
void summons_cancel(struct summons *summons);

#endif
