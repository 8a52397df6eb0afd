/*
 * The command line: what every verb is given and what its table entry says. One file a verb
 * (cmd_ps.c defines verb_ps); verbs.c lists them. Usage, help, completion and the manual's section
 * on verbs are all made from these entries, so an entry is the only place that describes a verb.
 *
 * Data goes to stdout, all else to stderr. A verb's run() returns the exit status.
 */
#ifndef TROUPE_CLI_H
#define TROUPE_CLI_H

#include "client.h"
#include "output.h"

#include <stdbool.h>
#include <stddef.h>

/* Exit statuses (CLI, "Rules for every verb"). */
enum status {
    STATUS_DONE = 0,
    STATUS_NOT = 1, /* not in the wanted state, or refused */
    STATUS_USAGE = 2,
    STATUS_NOPROC = 3,  /* no such actor */
    STATUS_NO_NODE = 4, /* no node reached */
    STATUS_DENIED = 5,
    STATUS_TIMEOUT = 6,
    STATUS_CONFIG = 7,
    STATUS_ACTOR = 8, /* the actor answered with an error */
};

enum verb_flags {
    NEEDS_NODE = 1,     /* a running node is looked for before run() */
    HAS_OUTPUT = 2,     /* takes -o */
    HAS_COLUMNS = 4,    /* and its -o names are the columns of ps, not its own */
    PICKS_NODE = 8,     /* takes --node, but looks for the node itself */
    OPTIONS_FIRST = 16, /* options end at the first argument: what follows is the actor's */
};

/* What its arguments are: for completion. */
enum verb_takes {
    TAKES_NOTHING,
    TAKES_ADDRESSES,
    TAKES_APPLICATIONS,
    TAKES_FILES,
    TAKES_VERBS,
    TAKES_SHELLS,
    TAKES_MESSAGE, /* ADDRESS MESSAGE ARG... */
    TAKES_GROUP,
    TAKES_NODES,
    TAKES_COMMAND, /* COMMAND ARG... */
    TAKES_STATE,   /* get|put|rm|list ADDRESS [NAME] */
};

struct option {
    char letter;       /* or 0 */
    const char *name;  /* without its two dashes */
    const char *value; /* what it takes ("NAME"), or NULL for a switch */
    const char *text;  /* one line */
};

enum { OPTIONS_MAX = 12 };

struct cli;

struct verb {
    const char *name;
    const char *synopsis; /* the arguments, without options: "ADDRESS..." */
    const char *line;     /* one line of help */
    const char *text;     /* more of it: paragraphs, one line each, without a final newline */
    const char *examples; /* lines "COMMAND\tWHAT IT DOES" */
    struct option options[OPTIONS_MAX]; /* its own; ends with name NULL */
    int min_args, max_args;             /* max -1: any number */
    unsigned flags;
    const char *const *columns; /* -o names, when they are its own; NULL-terminated */
    enum verb_takes takes;
    int (*run)(struct cli *cli);
};

/* One option as it was given. */
struct given {
    size_t index;      /* option_at()'s */
    const char *value; /* "" for a switch */
};

struct cli {
    const struct verb *verb;
    struct given *given; /* in the order of the command line */
    size_t given_count;
    char **args; /* what is no option; NULL-terminated */
    int arg_count;
    struct output out;
    struct client client;
};

/* Every verb in the order of the help page; ends with NULL. */
extern const struct verb *const verbs[];
const struct verb *verb_find(const char *name);
/* The verb whose name is nearest, or NULL. */
const char *verb_nearest(const char *name);

/* The verb's i-th option, the common ones after its own; NULL after the last. */
const struct option *option_at(const struct verb *verb, size_t i);
/* Sorts argv[1 …] into cli's values and args. 0, or STATUS_USAGE after having said why. */
int options_parse(struct cli *cli, int argc, char **argv);
/* The option's value ("" for a switch), the last one when it was given several times; NULL when it
 * was not given. */
const char *cli_option(const struct cli *cli, const char *name);
/* The value with which it was given the n-th time, from 0; NULL after the last. */
const char *cli_option_nth(const struct cli *cli, const char *name, size_t n);

/* "troupe: TEXT" on stderr; returns status, so that `return cli_fail(...)` reads well. */
int cli_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Says on stderr why an answer is not what was asked for, and returns the exit status for it.
 * what is the address or thing that was asked about. */
int cli_answer_status(struct cli *cli, const char *what, const struct answer *answer);
/* "no session to west", where that place is; returns STATUS_NO_NODE. */
int cli_cut_off(const char *place);
/* One usage line for the verb on stderr; returns STATUS_USAGE. */
int cli_usage(const struct verb *verb);
/* Connects cli->client to the node that --node, the environment or the run directories say.
 * 0, or the exit status after having said why. */
int cli_open_node(struct cli *cli);
/* A node closes strangers at once, which looks like an end; so who is neither root nor its owner
 * asks first whether he may look at all. 0, or the exit status after having said why. */
int cli_check_rights(struct cli *cli);
/* The same, silently: why it was not 0 is in err. */
int cli_find_node(struct cli *cli, struct error *err);

/* For a child: gives back the limits that this program has raised for itself. */
void cli_restore_limits(void);

/* Makes argv[0] of `troupe-supervisord`: beside this program, else its bare name for PATH. */
void cli_supervisord_path(char *out, size_t size);

/* Help texts, made from the table. */
struct buf;
void help_overview(struct buf *out);
void help_verb(const struct verb *verb, struct buf *out);
void help_mdoc(struct buf *out);
/* The script for "bash", "zsh" or "fish". -1 for another shell. */
int completion_script(const char *shell, struct buf *out);

#endif
