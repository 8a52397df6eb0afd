/*
 * Fault points: in test builds (make FAULT=1) the nth malloc, fork, socket or write of a process
 * fails on purpose. TROUPE_FAULT_POINT="fork:3:EAGAIN[:PATH-OF-ACTOR]" arms one (the root's path is
 * "."); "3+" means the third and all after it. Each hit appends a line to the file $TROUPE_FAULT_HITS,
 * so that a test knows when it is through. Without FAULT the functions are the plain calls and cost
 * nothing. supervisord/fault_points.c turns calls of libc into points by the linker's --wrap.
 */
#ifndef TROUPE_FAULT_H
#define TROUPE_FAULT_H

#include <stdbool.h>

#ifdef TROUPE_FAULT
/* Counts one pass through the named point; true when this one shall fail, with errno set. */
bool fault_hits(const char *point);
/* This process is the actor at path from now on (instead of $TROUPE_PATH); its count starts anew. */
void fault_set_path(const char *path);
#else
static inline bool fault_hits(const char *point)
{
    (void)point;
    return false;
}
static inline void fault_set_path(const char *path)
{
    (void)path;
}
#endif

#endif
