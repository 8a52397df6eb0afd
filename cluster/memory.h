/*
 * Memory of troupe-node. An allocation that fails ends the process with a word on stderr: what one
 * peer may make it hold is bounded by each table, and a restarted sys/node has everything back from
 * its peers and its supervisors. So nothing here returns NULL, and half of a change never has to be
 * taken back.
 */
#ifndef TROUPE_CLUSTER_MEMORY_H
#define TROUPE_CLUSTER_MEMORY_H

#include <stddef.h>

_Noreturn void memory_fail(void);

/* All bytes 0; the caller frees it. */
void *memory_zeroed(size_t size);
/* As realloc(), of count * size bytes. */
void *memory_resize(void *old, size_t count, size_t size);
/* As strdup(). */
char *memory_text(const char *text);

#endif
