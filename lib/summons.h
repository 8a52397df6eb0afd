/*
 * Summons: asking a service's supervisor for an actor that is not there (CLUSTER 4). One request, however
 * long it takes; it is asked again when that supervisor is restarted meanwhile.
 */
#ifndef TROUPE_SUMMONS_H
#define TROUPE_SUMMONS_H

#include <ev.h>
#include <stdbool.h>

struct summons;

/* failure: NULL when it is ready, and can be dialled; else a line by SEMANTICS 6: "noproc", "overloaded …", "down
 * …", "denied". The summons is freed when this returns. */
typedef void summons_done(void *data, const char *failure);

/* Did nobody answer at this path of this node, `why` being what its connection ended with, whom a service would
 * start if it were asked? */
bool summons_may_help(const char *run_dir, const char *path, const char *why);
/* run_dir and self, the asker's address, outlive it. Never done before this returns. NULL with errno. */
struct summons *summons_send(struct ev_loop *loop, const char *run_dir, const char *path, const char *self,
                             summons_done *done, void *data);
/* Takes NULL. */
void summons_cancel(struct summons *summons);

#endif
