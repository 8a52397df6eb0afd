/*
 * A helper: a forked copy of this process that runs one function and ends; what it writes comes
 * back over a pipe (troupe_work). It stays in our process group and never outlives us (SEMANTICS
 * 2). Its end shows on a pidfd: nobody's SIGCHLD is touched (PITFALLS 3). Private to the runtime.
 */
#ifndef TROUPE_HELPER_H
#define TROUPE_HELPER_H

#include <sys/types.h>

struct helper {
    pid_t pid;
    int pidfd;  /* readable when it has ended */
    int output; /* what it writes: ours to read, non-blocking */
};

/* Runs in the helper, with output to write to; what it returns is its exit status. */
typedef int helper_run(void *data, int output);

/* Forks. Of our descriptors the helper keeps stdin, stdout and stderr; all its signals are as if it
 * had just been executed. 0, or -1 with errno of pipe2, fork or pidfd_open. */
int helper_start(struct helper *helper, helper_run *run, void *data);
/* SIGKILL. */
void helper_kill(const struct helper *helper);
/* Its wait status, once pidfd is readable (blocks before that). 0; or -1 with ECHILD: somebody else
 * in this process has waited for it. */
int helper_reap(const struct helper *helper, int *wait_status);
/* Closes our ends; the helper itself is not touched. */
void helper_close(struct helper *helper);

#endif
