/*
 * A module begins as a copy of its supervisor, and lives longer than most of what it has from there
 * is needed. Before it runs, the supervisor's nest is given back: else it would keep every page as
 * it was at the fork that the supervisor writes later, 10 of them, as long as it lives.
 */
#ifndef TROUPE_PARTING_H
#define TROUPE_PARTING_H

#include "boot.h"

/* Copies what boot points to out of the nest, and leaves that; nothing, when there is no room for
 * it. After environment_finish(), in the child; from then on nothing that was allocated may be
 * used. */
void parting_take_leave(struct troupe_boot *boot);

#endif
