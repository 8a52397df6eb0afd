/*
 * Modules: actors in shared objects (SEMANTICS 5). Each is first tried in a forked child, so that a
 * constructor that crashes or hangs costs a start and not the supervisor; then it is loaded here
 * once and every incarnation is a fork. A file that was replaced since is loaded by the children
 * themselves, from a private name.
 */
#ifndef TROUPE_MODULE_H
#define TROUPE_MODULE_H

#include "boot.h"
#include "error.h"

#include <stdint.h>

/* The part of `struct troupe_actor` that a supervisor knows; the rest is between a module and its
 * own runtime. */
struct module_actor {
    uint32_t abi, size;
    int (*run)(const struct module_actor *actor, const struct troupe_boot *boot);
};

enum { MODULE_TRIAL_MS = 5000 };

struct module; /* a file that was loaded, for the life of this process */

/* NULL with err. */
struct module *module_load(const char *file, struct error *err);
/* The one that was loaded last, if it was for that name; else NULL: many siblings are one module,
 * and looking through the module path takes a dozen system calls. */
const struct module *module_last(const char *name);
void module_set_last(const struct module *module, const char *name);
/* Its actor; NULL: the file was replaced since. */
const struct module_actor *module_actor(const struct module *module);
/* In the child: that of the file as it is now. NULL with err. */
const struct module_actor *module_open_anew(const struct module *module, struct error *err);
/* Loads without a trial: for a process that is to be that actor. */
const struct module_actor *module_open(const char *file, struct error *err);

#endif
