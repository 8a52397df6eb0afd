#include "port_program.h"

#include "newborn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Both ends of what is between the two, and how a failed exec is told. */
struct ends {
    int in[2], out[2], failure[2]; /* read, write */
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_ends(struct ends *ends)
{
    for (int i = 0; i < 2; i++) {
        close_end(&ends->in[i]);
        close_end(&ends->out[i]);
        close_end(&ends->failure[i]);
    }
}

void port_program_init(struct port_program *program)
{
    *program = (struct port_program){.in = -1, .out = -1, .end = -1};
}

void port_program_finish(struct port_program *program)
{
    if (program->pid) {
        kill(program->pid, SIGKILL);
        while (waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close_end(&program->in);
    close_end(&program->out);
    close_end(&program->end);
    port_program_init(program);
}

/* ---- the program's side -------------------------------------------------------------------- */

static _Noreturn void fail(int pipe)
{
    int code = errno;

    if (write(pipe, &code, sizeof code) < 0)
        _exit(126);
    _exit(127);
}

static _Noreturn void become(char *const *words, const struct ends *ends, pid_t parent)
{
    int failure = fcntl(ends->failure[1], F_DUPFD_CLOEXEC, 3);

    if (failure < 0 || dup2(ends->in[0], 0) < 0 || dup2(ends->out[1], 1) < 0)
        fail(ends->failure[1]);
    if (dup3(failure, 3, O_CLOEXEC) < 0 && errno != EINVAL) /* EINVAL: it is there already */
        fail(failure);
    close_range(4, ~0u, 0);
    newborn_reset_signals();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        fail(3);
    if (getppid() != parent)
        _exit(126);
    newborn_forget_environment();
    execvp(words[0], words);
    fail(3);
}

/* ---- the port's side ----------------------------------------------------------------------- */

static int make_ends(struct ends *ends)
{
    *ends = (struct ends){{-1, -1}, {-1, -1}, {-1, -1}};
    if (pipe2(ends->in, O_CLOEXEC) < 0 || pipe2(ends->out, O_CLOEXEC) < 0 ||
        pipe2(ends->failure, O_CLOEXEC) < 0)
        return -1;
    fcntl(ends->in[1], F_SETFL,
          O_NONBLOCK); /* our ends only: the program's are other descriptions */
    fcntl(ends->out[0], F_SETFL, O_NONBLOCK);
    return 0;
}

/* 0 when exec has succeeded; else its errno. */
static int wait_for_exec(struct ends *ends)
{
    int code = 0;
    ssize_t n;

    close_end(&ends->failure[1]);
    do
        n = read(ends->failure[0], &code, sizeof code);
    while (n < 0 && errno == EINTR);
    return n == sizeof code ? code : 0;
}

static int take_ends(struct port_program *program, struct ends *ends)
{
    program->end = (int)syscall(SYS_pidfd_open, program->pid, 0);
    program->in = ends->in[1];
    program->out = ends->out[0];
    ends->in[1] = ends->out[0] = -1;
    return program->end < 0 ? -1 : 0;
}

int port_program_start(struct port_program *program, char *const *words)
{
    pid_t parent = getpid();
    struct ends ends;
    int code = 0;

    if (make_ends(&ends) < 0 || (program->pid = fork()) < 0) {
        code = errno;
        program->pid = 0;
        close_ends(&ends);
        errno = code;
        return -1;
    }
    if (program->pid == 0)
        become(words, &ends, parent);
    code = wait_for_exec(&ends);
    if (!code && take_ends(program, &ends) < 0)
        code = errno;
    close_ends(&ends);
    if (code)
        port_program_finish(program);
    errno = code;
    return code ? -1 : 0;
}

void port_program_close_input(struct port_program *program)
{
    close_end(&program->in);
}

void port_program_close_output(struct port_program *program)
{
    close_end(&program->out);
}

void port_program_signal(const struct port_program *program, int signal)
{
    if (program->pid)
        kill(program->pid, signal);
}

bool port_program_reap(struct port_program *program, char reason[REASON_MAX])
{
    int status;

    if (!program->pid || waitpid(program->pid, &status, WNOHANG) != program->pid)
        return false;
    program->pid = 0;
    reason_of_status(status, false, 0, false, reason);
    return true;
}
