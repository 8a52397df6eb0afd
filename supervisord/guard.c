#include "guard.h"

#include "members.h"
#include "title.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void block(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigprocmask(SIG_BLOCK, set, NULL);
}

/* Waits for the root; passes on the wish to end in order. */
static int await(pid_t root, const sigset_t *set)
{
    int status;

    for (;;) {
        int number = sigwaitinfo(set, NULL);
        pid_t pid;

        if (number == SIGTERM || number == SIGINT)
            kill(root, SIGTERM);
        while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
            if (pid == root)
                return status;
    }
}

static bool is_nobody(pid_t pid, void *ctx)
{
    (void)pid;
    (void)ctx;
    return false;
}

/* Killing one adopts its children in turn: again, until nobody is left. */
static void kill_what_is_left(void)
{
    const struct timespec moment = {0, 2000000};
    struct strays strays;

    if (strays_open() < 0)
        return;
    while (strays_scan(is_nobody, NULL, &strays) == 0 && strays.count) {
        for (size_t i = 0; i < strays.count; i++)
            kill(strays.at[i].pid, SIGKILL);
        strays_finish(&strays);
        nanosleep(&moment, NULL);
    }
}

static void let_go_of_output(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0U, 0);
}

static _Noreturn void guard(pid_t root, const sigset_t *set, bool quiet,
                            const struct cgroup_base *cgroup)
{
    int status;

    if (quiet)
        let_go_of_output();
    title_set("troupe-supervisord (guard)");
    status = await(root, set);
    kill_what_is_left();
    cgroup_end(cgroup);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int guard_split(bool foreground, bool quiet, const struct cgroup_base *cgroup)
{
    sigset_t set, before;
    pid_t root, self = getpid();

    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ||
        (foreground && prctl(PR_SET_PDEATHSIG, SIGTERM) < 0))
        return -1;
    sigprocmask(SIG_BLOCK, NULL, &before);
    block(&set);
    root = fork();
    if (root < 0)
        return -1;
    if (root > 0)
        guard(root, &set, quiet, cgroup);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
        return -1;
    if (getppid() != self)
        raise(SIGTERM);
    title_set("troupe-supervisord (root)");
    return 0;
}
