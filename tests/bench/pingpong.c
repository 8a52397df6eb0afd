/* The limits of talking, bare: two processes over one connection, 64 bytes to and fro.
 *
 *   pingpong raw N CPU1 CPU2     a Unix stream socket, each side waiting in epoll
 *   pingpong nng N CPU1 CPU2     nng's pair0 over ipc, in DIR (argument 5)
 *   pingpong stream N CPU1 CPU2  one way: N messages of 64 bytes, one write each
 *
 * Prints nanoseconds: the median and the 99th percentile of a round trip; or of one message. */
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include <sched.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64 };

static int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static void pin(const char *cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)atoi(cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        die("sched_setaffinity");
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void report(int64_t *took, int n)
{
    qsort(took, (size_t)n, sizeof *took, by_size);
    printf("%lld %lld\n", (long long)took[n / 2], (long long)took[n * 99L / 100]);
}

/* ---- raw ----------------------------------------------------------------------------------- */

static int loop_of(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int loop = epoll_create1(EPOLL_CLOEXEC);

    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll");
    return loop;
}

/* Waits in epoll, then takes SIZE bytes. */
static void take(int loop, int fd)
{
    struct epoll_event event;
    char bytes[SIZE];

    epoll_wait(loop, &event, 1, -1);
    if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) != SIZE)
        _exit(0); /* the other side is done */
}

static void give(int fd)
{
    static const char bytes[SIZE];

    if (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != SIZE)
        _exit(0);
}

static pid_t fork_tied(void)
{
    pid_t pid = fork();

    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pid < 0)
        die("fork");
    return pid;
}

static void raw(int n, char **cpus)
{
    int64_t *took = calloc((size_t)n, sizeof *took);
    int pair[2], loop;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        die("socketpair");
    if (fork_tied() == 0) {
        close(pair[0]);
        pin(cpus[1]);
        for (loop = loop_of(pair[1]);;) {
            take(loop, pair[1]);
            give(pair[1]);
        }
    }
    close(pair[1]);
    pin(cpus[0]);
    loop = loop_of(pair[0]);
    for (int i = 0; i < n; i++) {
        int64_t begin = now_ns();

        give(pair[0]);
        take(loop, pair[0]);
        took[i] = now_ns() - begin;
    }
    report(took, n);
    close(pair[0]);
    wait(NULL);
}

static void stream(int n, char **cpus)
{
    int64_t begin, total = (int64_t)n * SIZE;
    static char bytes[65536];
    int pair[2];
    ssize_t got;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        die("socketpair");
    if (fork_tied() == 0) {
        pin(cpus[1]);
        for (int i = 0; i < n; i++)
            give(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    pin(cpus[0]);
    for (begin = now_ns(); total > 0 && (got = read(pair[0], bytes, sizeof bytes)) > 0;)
        total -= got;
    printf("%.1f\n", (double)(now_ns() - begin) / n);
    wait(NULL);
}

/* ---- nng ----------------------------------------------------------------------------------- */

static void check(int code, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "%s: %s\n", what, nng_strerror(code));
    exit(1);
}

static _Noreturn void nng_answer(const char *url)
{
    nng_socket socket;
    char bytes[SIZE];
    size_t size;

    check(nng_pair0_open(&socket), "open");
    check(nng_listen(socket, url, NULL, 0), "listen");
    for (;;) {
        size = sizeof bytes;
        check(nng_recv(socket, bytes, &size, 0), "recv");
        check(nng_send(socket, bytes, size, 0), "send");
    }
}

static void nng(int n, char **cpus, const char *dir)
{
    int64_t *took = calloc((size_t)n, sizeof *took);
    nng_socket socket;
    char url[256], bytes[SIZE] = {0};
    size_t size;
    pid_t pid;

    snprintf(url, sizeof url, "ipc://%s/pingpong.%d", dir, (int)getpid());
    pid = fork_tied();
    if (pid == 0) {
        pin(cpus[1]);
        nng_answer(url);
    }
    pin(cpus[0]);
    check(nng_pair0_open(&socket), "open");
    while (nng_dial(socket, url, NULL, 0) != 0)
        sched_yield();
    for (int i = 0; i < n; i++) {
        int64_t begin = now_ns();

        size = sizeof bytes;
        check(nng_send(socket, bytes, sizeof bytes, 0), "send");
        check(nng_recv(socket, bytes, &size, 0), "recv");
        took[i] = now_ns() - begin;
    }
    report(took, n);
    kill(pid, SIGKILL);
    wait(NULL);
    unlink(url + strlen("ipc://"));
}

int main(int argc, char **argv)
{
    int n = argc > 2 ? atoi(argv[2]) : 0;

    if (argc >= 5 && n > 0 && strcmp(argv[1], "raw") == 0)
        raw(n, argv + 3);
    else if (argc >= 5 && n > 0 && strcmp(argv[1], "stream") == 0)
        stream(n, argv + 3);
    else if (argc >= 6 && n > 0 && strcmp(argv[1], "nng") == 0)
        nng(n, argv + 3, argv[5]);
    else
        return fprintf(stderr, "usage: pingpong raw|stream|nng N CPU1 CPU2 [DIR]\n"), 2;
    return 0;
}
