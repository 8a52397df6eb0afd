/*
 * Running troupe-supervisord: asking it what config files say, and starting a node with it.
 */
#ifndef TROUPE_CLI_DAEMON_H
#define TROUPE_CLI_DAEMON_H

#include "cli.h"

#include <sys/types.h>

/* What the files say, as far as `up` needs to know. */
struct plan {
    char node[65]; /* "" when they name none */
    struct words applications;
};

/* `troupe-supervisord --print-node FILE…`: its messages go to stderr. 0, or an exit status. */
int plan_read(struct cli *cli, struct plan *plan);
void plan_finish(struct plan *plan);

/* A node that we have started. */
struct daemon {
    pid_t pid;      /* of its guard, our child */
    int last_words; /* what it says when it ends by itself; closed by the caller */
};

/* Starts the node and returns when it has booted: 0 and the daemon; else the exit status that it
 * ended with, its messages being on stderr. Ctrl-C meanwhile ends the start. */
int daemon_start(struct cli *cli, const char *node, bool foreground, struct daemon *daemon);
/* Why the node ends, as far as it has said so by now; else "". */
void daemon_last_words(const struct daemon *daemon, char *out, size_t size);

#endif
