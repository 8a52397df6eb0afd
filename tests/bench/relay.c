/* The limits of talking across hosts, bare: two processes, each with a relay of its own on its own
 * core, and one TCP connection of the loopback between the relays. What crosses is 64 bytes.
 *
 *   relay roundtrip N CPU1 CPU2   to and fro; prints the median and the 99th percentile,
 * nanoseconds relay stream N CPU1 CPU2      one way, one write each; prints nanoseconds a message
 *
 * All four wait in epoll, and a relay hands on what one read gave it.
 */
#include "measure.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 64, CHUNK = 64 * 1024 };

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

/* ---- the four of them ------------------------------------------------------------------------ */

static int watch(int fd, int other)
{
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event one = {.events = EPOLLIN, .data.fd = fd};
    struct epoll_event two = {.events = EPOLLIN, .data.fd = other};

    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &one) < 0 ||
        (other >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, other, &two) < 0))
        die("epoll");
    return loop;
}

static void give(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);

        if (sent <= 0)
            _exit(0); /* the other side is done */
        bytes += sent;
        size -= (size_t)sent;
    }
}

/* What is there, up to size bytes; the end of the stream ends the process. */
static size_t take(int loop, int fd, char *bytes, size_t size)
{
    struct epoll_event event;
    ssize_t got;

    epoll_wait(loop, &event, 1, -1);
    got = recv(fd, bytes, size, 0);
    if (got <= 0)
        _exit(0);
    return (size_t)got;
}

/* Hands on, both ways, until one of its ends has gone. */
static _Noreturn void relay(int near, int far)
{
    static char bytes[CHUNK];
    int loop = watch(near, far);

    for (;;) {
        struct epoll_event event;
        ssize_t got;

        if (epoll_wait(loop, &event, 1, -1) < 1)
            continue;
        got = recv(event.data.fd, bytes, sizeof bytes, 0);
        if (got <= 0)
            _exit(0);
        give(event.data.fd == near ? far : near, bytes, (size_t)got);
    }
}

static _Noreturn void answer(int fd)
{
    int loop = watch(fd, -1);
    char bytes[SIZE];

    for (;;)
        give(fd, bytes, take(loop, fd, bytes, sizeof bytes));
}

/* Says one byte when it has taken n messages. */
static _Noreturn void swallow(int fd, int n)
{
    static char bytes[CHUNK];
    int loop = watch(fd, -1);

    for (int64_t left = (int64_t)n * SIZE; left > 0;)
        left -= (int64_t)take(loop, fd, bytes, sizeof bytes);
    give(fd, "", 1);
    take(loop, fd, bytes, sizeof bytes);
    _exit(0);
}

/* ---- what is measured ------------------------------------------------------------------------ */

static void roundtrip(int fd, int n)
{
    int64_t *took = calloc((size_t)n, sizeof *took);
    int loop = watch(fd, -1);
    char bytes[SIZE] = {0};

    if (!took)
        die("calloc");
    for (int i = 0; i < n; i++) {
        int64_t begin = measure_now();

        give(fd, bytes, sizeof bytes);
        for (size_t got = 0; got < SIZE;)
            got += take(loop, fd, bytes, sizeof bytes - got);
        took[i] = measure_now() - begin;
    }
    measure_sort(took, n);
    printf("%lld %lld\n", (long long)measure_quantile(took, n, 50),
           (long long)measure_quantile(took, n, 99));
    free(took);
}

static void stream(int fd, int n)
{
    int64_t begin = measure_now();
    int loop = watch(fd, -1);
    char bytes[SIZE] = {0};

    for (int i = 0; i < n; i++)
        give(fd, bytes, sizeof bytes);
    take(loop, fd, bytes, sizeof bytes);
    printf("%.1f\n", (double)(measure_now() - begin) / n);
}

/* ---- their connections ----------------------------------------------------------------------- */

static void tcp_pair(int pair[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&at, &size) < 0)
        die("listen");
    pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (pair[0] < 0 || connect(pair[0], (struct sockaddr *)&at, sizeof at) < 0)
        die("connect");
    pair[1] = accept(listener, NULL, NULL);
    if (pair[1] < 0)
        die("accept");
    close(listener);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void unix_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        die("socketpair");
}

static bool fork_on(const char *cpu)
{
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid > 0)
        return false;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pin(cpu);
    return true;
}

int main(int argc, char **argv)
{
    int n = argc == 5 ? atoi(argv[2]) : 0, asker[2], answerer[2], between[2];
    bool is_stream = argc == 5 && strcmp(argv[1], "stream") == 0;

    if (n <= 0 || (!is_stream && strcmp(argv[1], "roundtrip") != 0))
        return fprintf(stderr, "usage: relay roundtrip|stream N CPU1 CPU2\n"), 2;
    unix_pair(asker);
    unix_pair(answerer);
    tcp_pair(between);
    if (fork_on(argv[3]))
        relay(asker[1], between[0]);
    if (fork_on(argv[4]))
        relay(answerer[1], between[1]);
    if (fork_on(argv[4])) {
        if (is_stream)
            swallow(answerer[0], n);
        answer(answerer[0]);
    }
    pin(argv[3]);
    if (is_stream)
        stream(asker[0], n);
    else
        roundtrip(asker[0], n);
    return 0;
}
