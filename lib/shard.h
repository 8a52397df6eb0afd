/*
 * Which of a service's inner supervisors has an actor: it follows from its id, so that whoever knows how many
 * there are knows. Pure.
 */
#ifndef TROUPE_SHARD_H
#define TROUPE_SHARD_H

/* From 0; count is at least 1. */
unsigned shard_of(const char *id, unsigned count);

#endif
