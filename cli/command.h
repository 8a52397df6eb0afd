/*
 * A command that this program runs as its only child, in a process group of its own: its start, its
 * signals, its true end. On a terminal the command has it, as if the shell had started it. It is
 * killed when this program is.
 *
 * Its members (SEMANTICS 2) are its process group and whoever has left that, by setsid or a double
 * fork: those come to this program, a subreaper, when their parents end. The end is told when no
 * member is left: what the command leaves behind is stopped as the command would be.
 */
#ifndef TROUPE_CLI_COMMAND_H
#define TROUPE_CLI_COMMAND_H

#include "brood.h"
#include "loop.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

enum { COMMAND_SIGNALS = 7, COMMAND_GRACE_MS = 5000 };

struct command {
    struct ev_loop *loop;
    pid_t pid; /* its process group as well */
    int wait_status;
    bool is_ended; /* it is reaped; others of its may be there yet */
    bool is_told;
    bool is_stopping, is_killed;    /* it, and before it had ended */
    bool is_group_told, is_overdue; /* its members have had SIGTERM; it is time for SIGKILL */
    struct brood before, told;      /* children that are not its; of its, who has had the signal */
    bool has_terminal;
    void (*on_end)(struct command *command);
    ev_signal signals[COMMAND_SIGNALS], child;
    ev_timer grace, look;
};

/* Starts argv (looked for in PATH) with what prepare() changes in the child's environment, and
 * forwards signals to it from then on. on_end comes once, from the loop, with wait_status set.
 * 0; or -1 with errno: why there could be no process, or why it could not be executed. */
int command_start(struct command *command, struct ev_loop *loop, char **argv,
                  void (*prepare)(void *data), void *data, void (*on_end)(struct command *command));
/* SIGTERM to all members, and SIGKILL after COMMAND_GRACE_MS to what is left of them. */
void command_stop(struct command *command);
/* What a shell says of that end: the status, or 128 and the signal. */
int command_exit_status(const struct command *command);
/* Stops watching. */
void command_finish(struct command *command);

#endif
