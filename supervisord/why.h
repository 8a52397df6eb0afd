/*
 * `troupe why`: the chain of causes in words, why a child is down, restarting or not what was asked,
 * and the frames of its last crash. Also for names that are gone.
 */
#ifndef TROUPE_WHY_H
#define TROUPE_WHY_H

#include "wire.h"

struct supervisor;
struct child;

/* Lines of prose. 0; or -1 with ENOENT when the name was never here. */
int why_lines(struct supervisor *supervisor, const char *name, struct words *lines);
/* Keeps a crash that the child reported (PROTOCOL 4, CRASH): SIGNAL ADDRESS BASE FRAMES… resolved
 * to names while the image that it was forked from is still ours. */
void why_record_crash(struct child *child, char *rest);

#endif
