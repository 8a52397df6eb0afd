#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const int forwarded[COMMAND_SIGNALS] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                               SIGUSR1, SIGUSR2, SIGWINCH};
static const double look_s = 0.05;

/* ---- the terminal ------------------------------------------------------------------------ */

static bool is_in_foreground(void)
{
    return isatty(STDIN_FILENO) && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

static void give_terminal(const struct command *command)
{
    if (command->has_terminal)
        tcsetpgrp(STDIN_FILENO, command->pid);
}

static void take_terminal(const struct command *command)
{
    if (command->has_terminal && tcgetpgrp(STDIN_FILENO) == command->pid)
        tcsetpgrp(STDIN_FILENO, getpgrp());
}

/* Ctrl-Z stopped it: the shell is to see that we are stopped, and it goes on when we do. */
static void stop_along(struct command *command)
{
    if (!command->has_terminal)
        return;
    take_terminal(command);
    kill(getpid(), SIGSTOP);
    if (is_in_foreground())
        give_terminal(command);
    kill(-command->pid, SIGCONT);
}

/* ---- its end ----------------------------------------------------------------------------- */

static bool is_group_empty(const struct command *command)
{
    return kill(-command->pid, 0) != 0 && errno == ESRCH;
}

/* A member that has left the group, and has come to us. */
static bool is_escaped(const struct command *command, pid_t pid)
{
    return pid != command->pid && !brood_has(&command->before, pid) && getpgid(pid) != command->pid;
}

static void send(const struct command *command, pid_t to)
{
    kill(to, command->is_overdue ? SIGKILL : SIGTERM);
    kill(to, SIGCONT);
}

/* SIGTERM is said once to each, SIGKILL for as long as it takes. Returns how many there are. */
static size_t tell_escaped(struct command *command)
{
    struct brood brood = {0};
    size_t count = 0;

    brood_read(&brood);
    for (size_t i = 0; i < brood.count; i++) {
        pid_t pid = brood.at[i];

        if (!is_escaped(command, pid))
            continue;
        count++;
        if (!command->is_overdue && brood_has(&command->told, pid))
            continue;
        send(command, pid);
        brood_add(&command->told, pid);
    }
    brood_finish(&brood);
    return count;
}

static void tell_group(struct command *command)
{
    if (command->is_group_told && !command->is_overdue)
        return;
    command->is_group_told = true;
    send(command, -command->pid);
    ev_now_update(command->loop);
    if (!command->is_overdue)
        ev_timer_start(command->loop, &command->grace);
}

/* It has ended when its last member has. */
static void settle(struct command *command)
{
    if (!command->is_ended || command->is_told)
        return;
    if (tell_escaped(command) > 0 || !is_group_empty(command)) {
        tell_group(command);
        ev_timer_start(command->loop, &command->look);
        return;
    }
    ev_timer_stop(command->loop, &command->look);
    ev_timer_stop(command->loop, &command->grace);
    command->is_told = true;
    command->on_end(command);
}

/* Others than the command come to us when their parents have ended. */
static void reap(struct command *command)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
        if (pid != command->pid)
            continue;
        if (WIFSTOPPED(status)) {
            stop_along(command);
            continue;
        }
        command->wait_status = status;
        command->is_ended = true;
        take_terminal(command);
    }
    settle(command);
}

static void on_child(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)loop;
    (void)events;
    reap(container_of(watcher, struct command, child));
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)events;
    settle(container_of(timer, struct command, look));
}

static void on_grace(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct command *command = container_of(timer, struct command, grace);

    (void)loop;
    (void)events;
    command->is_overdue = true;
    command->is_killed = !command->is_ended;
    tell_group(command);
    tell_escaped(command);
}

void command_stop(struct command *command)
{
    if (command->is_stopping || command->is_ended)
        return;
    command->is_stopping = true;
    tell_group(command);
    tell_escaped(command);
}

int command_exit_status(const struct command *command)
{
    if (WIFEXITED(command->wait_status))
        return WEXITSTATUS(command->wait_status);
    return 128 + WTERMSIG(command->wait_status);
}

/* ---- its start --------------------------------------------------------------------------- */

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    const struct command *command = watcher->data;

    (void)loop;
    (void)events;
    if (!command->is_ended)
        kill(-command->pid, watcher->signum);
}

static bool is_ignored(int number)
{
    struct sigaction old;

    return sigaction(number, NULL, &old) == 0 && old.sa_handler == SIG_IGN;
}

/* What is ignored, as by nohup, the command ignores by itself. */
static void watch_signals(struct command *command)
{
    for (size_t i = 0; i < COMMAND_SIGNALS; i++) {
        ev_signal_init(&command->signals[i], on_signal, forwarded[i]);
        command->signals[i].data = command;
        if (!is_ignored(forwarded[i]))
            ev_signal_start(command->loop, &command->signals[i]);
    }
    ev_signal_init(&command->child, on_child, SIGCHLD);
    ev_signal_start(command->loop, &command->child);
    ev_timer_init(&command->grace, on_grace, COMMAND_GRACE_MS / 1000.0, 0);
    ev_timer_init(&command->look, on_look, look_s, look_s);
}

/* Until they are watched the signals to go on wait: they would end us, and the command unheard. */
static void hold_signals(sigset_t *before)
{
    sigset_t held;

    sigemptyset(&held);
    for (size_t i = 0; i < COMMAND_SIGNALS; i++)
        sigaddset(&held, forwarded[i]);
    sigprocmask(SIG_BLOCK, &held, before);
}

/* In the child: does not come back. */
static _Noreturn void become(const struct command *command, char **argv, pid_t parent, int out)
{
    int code;

    setpgid(0, 0);
    if (command->has_terminal)
        tcsetpgrp(STDIN_FILENO, getpid());
    signal(SIGTTOU, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    execvp(argv[0], argv);
    code = errno;
    while (write(out, &code, sizeof code) < 0 && errno == EINTR)
        ;
    _exit(127);
}

/* 0 once it is executed, or why it was not. */
static int read_failure(int in)
{
    int code = 0;
    ssize_t got;

    do
        got = read(in, &code, sizeof code);
    while (got < 0 && errno == EINTR);
    return got == sizeof code ? code : 0;
}

int command_start(struct command *command, struct ev_loop *loop, char **argv,
                  void (*prepare)(void *data), void *data, void (*on_end)(struct command *command))
{
    pid_t parent = getpid();
    sigset_t before;
    int failure[2], code;

    *command = (struct command){.loop = loop, .on_end = on_end, .has_terminal = is_in_foreground()};
    brood_read(&command->before);
    if (pipe2(failure, O_CLOEXEC) != 0)
        return -1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGTTOU, SIG_IGN); /* or taking the terminal back would stop us */
    hold_signals(&before);
    command->pid = fork();
    if (command->pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        prepare(data);
        become(command, argv, parent, failure[1]);
    }
    code = command->pid < 0 ? errno : 0;
    close(failure[1]);
    if (command->pid > 0) {
        setpgid(command->pid, command->pid);
        give_terminal(command);
        code = read_failure(failure[0]);
    }
    close(failure[0]);
    if (!code) {
        watch_signals(command);
        sigprocmask(SIG_SETMASK, &before, NULL);
        ev_feed_signal(SIGCHLD); /* it may have ended already */
        return 0;
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (command->pid > 0)
        waitpid(command->pid, NULL, 0);
    take_terminal(command);
    errno = code;
    return -1;
}

void command_finish(struct command *command)
{
    brood_finish(&command->before);
    brood_finish(&command->told);
    if (command->pid <= 0)
        return;
    for (size_t i = 0; i < COMMAND_SIGNALS; i++)
        ev_signal_stop(command->loop, &command->signals[i]);
    ev_signal_stop(command->loop, &command->child);
    ev_timer_stop(command->loop, &command->grace);
    ev_timer_stop(command->loop, &command->look);
}
