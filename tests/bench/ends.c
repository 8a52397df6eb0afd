/* The limits of ending and of hearing of it, bare: what supervisors, connections and messages cost
 * at least in system calls, and nothing else.
 *
 *   ends notice N                 SIGKILL to a child until its parent, in epoll, has reaped it
 *   ends lookup N                 a connection to another process that says who it is, both ways
 *   ends cycle TIE WHERE END N    a child's life: the watcher ends it, its parent reaps it, tells
 * the watcher, forks the next one, which makes a loop and tells the watcher
 *
 * TIE: none; mine, the watcher asks the parent for word of the end, and is answered; or its, the
 * child asks for word of another one's. WHERE: near, the watcher and the parent are connected; or
 * far, a third process passes everything on. END: drop, the watcher kills the child; or error, it
 * sends it a message, and the child tells its parent before it ends.
 *
 * Prints a median, nanoseconds; notice also the 99th percentile. */
#include "measure.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE = 64 }; /* bytes of everything that is said, about what our lines have */

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static int loop_create(void)
{
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (loop < 0)
        die("epoll_create1");
    return loop;
}

static void loop_add(int loop, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

/* The descriptor that has something. */
static int loop_wait(int loop)
{
    struct epoll_event event;

    while (epoll_wait(loop, &event, 1, -1) < 1)
        ;
    return event.data.fd;
}

static void say(int fd, char word)
{
    char line[LINE] = {word};

    if (send(fd, line, sizeof line, MSG_NOSIGNAL) != LINE)
        _exit(1);
}

/* The word that came, or 0 at the end. */
static char hear(int fd)
{
    char line[LINE];

    return recv(fd, line, sizeof line, 0) == LINE ? line[0] : '\0';
}

static void pair_create(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        die("socketpair");
}

/* Ends with its parent. */
static pid_t fork_tied(void)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static int open_sigchld(void)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        die("signalfd");
    return fd;
}

static void reap(int sigchld)
{
    struct signalfd_siginfo info;
    siginfo_t end;

    if (read(sigchld, &info, sizeof info) != (ssize_t)sizeof info ||
        waitid(P_ALL, 0, &end, WEXITED) < 0)
        die("waitid");
}

static void report(int64_t *took, int64_t n, bool both)
{
    measure_sort(took, n);
    printf("%lld", (long long)measure_quantile(took, n, 50));
    if (both)
        printf(" %lld", (long long)measure_quantile(took, n, 99));
    printf("\n");
}

/* ---- notice ---------------------------------------------------------------------------------- */

static void notice(int64_t n, int64_t *took)
{
    int sigchld = open_sigchld(), loop = loop_create();

    loop_add(loop, sigchld);
    for (int64_t i = 0; i < n; i++) {
        int ends[2];
        pid_t pid;

        pair_create(ends);
        pid = fork_tied();
        if (pid == 0) {
            say(ends[1], 'r');
            loop_wait(loop_create());
        }
        hear(ends[0]);
        took[i] = measure_now();
        kill(pid, SIGKILL);
        loop_wait(loop);
        reap(sigchld);
        took[i] = measure_now() - took[i];
        close(ends[0]);
        close(ends[1]);
    }
    report(took, n, true);
}

/* ---- a mailbox ------------------------------------------------------------------------------- */

/* Listens at an address that the kernel picks. */
static int mailbox_create(struct sockaddr_un *address, socklen_t *size)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *size = sizeof *address;
    if (fd < 0 || bind(fd, (struct sockaddr *)address, sizeof address->sun_family) < 0 ||
        getsockname(fd, (struct sockaddr *)address, size) < 0 || listen(fd, 16) < 0)
        die("mailbox");
    return fd;
}

static int dial(const struct sockaddr_un *address, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)address, size) < 0)
        _exit(1);
    return fd;
}

static _Noreturn void answer_dialers(int mailbox)
{
    int loop = loop_create();

    for (loop_add(loop, mailbox);;) {
        int fd = loop_wait(loop);

        if (fd == mailbox)
            loop_add(loop, accept4(mailbox, NULL, NULL, SOCK_CLOEXEC));
        else if (hear(fd))
            say(fd, 'h');
        else
            close(fd);
    }
}

static void lookup(int64_t n, int64_t *took)
{
    struct sockaddr_un address;
    socklen_t size;
    int mailbox = mailbox_create(&address, &size), loop = loop_create();
    pid_t pid = fork_tied();

    if (pid == 0)
        answer_dialers(mailbox);
    for (int64_t i = 0; i < n; i++) {
        int fd;

        took[i] = measure_now();
        fd = dial(&address, size);
        loop_add(loop, fd);
        say(fd, 'h');
        loop_wait(loop);
        hear(fd);
        took[i] = measure_now() - took[i];
        close(fd);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    report(took, n, false);
}

/* ---- a life ---------------------------------------------------------------------------------- */

struct cycle {
    bool is_mine, is_its, is_far, is_error;
    struct sockaddr_un watcher; /* the watcher's mailbox */
    socklen_t watcher_size;
};

/* The child: asks for word if it is to, says where it is, and ends when told. */
static _Noreturn void live(const struct cycle *cycle, int parent)
{
    int loop = loop_create(), watcher;
    char line[LINE] = {'b'};
    pid_t pid = getpid();

    if (cycle->is_its)
        say(parent, 'm');
    watcher = dial(&cycle->watcher, cycle->watcher_size);
    memcpy(line + 1, &pid, sizeof pid);
    if (send(watcher, line, sizeof line, MSG_NOSIGNAL) != LINE)
        _exit(1);
    say(parent, 'r');
    loop_add(loop, watcher);
    loop_wait(loop);
    say(parent, 'e');
    _exit(0);
}

static int start(const struct cycle *cycle, int loop)
{
    int ends[2];

    pair_create(ends);
    if (fork_tied() == 0)
        live(cycle, ends[1]);
    close(ends[1]);
    loop_add(loop, ends[0]);
    return ends[0];
}

static _Noreturn void supervise(const struct cycle *cycle, int watcher)
{
    int sigchld = open_sigchld(), loop = loop_create(), child;
    bool is_watched = false;

    loop_add(loop, sigchld);
    loop_add(loop, watcher);
    for (child = start(cycle, loop);;) {
        int fd = loop_wait(loop);

        if (fd == watcher && hear(watcher)) {
            is_watched = true;
            say(watcher, 'w');
        } else if (fd == sigchld) {
            reap(sigchld);
            if (is_watched)
                say(watcher, 'd');
            is_watched = false;
            close(child);
            child = start(cycle, loop);
        } else if (fd == child && !hear(child)) {
            epoll_ctl(loop, EPOLL_CTL_DEL, child, NULL);
        } else if (fd == watcher) {
            _exit(0);
        }
    }
}

/* The far supervisor's nearer fellow: passes on what either says. */
static _Noreturn void pass_on(int near, int far)
{
    int loop = loop_create();

    loop_add(loop, near);
    loop_add(loop, far);
    for (;;) {
        int fd = loop_wait(loop);
        char word = hear(fd);

        if (!word)
            _exit(0);
        say(fd == near ? far : near, word);
    }
}

/* Starts the supervisor, and the one between if there is one; returns the connection to it. */
static int supervisor_start(const struct cycle *cycle)
{
    int near[2], far[2];

    pair_create(near);
    if (fork_tied() > 0) {
        close(near[1]);
        return near[0];
    }
    close(near[0]);
    if (!cycle->is_far)
        supervise(cycle, near[1]);
    pair_create(far);
    if (fork_tied() == 0)
        supervise(cycle, far[1]);
    close(far[1]);
    pass_on(near[1], far[0]);
}

struct watcher {
    int loop, mailbox, supervisor;
    int child; /* its connection */
    pid_t pid;
};

/* Takes the newborn's connection and word. */
static void meet(struct watcher *watcher)
{
    char line[LINE];

    watcher->child = accept4(watcher->mailbox, NULL, NULL, SOCK_CLOEXEC);
    if (watcher->child < 0 || recv(watcher->child, line, sizeof line, 0) != LINE)
        die("the next life");
    memcpy(&watcher->pid, line + 1, sizeof watcher->pid);
}

static void end_life(const struct cycle *cycle, struct watcher *watcher)
{
    bool is_born = false, is_heard = !cycle->is_mine;

    if (cycle->is_error)
        say(watcher->child, 'f');
    else
        kill(watcher->pid, SIGKILL);
    close(watcher->child);
    while (!is_born || !is_heard) {
        if (loop_wait(watcher->loop) == watcher->mailbox) {
            meet(watcher);
            is_born = true;
        } else if (hear(watcher->supervisor)) {
            is_heard = true;
        } else {
            die("the supervisor");
        }
    }
}

static void cycle_all(struct cycle *cycle, int64_t n, int64_t *took)
{
    struct watcher watcher = {.loop = loop_create()};

    watcher.mailbox = mailbox_create(&cycle->watcher, &cycle->watcher_size);
    watcher.supervisor = supervisor_start(cycle);
    loop_add(watcher.loop, watcher.mailbox);
    loop_add(watcher.loop, watcher.supervisor);
    meet(&watcher);
    for (int64_t i = 0; i < n; i++) {
        took[i] = measure_now();
        if (cycle->is_mine) {
            say(watcher.supervisor, 'm');
            loop_wait(watcher.loop);
            hear(watcher.supervisor);
        }
        end_life(cycle, &watcher);
        took[i] = measure_now() - took[i];
    }
    report(took, n, false);
    close(watcher.supervisor);
    wait(NULL);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int64_t n = argc > 2 ? atoll(argv[argc - 1]) : 0;
    int64_t *took = n > 0 ? calloc((size_t)n, sizeof *took) : NULL;
    struct cycle cycle = {0};

    if (took && argc == 3 && strcmp(what, "notice") == 0) {
        notice(n, took);
    } else if (took && argc == 3 && strcmp(what, "lookup") == 0) {
        lookup(n, took);
    } else if (took && argc == 6 && strcmp(what, "cycle") == 0) {
        cycle.is_mine = strcmp(argv[2], "mine") == 0;
        cycle.is_its = strcmp(argv[2], "its") == 0;
        cycle.is_far = strcmp(argv[3], "far") == 0;
        cycle.is_error = strcmp(argv[4], "error") == 0;
        cycle_all(&cycle, n, took);
    } else {
        fprintf(stderr,
                "usage: ends notice N | lookup N | cycle none|mine|its near|far drop|error N\n");
        return 2;
    }
    free(took);
    return 0;
}
