/*
 * Places: paths as the command line keeps them. What stands in this node is `shop/db`; in another,
 * `shop/db@west`, and that node's root is `@west` (lib/addr.h). So one text says whom to ask, and
 * who is shown. Pure.
 */
#ifndef TROUPE_CLI_PLACE_H
#define TROUPE_CLI_PLACE_H

#include "addr.h"

/* Is it in another node? */
bool place_is_elsewhere(const char *place);
/* That node's name, inside it; "" for this one. */
const char *place_node(const char *place);
/* Is it the root, of this node or of another? */
bool place_is_root(const char *place);
/* The path alone, as it is called in its own node. */
void place_path(const char *place, char out[ADDR_PATH_MAX + 1]);
/* What its supervisor calls it. */
void place_child_name(const char *place, char out[ADDR_PATH_MAX + 1]);
/* A path of that node ("": this one), as a place. 0, or -1 with ENAMETOOLONG. */
int place_make(const char *path, const char *node, char out[ADDR_PATH_MAX + 1]);
/* Is it ancestor, or below it, in the same node? */
bool place_is_within(const char *place, const char *ancestor);
/* As people write it: the roots are `.` and `@west`. */
const char *place_text(const char *place);

#endif
