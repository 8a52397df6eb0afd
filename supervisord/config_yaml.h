/*
 * YAML text as a tree of nodes with positions, made from libyaml's events. Anchors and merge keys
 * are resolved here, within a bound on the number of nodes, so that whoever walks the tree does
 * bounded work. Scalars have no types: a node keeps the text as written. Nothing is known here of
 * what the text means. A tree owns its nodes and texts, and whatever is kept with it by
 * config_yaml_keep().
 */
#ifndef TROUPE_CONFIG_YAML_H
#define TROUPE_CONFIG_YAML_H

#include <stdbool.h>
#include <stddef.h>

enum {
    CONFIG_YAML_NODES_MAX = 100000, /* of one file, after aliases are expanded */
    CONFIG_YAML_DEPTH_MAX = 200,
};

enum config_node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct config_entry;

struct config_node {
    enum config_node_kind kind;
    int line, column; /* from 1 */
    const char *text; /* SCALAR */
    bool quoted;      /* SCALAR: "" is a text, an empty plain scalar is nothing at all */
    size_t count;
    struct config_node **items;   /* LIST */
    struct config_entry *entries; /* MAP, in the order of the file; merged ones last */
};

struct config_entry {
    struct config_node *key; /* always a SCALAR */
    struct config_node *value;
    const struct config_entry *first; /* the entry that has the same key already, or NULL */
};

struct config_yaml;

/* What makes a text no tree at all; there is at most one such fault. */
struct config_yaml_fault {
    int line, column;
    char text[256];
};

/* Parses one document. Returns NULL with *fault (an empty text means: no memory). */
struct config_yaml *config_yaml_parse(const char *text, size_t length,
                                      struct config_yaml_fault *fault);
void config_yaml_destroy(struct config_yaml *yaml);
const struct config_node *config_yaml_root(const struct config_yaml *yaml);

/* A copy of the bytes with a NUL behind them, which lives as long as the tree; NULL with ENOMEM. */
char *config_yaml_keep(struct config_yaml *yaml, const char *bytes, size_t length);

/* An empty plain scalar: a key whose value was left out. */
bool config_node_is_absent(const struct config_node *node);
/* The (first) entry of a map with this key, or NULL. */
const struct config_entry *config_node_entry(const struct config_node *map, const char *key);

#endif
