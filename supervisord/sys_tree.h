/* The node's own part of the tree: `sys`, declared like any other, in YAML. */
#ifndef TROUPE_SYS_TREE_H
#define TROUPE_SYS_TREE_H

#include "buf.h"
#include "node.h"
#include "spec.h"

/* Makes the spec of `sys`: sys/log, sys/store and sys/node where the tree says something that needs
 * them. 0, or -1 with messages. */
int sys_tree(const struct node *node, const struct spec_tree *tree, struct spec *sys,
             struct buf *messages);
/* sys/node as a child to be added to `sys`, YAML with a NUL at its end. 0, or -1 with messages. */
int sys_tree_node(const struct node *node, const struct spec_node *spec, struct buf *yaml,
                  struct buf *messages);
/* The same of sys/store. */
int sys_tree_store(const struct node *node, const struct spec_node *spec, struct buf *yaml,
                   struct buf *messages);
/* Is there a sys/store from the start? Is one needed for this spec, or what is below it? */
bool sys_tree_has_store(const struct spec_tree *tree);
bool sys_tree_needs_store(const struct spec *spec);

#endif
