/*
 * A reserve of memory for those who cannot be told that there is none: libev and uthash. While it
 * lasts, a supervisor that runs out of memory goes on; it must not take on anything new meanwhile.
 * Include this header instead of <uthash.h>.
 */
#ifndef TROUPE_RESERVE_H
#define TROUPE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/* Lays the reserve in and gives libev its allocator. 0, or -1 with errno. Once more is harmless. */
int reserve_init(void);
/* The reserve was needed and could not be laid in again yet (this tries to). */
bool reserve_is_in_use(void);
/* Memory, from the reserve if need be; a process whose reserve is gone, too, ends. */
void *reserve_malloc(size_t size);

#include <uthash.h>
#undef uthash_malloc
#define uthash_malloc(size) reserve_malloc(size)

#endif
