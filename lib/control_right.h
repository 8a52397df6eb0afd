/*
 * Which right a control request needs (SEMANTICS 10), and which may come from another node (CLUSTER
 * 1: `grant`). Pure: one table for supervisors, sys/log and sys/node.
 */
#ifndef TROUPE_CONTROL_RIGHT_H
#define TROUPE_CONTROL_RIGHT_H

#include <stdbool.h>

/* The RIGHT_ bit; 0: there is no such request. */
unsigned control_right(const char *verb);
/* Has it a meaning on this host only: descriptors travel with it, files are named in it, or only a
 * supervisor of the node may say it? */
bool control_is_local(const char *verb);

#endif
