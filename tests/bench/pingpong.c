/* The limits of talking, bare: two processes over one connection, 64 bytes to and fro.
 *
 *   pingpong raw N CPU1 CPU2            a Unix stream socket, each side waiting in epoll
 *   pingpong nng N CPU1 CPU2 URL        nng's pair0 over ipc or tcp
 *   pingpong stream N CPU1 CPU2 [SIZE]  one way: N messages of SIZE (64) bytes, one write each
 *
 * Prints nanoseconds: the median and the 99th percentile of a round trip; or those of one message.
 */
#include "measure.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64, CHUNK = 256 * 1024 };

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static void pin(const char *cpu)
{
    if (measure_pin(atoi(cpu)) < 0)
        die("sched_setaffinity");
}

static void report(int64_t *took, int n)
{
    measure_sort(took, n);
    printf("%lld %lld\n", (long long)measure_quantile(took, n, 50),
           (long long)measure_quantile(took, n, 99));
    free(took);
}

static void *allocate(size_t n, size_t size)
{
    void *memory = calloc(n, size);

    if (!memory)
        die("calloc");
    return memory;
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
    int64_t *took = allocate((size_t)n, sizeof *took);
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
        int64_t begin = measure_now();

        give(pair[0]);
        take(loop, pair[0]);
        took[i] = measure_now() - begin;
    }
    report(took, n);
    close(pair[0]);
    wait(NULL);
}

/* Writes n messages, one by one, and waits until they were taken. */
static _Noreturn void pour(int fd, int n, size_t size)
{
    char *bytes = allocate(1, size);
    char byte;

    for (int i = 0; i < n; i++)
        for (size_t done = 0; done < size;) {
            ssize_t sent = send(fd, bytes + done, size - done, MSG_NOSIGNAL);

            if (sent < 0)
                _exit(1);
            done += (size_t)sent;
        }
    _exit(read(fd, &byte, 1) < 0);
}

static void stream(int n, char **cpus, size_t size)
{
    int64_t begin, total = (int64_t)n * (int64_t)size;
    static char bytes[CHUNK];
    int pair[2];
    ssize_t got;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
        die("socketpair");
    if (fork_tied() == 0) {
        close(pair[0]);
        pin(cpus[1]);
        pour(pair[1], n, size);
    }
    close(pair[1]);
    pin(cpus[0]);
    for (begin = measure_now(); total > 0 && (got = read(pair[0], bytes, sizeof bytes)) > 0;)
        total -= got;
    printf("%.1f\n", (double)(measure_now() - begin) / n);
    close(pair[0]);
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

static void nng(int n, char **cpus, const char *url)
{
    int64_t *took = allocate((size_t)n, sizeof *took);
    nng_socket socket;
    char bytes[SIZE] = {0};
    size_t size;
    pid_t pid;

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
        int64_t begin = measure_now();

        size = sizeof bytes;
        check(nng_send(socket, bytes, sizeof bytes, 0), "send");
        check(nng_recv(socket, bytes, &size, 0), "recv");
        took[i] = measure_now() - begin;
    }
    report(took, n);
    kill(pid, SIGKILL);
    wait(NULL);
}

int main(int argc, char **argv)
{
    int n = argc > 2 ? atoi(argv[2]) : 0;

    if (argc == 5 && n > 0 && strcmp(argv[1], "raw") == 0)
        raw(n, argv + 3);
    else if ((argc == 5 || argc == 6) && n > 0 && strcmp(argv[1], "stream") == 0)
        stream(n, argv + 3, argc == 6 ? strtoul(argv[5], NULL, 10) : SIZE);
    else if (argc == 6 && n > 0 && strcmp(argv[1], "nng") == 0)
        nng(n, argv + 3, argv[5]);
    else
        return fprintf(stderr, "usage: pingpong raw|stream|nng N CPU1 CPU2 [SIZE|URL]\n"), 2;
    return 0;
}
