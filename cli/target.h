/*
 * What the ADDRESSes of a command line mean: parsed into places (place.h), globs spread out, the
 * root refused where it makes no sense, and the nearest name suggested when there is no such actor.
 */
#ifndef TROUPE_CLI_TARGET_H
#define TROUPE_CLI_TARGET_H

#include "cli.h"

#include "addr.h"

struct target {
    char path[ADDR_PATH_MAX + 1];   /* a place */
    char parent[ADDR_PATH_MAX + 1]; /* its supervisor's place */
};

struct targets {
    struct target *at;
    size_t count, size;
};

/* Parses one ADDRESS into addr, whose path is a place then, and whose node is empty. `@west` is
 * that node's root, like `.@west`. is_glob may be NULL: then globs are refused. 0, or an exit
 * status after having said why. */
int target_parse(struct cli *cli, const char *text, struct addr *addr, bool *is_glob);
/* The same for what must be in this node. */
int target_parse_here(struct cli *cli, const char *text, struct addr *addr);
/* What start, stop, restart and rm do: orders `verb` of the supervisor of each actor that cli's
 * arguments mean; with --one-by-one the next only when the one before is done. */
int targets_order(struct cli *cli, const char *verb);
/* All of cli's arguments from the first-th on; the root is refused. */
int targets_expand(struct cli *cli, int first, struct targets *targets);
/* Those that a pattern means and that may have a mailbox: no supervisors. */
int targets_of_glob(struct cli *cli, const char *text, struct targets *targets);
void targets_finish(struct targets *targets);

/* "no such actor", with the nearest one there is. Returns STATUS_NOPROC. */
int target_unknown(struct cli *cli, const char *path);
/* cli_answer_status() for a request about path: suggests when the answer is noproc. */
int target_answer_status(struct cli *cli, const char *path, const struct answer *answer);
/* One request about one actor, to its supervisor. 0 and answer (to be finished), else an exit
 * status after having said why. */
int target_ask(struct cli *cli, const char *address, const char *verb, struct answer *answer,
               struct target *target);

#endif
