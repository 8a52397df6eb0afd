/*
 * Lineage: a supervisor that was forked by a supervisor has its memory from its ancestors. The
 * kernel keeps, for each mapping of a forked process, a tie to each ancestor's mapping of the same,
 * under one lock for the whole family; and each fork of it makes all of these ties again. A family
 * of four generations with a thousand members forks at half the speed of a process that was born by
 * itself.
 */
#ifndef TROUPE_LINEAGE_H
#define TROUPE_LINEAGE_H

/* Replaces what this process has inherited by copies of its own, in their places: data, heap,
 * whatever is private and was written. Once in a forked supervisor, before it marks anything of its
 * memory (madvise) and while it has one thread. The stack, on which it runs, stays; so does, where
 * the kernel refuses, everything: then its forks are slower, that is all. */
void lineage_leave(void);

#endif
