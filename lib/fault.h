/*
 * Fault points: in test builds (make FAULT=1) the nth malloc, fork, socket or write of a process
 * fails on purpose. TROUPE_FAULT_POINT="fork:3:EAGAIN[:PATH-OF-ACTOR]" arms one; without FAULT the
 * functions are the plain calls and cost nothing.
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
