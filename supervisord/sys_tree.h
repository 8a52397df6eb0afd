/* The node's own part of the tree: `sys`, declared like any other, in YAML. */
#ifndef TROUPE_SYS_TREE_H
#define TROUPE_SYS_TREE_H

#include "buf.h"
#include "node.h"
#include "spec.h"

/* Makes the spec of `sys`. 0, or -1 with messages. */
int sys_tree(const struct node *node, const struct spec_log *log, struct spec *sys,
             struct buf *messages);

#endif
