#include "probe.h"

#include "child.h"
#include "loop.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RETRY_MS = 50, HELPER_RETRY_MS = 200, TURN_READS = 16 };

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void ready(struct probe *probe)
{
    if (probe->watching)
        child_handle(probe->child, CHILD_EV_READY);
}

/* ---- the exec's outcome and s6's newline --------------------------------------------------- */

static void on_pipe_end(struct probe *probe)
{
    ev_io_stop(probe->loop, &probe->pipe);
    close_fd(&probe->pipe_fd);
}

/* Reads what is in the pipe: a failure record, newlines, or its end. Of a child that writes as fast
 * as we read, no more than others can wait for. True: it says "ready". */
static bool take_pipe(struct probe *probe)
{
    char bytes[256];
    ssize_t n;
    bool newline = false;

    for (int i = 0; i < TURN_READS && probe->pipe_fd >= 0; i++) {
        n = read(probe->pipe_fd, bytes, sizeof bytes);
        if (n < 0)
            break;
        if (n >= (ssize_t)sizeof probe->failure && bytes[0] == '!' && probe->exec == EXEC_UNKNOWN) {
            memcpy(&probe->failure, bytes, sizeof probe->failure);
            probe->exec = EXEC_FAILED;
        } else if (probe->exec == EXEC_UNKNOWN) {
            probe->exec = EXEC_DONE;
        }
        newline |= n > 0 && memchr(bytes, '\n', (size_t)n) && probe->exec == EXEC_DONE;
        if (n == 0)
            on_pipe_end(probe);
    }
    return newline;
}

static void begin_tcp(struct probe *probe);
static void begin_helper(struct probe *probe);

/* The program itself runs now. */
static void on_exec_done(struct probe *probe)
{
    switch (probe->child->spec->ready) {
    case READY_DEFAULT:
        if (probe->child->spec->kind == SPEC_PROGRAM)
            ready(probe);
        break;
    case READY_TCP:
        begin_tcp(probe);
        break;
    case READY_EXEC:
        begin_helper(probe);
        break;
    case READY_NOTIFY:
    case READY_LOG:
        break;
    }
}

static void on_pipe(struct ev_loop *loop, ev_io *io, int revents)
{
    struct probe *probe = container_of(io, struct probe, pipe);
    bool was_done = probe->exec == EXEC_DONE;
    bool newline = take_pipe(probe);

    (void)loop;
    (void)revents;
    if (probe->exec == EXEC_DONE && !was_done)
        on_exec_done(probe);
    if (newline && probe->child->spec->ready == READY_NOTIFY)
        ready(probe);
}

enum exec_outcome probe_exec_outcome(struct probe *probe)
{
    take_pipe(probe);
    return probe->exec;
}

/* ---- systemd's datagrams ------------------------------------------------------------------- */

static void close_rights(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            close(fd); /* BARRIER=1 waits for just this */
        }
    }
}

static pid_t sender_of(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred creds;

            memcpy(&creds, CMSG_DATA(c), sizeof creds);
            return creds.pid;
        }
    return 0;
}

/* Any member of the child may send, nobody else. */
static bool is_member(const struct probe *probe, pid_t pid)
{
    return pid > 0 && members_include(&probe->child->members, pid);
}

static void on_datagram(struct probe *probe, char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (!strcmp(line, "READY=1") && probe->child->spec->ready == READY_NOTIFY)
            ready(probe);
        else
            child_on_notify(probe->child, line);
    }
}

static void on_notify(struct ev_loop *loop, ev_io *io, int revents)
{
    struct probe *probe = container_of(io, struct probe, notify);
    char text[4096], control[512];
    struct iovec iov = {text, sizeof text - 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                         .msg_controllen = sizeof control};
    ssize_t n = recvmsg(probe->notify_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    (void)loop;
    (void)revents;
    if (n < 0)
        return;
    text[n] = '\0';
    if (is_member(probe, sender_of(&msg)))
        on_datagram(probe, text);
    close_rights(&msg);
}

/* An address that the kernel chooses, in the abstract space: nothing to name, nothing to unlink. */
static int open_notify(struct probe *probe)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t length = sizeof addr;
    int on = 1;

    probe->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe->notify_fd < 0 ||
        setsockopt(probe->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0 ||
        bind(probe->notify_fd, (struct sockaddr *)&addr, sizeof(sa_family_t)) < 0 ||
        getsockname(probe->notify_fd, (struct sockaddr *)&addr, &length) < 0)
        return -1;
    snprintf(probe->notify_name, sizeof probe->notify_name, "@%.*s",
             (int)(length - sizeof(sa_family_t) - 1), addr.sun_path + 1);
    return 0;
}

/* ---- a TCP port ---------------------------------------------------------------------------- */

static void retry_in(struct probe *probe, int ms)
{
    ev_timer_stop(probe->loop, &probe->retry);
    ev_now_update(probe->loop);
    ev_timer_set(&probe->retry, ms / 1000., 0.);
    ev_timer_start(probe->loop, &probe->retry);
}

static void end_tcp(struct probe *probe)
{
    ev_io_stop(probe->loop, &probe->tcp);
    close_fd(&probe->tcp_fd);
}

static void on_tcp(struct ev_loop *loop, ev_io *io, int revents)
{
    struct probe *probe = container_of(io, struct probe, tcp);
    int error = 0;
    socklen_t length = sizeof error;

    (void)loop;
    (void)revents;
    getsockopt(probe->tcp_fd, SOL_SOCKET, SO_ERROR, &error, &length);
    end_tcp(probe);
    if (error)
        retry_in(probe, RETRY_MS);
    else
        ready(probe);
}

/* Numeric hosts and those of /etc/hosts only: a name server must not be able to stop a supervisor. */
static struct addrinfo *look_up(const struct spec *spec)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    const char *host = !strcmp(spec->ready_host, "localhost") ? "127.0.0.1" : spec->ready_host;

    return getaddrinfo(host, spec->ready_port, &hints, &found) ? NULL : found;
}

static void begin_tcp(struct probe *probe)
{
    struct addrinfo *address = look_up(probe->child->spec);
    int result = -1;

    if (address) {
        probe->tcp_fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (probe->tcp_fd >= 0)
            result = connect(probe->tcp_fd, address->ai_addr, address->ai_addrlen);
        freeaddrinfo(address);
    }
    if (result < 0 && (probe->tcp_fd < 0 || errno != EINPROGRESS)) {
        close_fd(&probe->tcp_fd);
        retry_in(probe, RETRY_MS);
        return;
    }
    ev_io_set(&probe->tcp, probe->tcp_fd, EV_WRITE);
    ev_io_start(probe->loop, &probe->tcp);
}

/* ---- a command that exits 0 ---------------------------------------------------------------- */

static void begin_helper(struct probe *probe)
{
    probe->helper = spawn_helper(probe->child);
    if (probe->helper < 0) {
        probe->helper = 0;
        retry_in(probe, HELPER_RETRY_MS);
    }
}

bool probe_on_exit(struct probe *probe, pid_t pid, int wait_status)
{
    if (!probe->helper || probe->helper != pid)
        return false;
    probe->helper = 0;
    if (!probe->watching)
        return true;
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0)
        ready(probe);
    else
        retry_in(probe, HELPER_RETRY_MS);
    return true;
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    struct probe *probe = container_of(timer, struct probe, retry);

    (void)loop;
    (void)revents;
    if (!probe->watching)
        return;
    if (probe->child->spec->ready == READY_TCP)
        begin_tcp(probe);
    else
        begin_helper(probe);
}

void probe_on_log_match(struct probe *probe)
{
    ready(probe);
}

/* ---- life ---------------------------------------------------------------------------------- */

void probe_init(struct probe *probe, struct child *child)
{
    *probe = (struct probe){.child = child, .loop = child->supervisor->loop, .pipe_fd = -1,
                            .notify_fd = -1, .tcp_fd = -1};
    ev_init(&probe->pipe, on_pipe);
    ev_init(&probe->notify, on_notify);
    ev_init(&probe->tcp, on_tcp);
    ev_timer_init(&probe->retry, on_retry, 0., 0.);
}

int probe_prepare(struct probe *probe, int *child_end)
{
    const struct spec *spec = probe->child->spec;
    int ends[2];

    *child_end = -1;
    probe->exec = EXEC_UNKNOWN;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    probe->pipe_fd = ends[0];
    *child_end = ends[1];
    fcntl(ends[1], F_SETFL, 0); /* the child's end blocks, as a program expects */
    if (spec->ready == READY_LOG)
        logpipes_watch(&probe->child->supervisor->logpipes, probe->child);
    if (spec->kind == SPEC_PROGRAM && (spec->ready == READY_NOTIFY || spec->watchdog_ms > 0))
        return open_notify(probe);
    return 0;
}

void probe_watch(struct probe *probe)
{
    probe->watching = true;
    ev_io_set(&probe->pipe, probe->pipe_fd, EV_READ);
    ev_io_start(probe->loop, &probe->pipe);
    if (probe->notify_fd >= 0) {
        ev_io_set(&probe->notify, probe->notify_fd, EV_READ);
        ev_io_start(probe->loop, &probe->notify);
    }
}

void probe_settle(struct probe *probe)
{
    probe->watching = false;
    ev_timer_stop(probe->loop, &probe->retry);
    end_tcp(probe);
    on_pipe_end(probe);
    if (probe->helper > 0)
        kill(-probe->helper, SIGKILL);
    logpipes_unwatch(&probe->child->supervisor->logpipes, probe->child);
}

void probe_finish(struct probe *probe)
{
    probe_settle(probe);
    ev_io_stop(probe->loop, &probe->notify);
    close_fd(&probe->notify_fd);
    probe->notify_name[0] = '\0';
}
