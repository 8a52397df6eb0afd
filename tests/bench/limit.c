/*
 * What the kernel allows: the least that a supervisor of each kind has to do, and nothing else.
 *
 *   limit respawn PROGRAM ARG   keeps PROGRAM running: fork, exec, waitpid
 *   limit reloop FIFO           keeps a forked child running that makes an epoll loop, then says so
 *   limit start N               forks N children one after another; each makes an epoll loop and
 *                               writes a byte, which is awaited; prints microseconds in all
 *   limit hold N                holds N forked children that do nothing until its input ends
 *
 * The first two run until SIGTERM, which ends the child too.
 */
#include "stamp.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static volatile sig_atomic_t current;

static void on_term(int number)
{
    (void)number;
    if (current > 0)
        kill(current, SIGKILL);
    _exit(0);
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Makes a loop that listens to fd, and returns it. */
static int make_loop(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0)
        _exit(1);
    return loop;
}

static _Noreturn void loop_for_ever(int loop)
{
    struct epoll_event event;

    for (;;)
        epoll_wait(loop, &event, 1, -1);
}

static _Noreturn void be_program(char **argv)
{
    signal(SIGTERM, SIG_DFL);
    execv(argv[0], argv);
    _exit(127);
}

/* The stamp is taken where a module's own code would begin: its loop is there. */
static _Noreturn void be_module(const char *fifo, int fd)
{
    int loop;

    signal(SIGTERM, SIG_DFL);
    loop = make_loop(fd);
    if (stamp_write(fifo, stamp_now()))
        _exit(1);
    loop_for_ever(loop);
}

static int keep(char **argv, bool is_module)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe");
    signal(SIGTERM, on_term);
    for (;;) {
        current = fork();
        if (current < 0)
            die("fork");
        if (current == 0 && is_module)
            be_module(argv[0], ends[0]);
        if (current == 0)
            be_program(argv);
        waitpid(current, NULL, 0);
    }
}

static void end_all(const pid_t *pids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    for (size_t i = 0; i < n; i++)
        waitpid(pids[i], NULL, 0);
}

/* A descriptor of its own for each, as a supervisor has for what a child says. */
static pid_t start_one(void)
{
    int ends[2];
    char byte = 0;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe");
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        int loop = make_loop(ends[0]);

        if (write(ends[1], &byte, 1) != 1)
            _exit(1);
        loop_for_ever(loop);
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1)
        die("read");
    close(ends[0]);
    return pid;
}

static int start_many(size_t n)
{
    pid_t *pids = calloc(n, sizeof *pids);
    int64_t begin = stamp_now();

    if (!pids)
        die("calloc");
    for (size_t i = 0; i < n; i++)
        pids[i] = start_one();
    printf("%lld\n", (long long)(stamp_now() - begin) / 1000);
    end_all(pids, n);
    free(pids);
    return 0;
}

static int hold(size_t n)
{
    pid_t *pids = calloc(n, sizeof *pids);
    char byte;

    if (!pids)
        die("calloc");
    for (size_t i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] < 0)
            die("fork");
        if (pids[i] == 0)
            for (;;)
                pause();
    }
    puts("held");
    fflush(stdout);
    if (read(STDIN_FILENO, &byte, 1) < 0)
        perror("read");
    end_all(pids, n);
    free(pids);
    return 0;
}

int main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (argc > 2 && !strcmp(argv[1], "respawn"))
        return keep(argv + 2, false);
    if (argc > 2 && !strcmp(argv[1], "reloop"))
        return keep(argv + 2, true);
    if (argc > 2 && !strcmp(argv[1], "start"))
        return start_many(strtoul(argv[2], NULL, 10));
    if (argc > 2 && !strcmp(argv[1], "hold"))
        return hold(strtoul(argv[2], NULL, 10));
    fputs("usage: limit respawn PROGRAM ARG | reloop FIFO | start N | hold N\n", stderr);
    return 2;
}
