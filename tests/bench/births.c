/*
 * What a first call to something that is not there yet costs at least: a process is forked that
 * binds a socket, its asker connects, and is answered.
 *
 *   births one N [LIBRARY…]       N of them, one after the other: prints the median in nanoseconds
 *   births many N M [LIBRARY…]    N of them, M of which are under way at a time: prints how many a
 * second of a process that has loaded these libraries, which is what a fork of it has to copy
 *   births echo N MS C N processes that live and echo, called by C callers for so long: calls a
 * second
 */
#include "measure.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 64 };

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_un address_of(int number)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s/births.%d",
             getenv("TMPDIR") ? getenv("TMPDIR") : "/dev/shm", number);
    return address;
}

/* An actor at its barest: an epoll loop that takes connections and sends back what comes. */
static _Noreturn void echo_for_ever(int listener)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[16];
    int loop = epoll_create1(EPOLL_CLOEXEC);
    char bytes[BYTES];

    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(loop, events, 16, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t got;

            if (fd == listener) {
                event.data.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                epoll_ctl(loop, EPOLL_CTL_ADD, event.data.fd, &event);
                continue;
            }
            got = read(fd, bytes, sizeof bytes);
            if (got <= 0 || write(fd, bytes, (size_t)got) < 0)
                close(fd);
        }
    }
}

static pid_t bear(int number)
{
    struct sockaddr_un address = address_of(number);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid;

    unlink(address.sun_path);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, 64) < 0)
        die("bind");
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        echo_for_ever(listener);
    close(listener);
    return pid;
}

static int dial(int number)
{
    struct sockaddr_un address = address_of(number);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("connect");
    return fd;
}

static void ask(int fd)
{
    char bytes[BYTES] = {0};

    if (write(fd, bytes, sizeof bytes) != sizeof bytes)
        die("write");
}

static void hear(int fd)
{
    char bytes[BYTES];

    if (read(fd, bytes, sizeof bytes) <= 0)
        die("read");
}

static void end_all(const pid_t *pids, int n)
{
    for (int i = 0; i < n; i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < n; i++) {
        waitpid(pids[i], NULL, 0);
        unlink(address_of(i).sun_path);
    }
}

static void one_by_one(int n, pid_t *pids)
{
    int64_t *took = calloc((size_t)n, sizeof *took);

    for (int i = 0; i < n; i++) {
        int64_t begin = measure_now();
        int fd;

        pids[i] = bear(i);
        fd = dial(i);
        ask(fd);
        hear(fd);
        took[i] = measure_now() - begin;
        close(fd);
    }
    measure_sort(took, n);
    printf("%lld\n", (long long)measure_quantile(took, n, 50));
    free(took);
}

static void many(int n, int window, pid_t *pids)
{
    int *fds = calloc((size_t)n, sizeof *fds);
    int64_t begin = measure_now();

    for (int i = 0; i < n + window; i++) {
        if (i < n) {
            pids[i] = bear(i);
            fds[i] = dial(i);
            ask(fds[i]);
        }
        if (i >= window && i - window < n) {
            hear(fds[i - window]);
            close(fds[i - window]);
        }
    }
    printf("%.0f\n", n * 1e9 / (double)(measure_now() - begin));
    free(fds);
}

/* One caller: all of them in turn, on connections that stand. Writes its count. */
static _Noreturn void call_on(int n, int64_t ms, int caller, int out)
{
    int *fds = calloc((size_t)n, sizeof *fds);
    int64_t end, calls = 0;

    for (int i = 0; i < n; i++)
        fds[i] = dial(i);
    end = measure_now() + ms * 1000000;
    for (int i = caller * 61; measure_now() < end; i++, calls++) {
        ask(fds[i % n]);
        hear(fds[i % n]);
    }
    if (write(out, &calls, sizeof calls) != sizeof calls)
        _exit(1);
    _exit(0);
}

static void echo(int n, int64_t ms, int callers, pid_t *pids)
{
    int64_t calls, sum = 0;
    int ends[2];

    for (int i = 0; i < n; i++)
        pids[i] = bear(i);
    if (pipe2(ends, O_CLOEXEC) < 0)
        die("pipe");
    for (int i = 0; i < callers; i++)
        if (fork() == 0)
            call_on(n, ms, i, ends[1]);
    for (int i = 0; i < callers; i++) {
        if (read(ends[0], &calls, sizeof calls) != sizeof calls)
            die("read");
        sum += calls;
    }
    printf("%lld\n", (long long)(sum * 1000 / ms));
}

static void load(char **libraries)
{
    for (; *libraries; libraries++)
        if (!dlopen(*libraries, RTLD_NOW)) {
            fprintf(stderr, "births: %s\n", dlerror());
            exit(1);
        }
}

int main(int argc, char **argv)
{
    int n = argc > 2 ? atoi(argv[2]) : 0;
    pid_t *pids = n > 0 ? calloc((size_t)n, sizeof *pids) : NULL;

    if (!pids)
        return 2;
    if (!strcmp(argv[1], "one")) {
        load(argv + 3);
        one_by_one(n, pids);
    } else if (!strcmp(argv[1], "many") && argc > 3) {
        load(argv + 4);
        many(n, atoi(argv[3]), pids);
    } else if (!strcmp(argv[1], "echo") && argc > 4) {
        echo(n, atoi(argv[3]), atoi(argv[4]), pids);
    } else {
        return 2;
    }
    end_all(pids, n);
    free(pids);
    return 0;
}
