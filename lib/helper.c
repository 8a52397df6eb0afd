#include "helper.h"

#include "newborn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_FD = 3 }; /* the first after stdin, stdout and stderr */

/* ---- in the helper --------------------------------------------------------------------------- */

/* The loop's epoll goes with the rest: it is abandoned, as lib/loop.h says. */
static void close_all_but(int output)
{
    if (output != OUTPUT_FD)
        dup3(output, OUTPUT_FD, O_CLOEXEC);
    close_range(OUTPUT_FD + 1, ~0U, 0);
}

static void become_helper(pid_t parent, helper_run *run, void *data, int output)
{
    int status;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1); /* it died before we could ask to die with it */
    newborn_reset_signals(); /* a handler of ours, that of crashes too, would speak for the actor */
    close_all_but(output);
    newborn_forget_environment(); /* a program that the function runs must not look for it */
    status = run(data, OUTPUT_FD);
    fflush(NULL);
    _exit(status);
}

/* ---- in the actor ---------------------------------------------------------------------------- */

/* Signals wait until the helper's handlers are not ours any more: libev's would wake our loop. */
static pid_t fork_quietly(helper_run *run, void *data, int output)
{
    pid_t parent = getpid(), pid;
    sigset_t all, before;
    int code;

    fflush(NULL); /* or the helper would print it, too */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (pid == 0)
        become_helper(parent, run, data, output);
    code = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return pid;
}

static void close_quietly(int fd)
{
    int code = errno;

    if (fd >= 0)
        close(fd);
    errno = code;
}

int helper_start(struct helper *helper, helper_run *run, void *data)
{
    int ends[2];

    *helper = (struct helper){.pid = -1, .pidfd = -1, .output = -1};
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    helper->output = ends[0];
    helper->pid = fork_quietly(run, data, ends[1]);
    close_quietly(ends[1]);
    if (helper->pid < 0)
        goto fail;
    helper->pidfd = pidfd_open(helper->pid, 0);
    if (helper->pidfd < 0 || fcntl(helper->output, F_SETFL, O_NONBLOCK) < 0)
        goto fail;
    return 0;

fail:
    if (helper->pid > 0) {
        kill(helper->pid, SIGKILL);
        waitpid(helper->pid, NULL, 0);
    }
    close_quietly(helper->pidfd);
    close_quietly(helper->output);
    return -1;
}

void helper_kill(const struct helper *helper)
{
    pidfd_send_signal(helper->pidfd, SIGKILL, NULL, 0);
}

/* waitid() tells the parts of a wait status: this is the whole that the macros of wait() read. */
static int wait_status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return W_EXITCODE(info->si_status, 0);
    case CLD_DUMPED:
        return W_EXITCODE(0, info->si_status) | WCOREFLAG;
    default:
        return W_EXITCODE(0, info->si_status);
    }
}

int helper_reap(const struct helper *helper, int *wait_status)
{
    siginfo_t info = {0};

    while (waitid(P_PIDFD, (id_t)helper->pidfd, &info, WEXITED) < 0)
        if (errno != EINTR)
            return -1;
    *wait_status = wait_status_of(&info);
    return 0;
}

void helper_close(struct helper *helper)
{
    if (helper->pidfd >= 0)
        close(helper->pidfd);
    if (helper->output >= 0)
        close(helper->output);
    helper->pidfd = helper->output = -1;
}
