/*
 * The living children of this process, as they are at one moment: those that it started, and, as it
 * is a subreaper, whoever of their descendants has lost its parent. Reads /proc.
 */
#ifndef TROUPE_CLI_BROOD_H
#define TROUPE_CLI_BROOD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct brood {
    pid_t *at;
    size_t count;
};

/* Reads them anew. 0; or -1 with errno, and it is empty. */
int brood_read(struct brood *brood);
bool brood_has(const struct brood *brood, pid_t pid);
/* Adds one by hand. 0, or -1 with ENOMEM. */
int brood_add(struct brood *brood, pid_t pid);
void brood_finish(struct brood *brood);

#endif
