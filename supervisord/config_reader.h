/*
 * Private to the config reader: the state of one reading, and how a map is read by the table of
 * keys. Every reader of a value complains where it stands and goes on, so that all errors of a
 * file are told at once; whether something went wrong is asked of the report at the end.
 */
#ifndef TROUPE_CONFIG_READER_H
#define TROUPE_CONFIG_READER_H

#include "config.h"
#include "config_keys.h"
#include "config_report.h"
#include "config_yaml.h"

enum { CONFIG_SPECS_MAX = 200000 /* children that one file may declare, replicas counted */ };

/* Where the reader is, innermost first: for messages. Lives on the stack of who entered it. */
struct scope {
    const struct scope *up;
    const char *text; /* a key, "item 2", or a path */
    bool is_path;     /* nothing above needs to be said */
    int line, column;
};

/* Where something was said that can be judged only when all files are read. */
struct remark {
    size_t file;
    int owner_line, owner_column; /* the child's place; 0: the application's */
    char *text;
    int line, column;
};

struct reader {
    struct report *report;
    const struct config_context *context;
    struct config_yaml *yaml;
    size_t file;        /* its number */
    const char *label;  /* its name, as people gave it */
    const char *folder; /* absolute: where relative paths are taken from */
    const struct scope *scope;
    const char *path;                   /* of the child or supervisor that is being read */
    struct spec_tree *tree;             /* for node and log; NULL where they cannot stand */
    struct spec_supervisor *supervisor; /* whose keys are being read */
    const struct config_node *owner;    /* the child's map */
    unsigned replica;                   /* 0: the entry has no replicas */
    bool used_replica;
    size_t specs;
    struct remark *remarks;
    size_t remark_count;
};

typedef void read_value(struct reader *reader, const struct config_key *key,
                        const struct config_node *node, void *at);

/* ---- where we are ---------------------------------------------------------------------- */

void reader_enter(struct reader *reader, struct scope *scope, const char *text, int line,
                  int column);
void reader_enter_path(struct reader *reader, struct scope *scope, const char *path, int line,
                       int column);
void reader_leave(struct reader *reader);

/* "what is wrong: what was expected", said of where the reader is. */
void complain(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
void warn_of(struct reader *reader, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "\"text\": expected …" with what the key expects. */
void complain_of_value(struct reader *reader, const struct config_key *key,
                       const struct config_node *node);
/* The same, of a text. */
void complain_of_text(struct reader *reader, const char *text, const char *expected);
/* The node's text, expanded; NULL after a complaint. Lives as long as the file's tree. */
const char *reader_text(struct reader *reader, const struct config_key *key,
                        const struct config_node *node);
/* The same for texts that are expanded again at each spawn. */
const char *reader_spawn_text(struct reader *reader, const struct config_key *key,
                              const struct config_node *node);

/* A key's text before it is read in earnest, without a complaint; NULL when it has none. */
const char *reader_peek(struct reader *reader, const struct config_node *map, const char *key);

/* ---- reading ----------------------------------------------------------------------------- */

/* Reads a map by the keys of a section into the struct `into`; kinds: 0, or what the child is. */
void reader_section(struct reader *reader, enum config_section section,
                    const struct config_node *map, unsigned kinds, void *into);
/* Sets what the section's defaults say. */
void reader_defaults(struct reader *reader, enum config_section section, void *into);
/* A value that has no scope of its own yet. */
void reader_value(struct reader *reader, const struct config_key *key,
                  const struct config_node *node, void *into);
/* Complains of each key that stands in a map twice. */
void reader_duplicates(struct reader *reader, const struct config_node *map);
/* Replaces *at by a copy of text. */
void reader_keep(struct reader *reader, char **at, const char *text);
void reader_append(struct reader *reader, char ***texts, const char *text);
void reader_no_memory(struct reader *reader);
/* Notes where text was said of the owner (or of the application). */
void reader_remark(struct reader *reader, const char *text);
/* The folder-relative path made absolute, kept with the file's tree; NULL with ENOMEM. */
const char *reader_absolute(struct reader *reader, const char *path);
/* A list's items, or one value alone, one after the other, each in a scope of its own. */
void reader_each(struct reader *reader, const struct config_key *key,
                 const struct config_node *node,
                 void (*read)(struct reader *, const struct config_key *,
                              const struct config_node *, void *),
                 void *at);

/* ---- the readers of single types, by file ------------------------------------------------ */

/* config_values.c */
read_value read_nothing, read_unkept, read_name, read_text, read_paths, read_groups,
    read_file_path, read_bool, read_whole, read_octal, read_number, read_count, read_duration,
    read_size, read_choice, read_signal, read_intensity, read_shutdown, read_address, read_regex;
/* config_process.c */
read_value read_exec, read_folder, read_args, read_env, read_env_file, read_user, read_group,
    read_limits, read_exit_codes, read_stdin, read_raw;
/* config_tree.c */
read_value read_map, read_backoff, read_ready, read_mailbox, read_module, read_supervisor,
    read_service, read_children, read_template;
/* config_node.c */
read_value read_url, read_urls, read_rights, read_patterns, read_store, read_node, read_log;

/* config_process.c: is there a program of that name, for this child? */
void check_program(struct reader *reader, const struct spec *child, const char *program);
/* Is its module there? */
void check_module(struct reader *reader, const struct spec *child);
/* Sets *state, the value of `state` in the map, when the child's module says itself that it keeps
 * some. */
void take_state(struct reader *reader, const struct config_node *map, const struct spec *child,
                bool *state);
/* That one keeps state: may it, as the user that it is? Said by what was written. */
void check_keeper(struct reader *reader, const struct config_node *map, const struct spec *child);
/* config_tree.c: one child from its map. declared: it needs a name of its own. */
void read_child(struct reader *reader, const struct config_node *map, bool declared,
                struct spec *child);
/* The defaults of a spec that nothing was said of. */
void child_defaults(struct reader *reader, unsigned kinds, struct spec *child);
/* config_check.c: what can be judged only when all files are read. readers: one a file. */
void check_tree(struct reader *readers, size_t count, const struct spec_tree *tree,
                const char *const *existing);
/* Is this a link that child may have? NULL, or what was expected instead. */
const char *check_link_form(const char *path, const char *link);

#endif
