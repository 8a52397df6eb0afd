#include "daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* argv of troupe-supervisord, to be freed: its options (NULL-terminated), then the files. */
static char **make_argv(const struct cli *cli, char *path, char *const *options)
{
    size_t count = 0, files = (size_t)cli->arg_count;
    char **argv;

    while (options[count])
        count++;
    argv = cli_alloc((count + files + 2) * sizeof *argv);
    argv[0] = path;
    memcpy(argv + 1, options, count * sizeof *argv);
    memcpy(argv + 1 + count, cli->args, files * sizeof *argv);
    return argv;
}

_Noreturn static void execute(char **argv)
{
    signal(SIGPIPE, SIG_DFL);
    execvp(argv[0], argv);
    _exit(cli_fail(STATUS_NOT, "cannot run %s: %s", argv[0], strerror(errno)));
}

static int reap(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return STATUS_NOT;
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return cli_fail(STATUS_NOT, "troupe-supervisord was ended by signal %d", WTERMSIG(status));
}

/* ---- the plan --------------------------------------------------------------------------- */

/* Lines: NODE first, then "application NAME" for each. */
static void read_lines(FILE *from, struct plan *plan)
{
    static const char application[] = "application ";
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    while ((length = getline(&line, &size, from)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (strncmp(line, application, sizeof application - 1) == 0)
            cli_check_memory(words_append(&plan->applications, line + sizeof application - 1));
        else if (!*plan->node)
            snprintf(plan->node, sizeof plan->node, "%s", line);
    }
    free(line);
}

int plan_read(struct cli *cli, struct plan *plan)
{
    char *options[] = {(char *)"--print-node", NULL};
    char path[PATH_MAX];
    char **argv;
    int ends[2];
    FILE *from;
    pid_t pid;

    *plan = (struct plan){0};
    cli_supervisord_path(path, sizeof path);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return cli_fail(STATUS_NOT, "pipe: %s", strerror(errno));
    argv = make_argv(cli, path, options);
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execute(argv);
    }
    free(argv);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return cli_fail(STATUS_NOT, "fork: %s", strerror(errno));
    }
    from = fdopen(ends[0], "r");
    cli_check_memory(!from);
    read_lines(from, plan);
    fclose(from);
    return reap(pid);
}

void plan_finish(struct plan *plan)
{
    words_finish(&plan->applications);
}

/* ---- starting --------------------------------------------------------------------------- */

struct start {
    pid_t pid;
    char line[sizeof "booted\n"]; /* not a byte more: what follows is the node's last words */
    size_t length;
    bool is_booted;
    ev_io ready;
    ev_signal on_int, on_term;
};

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    struct start *start = watcher->data;

    (void)loop;
    (void)events;
    kill(start->pid, SIGTERM);
}

/* One line comes, "booted", or the end without it. */
static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
    struct start *start = container_of(io, struct start, ready);
    ssize_t n = read(io->fd, start->line + start->length, sizeof start->line - start->length - 1);

    (void)events;
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    start->length += n > 0 ? (size_t)n : 0;
    start->line[start->length] = '\0';
    start->is_booted = strncmp(start->line, "booted\n", 7) == 0;
    if (n <= 0 || strchr(start->line, '\n') || start->length + 1 == sizeof start->line)
        ev_break(loop, EVBREAK_ALL);
}

static void wait_for_boot(struct client *client, struct start *start, int fd)
{
    ev_io_init(&start->ready, on_ready, fd, EV_READ);
    ev_signal_init(&start->on_int, on_signal, SIGINT);
    ev_signal_init(&start->on_term, on_signal, SIGTERM);
    start->on_int.data = start->on_term.data = start;
    ev_io_start(client->loop, &start->ready);
    ev_signal_start(client->loop, &start->on_int);
    ev_signal_start(client->loop, &start->on_term);
    ev_run(client->loop, 0);
    ev_io_stop(client->loop, &start->ready);
    ev_signal_stop(client->loop, &start->on_int);
    ev_signal_stop(client->loop, &start->on_term);
}

/* In a session of its own, so that Ctrl-C on this terminal reaches only us. */
_Noreturn static void become_daemon(char **argv, int ready_fd)
{
    int null = open("/dev/null", O_RDONLY);

    setsid();
    dup2(null, STDIN_FILENO);
    if (null > STDERR_FILENO)
        close(null);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    fcntl(ready_fd, F_SETFD, 0);
    execute(argv);
}

int daemon_start(struct cli *cli, const char *node, bool foreground, struct daemon *daemon)
{
    char path[PATH_MAX], fd_text[16];
    char *options[] = {(char *)"--node",
                       (char *)node,
                       (char *)"--ready-fd",
                       fd_text,
                       foreground ? (char *)"--foreground" : NULL,
                       NULL};
    struct start start = {0};
    char **argv;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return cli_fail(STATUS_NOT, "pipe: %s", strerror(errno));
    cli_supervisord_path(path, sizeof path);
    snprintf(fd_text, sizeof fd_text, "%d", ends[1]);
    argv = make_argv(cli, path, options);
    start.pid = fork();
    if (start.pid == 0)
        become_daemon(argv, ends[1]);
    free(argv);
    close(ends[1]);
    if (start.pid < 0) {
        close(ends[0]);
        return cli_fail(STATUS_NOT, "fork: %s", strerror(errno));
    }
    wait_for_boot(&cli->client, &start, ends[0]);
    *daemon = (struct daemon){start.pid, ends[0]};
    if (start.is_booted)
        return 0;
    int status = reap(start.pid);

    return status ? status : cli_fail(STATUS_NOT, "troupe-supervisord ended before it had booted");
}

void daemon_last_words(const struct daemon *daemon, char *out, size_t size)
{
    struct pollfd words = {.fd = daemon->last_words, .events = POLLIN};
    ssize_t n = 0;

    if (poll(&words, 1, 0) > 0 && words.revents & POLLIN)
        n = read(daemon->last_words, out, size - 1);
    out[n > 0 ? n : 0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}
