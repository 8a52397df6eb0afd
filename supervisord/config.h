/*
 * The config reader: YAML text to specs, by libyaml and one table of keys (config_keys.c) that also
 * yields the messages of `check`, the reference manual page and the commented sample. Reads a file
 * once, whole, so that one that is replaced meanwhile is seen either old or new. Pure but for
 * reading files, users and groups. All errors of a file come in one go, as
 * `FILE:LINE:COLUMN: PATH: what is wrong: what was expected`.
 */
#ifndef TROUPE_CONFIG_H
#define TROUPE_CONFIG_H

#include "buf.h"
#include "spec.h"

/* Where relative paths and ${VAR} come from. */
struct config_context {
    char *const *environment; /* "K=V", NULL-terminated: the environment of `up` */
    bool text_only;           /* look at nothing but the text: no files, programs, modules, users */
    bool partial;             /* a node may have applications besides: an unknown one is no error */
};

/* Reads and checks files together (unknown dependencies, duplicate applications, cycles, links).
 * existing: names of applications that the node has already (NULL-terminated, may be NULL): known
 * to depends_on and refused as duplicates.
 * Returns 0 and *tree (free with spec_tree_finish), warnings as lines in messages; or -1 with all
 * errors as lines in messages. */
int config_read(char *const *files, size_t count, const struct config_context *context,
                const char *const *existing, struct spec_tree *tree, struct buf *messages);

/* The same for one text that is in memory; folder is what relative paths are taken from. */
int config_read_text(const char *text, size_t length, const char *label, const char *folder,
                     const struct config_context *context, const char *const *existing,
                     struct spec_tree *tree, struct buf *messages);

/* Reads one child spec from YAML text (`troupe add`). label stands for the file in messages; cwd is
 * the folder of relative paths; parent is the supervisor's path, used in messages and for links. */
int config_read_child(const char *text, size_t length, const char *label, const char *cwd,
                      const char *parent, const struct spec_supervisor *supervisor,
                      const struct config_context *context, struct spec *child,
                      struct buf *messages);

/* Makes child `name` of a template; words are appended to exec's arguments, or are KEY=VALUE args
 * of a module. 0, or -1 with messages. */
int config_from_template(const struct spec *template, const char *name, char *const *words,
                         size_t count, struct spec *child, struct buf *messages);

/* Where a module is: `module` itself (taken from cwd) when it holds a slash, else NAME.so in the
 * folders of $TROUPE_MODULE_PATH, then beside the running program. Writes the file's absolute path
 * to out (PATH_MAX). 0, or -1 with ENOENT and the folders that were looked through in out. */
int config_module_path(const char *module, const char *cwd, char *out);

/* Prints the tree as `troupe check` shows it. */
int config_print_tree(const struct spec_tree *tree, struct buf *out);
/* The table of keys for completions, the commented sample (YAML), and troupe.yaml(5) in mdoc. */
int config_print_keys(struct buf *out);
int config_print_sample(struct buf *out);
int config_print_manual(struct buf *out);

#endif
