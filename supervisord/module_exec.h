/*
 * A module whose user is not its supervisor's is executed, never forked, so that it carries no
 * secrets along (SEMANTICS 5): the boot record travels in arguments and environment to
 * `troupe-supervisord --module`, which is then that actor.
 */
#ifndef TROUPE_MODULE_EXEC_H
#define TROUPE_MODULE_EXEC_H

#include "boot.h"

/* In the forked child, its user already changed: executes. Returns only on failure, with errno. */
void module_exec(const char *program, const char *file, const struct troupe_boot *boot);

/* The other side: argv is FILE NUMBERS [KEY VALUE]...; the exit status. */
int module_exec_main(int argc, char **argv);

#endif
