/*
 * Measures supervisors by what their children say of themselves (stamp.h).
 *
 *   race kill ROUNDS PAUSE_MS NAME=FIFO…  in each round kills each one's child with SIGKILL, one
 *                                         after the other, and waits for the next incarnation's
 *                                         stamp; prints for each NAME MEDIAN MIN (microseconds)
 *   race arrive N FIFO COMMAND…           runs COMMAND, prints the microseconds from before its
 *                                         start to the Nth stamp, and ends it with SIGTERM
 *
 * A child that does not come back within 20 seconds fails the measurement.
 */
#include "stamp.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { RUNNERS_MAX = 16, PATIENCE_MS = 20000 };

struct runner {
    char *name;
    int fd;
    pid_t pid;
    int64_t *took;
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "race: %s: %s\n", what, why);
    exit(1);
}

/* Both ends, so that it does not end between two writers. */
static int open_fifo(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        die(path, strerror(errno));
    return fd;
}

static struct stamp next_stamp(int fd, const char *whose)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct stamp stamp;

    if (poll(&readable, 1, PATIENCE_MS) <= 0)
        die(whose, "nobody was born in time");
    if (read(fd, &stamp, sizeof stamp) != (ssize_t)sizeof stamp)
        die(whose, "half a stamp");
    return stamp;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void rest(long ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

static void kill_one(struct runner *runner, size_t round)
{
    int64_t begin = stamp_now();
    struct stamp stamp;

    if (kill(runner->pid, SIGKILL) < 0)
        die(runner->name, "its child is gone");
    stamp = next_stamp(runner->fd, runner->name);
    runner->took[round] = stamp.ns - begin;
    runner->pid = (pid_t)stamp.pid;
}

static int race(size_t rounds, long pause_ms, char **names, size_t count)
{
    struct runner runners[RUNNERS_MAX];

    if (count > RUNNERS_MAX || !rounds)
        die("race", "too many runners, or no rounds");
    for (size_t i = 0; i < count; i++) {
        char *fifo = strchr(names[i], '=');

        if (!fifo)
            die(names[i], "expected NAME=FIFO");
        *fifo++ = '\0';
        runners[i] = (struct runner){.name = names[i], .fd = open_fifo(fifo)};
        runners[i].took = calloc(rounds, sizeof *runners[i].took);
        if (!runners[i].took)
            die(names[i], "out of memory");
    }
    for (size_t i = 0; i < count; i++)
        runners[i].pid = (pid_t)next_stamp(runners[i].fd, runners[i].name).pid;
    for (size_t round = 0; round < rounds; round++) {
        rest(pause_ms);
        for (size_t i = 0; i < count; i++)
            kill_one(&runners[i], round);
    }
    for (size_t i = 0; i < count; i++) {
        qsort(runners[i].took, rounds, sizeof *runners[i].took, compare);
        printf("%s %lld %lld\n", runners[i].name, (long long)runners[i].took[rounds / 2] / 1000,
               (long long)runners[i].took[0] / 1000);
        free(runners[i].took);
    }
    return 0;
}

static int arrive(size_t n, const char *fifo, char **command)
{
    int fd = open_fifo(fifo);
    int64_t begin = stamp_now(), last = begin;
    pid_t pid = fork();

    if (pid < 0)
        die("fork", strerror(errno));
    if (pid == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    for (size_t i = 0; i < n; i++) {
        int64_t ns = next_stamp(fd, command[0]).ns;

        last = ns > last ? ns : last;
    }
    printf("%lld\n", (long long)(last - begin) / 1000);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 4 && !strcmp(argv[1], "kill"))
        return race(strtoul(argv[2], NULL, 10), strtol(argv[3], NULL, 10), argv + 4,
                    (size_t)argc - 4);
    if (argc > 4 && !strcmp(argv[1], "arrive"))
        return arrive(strtoul(argv[2], NULL, 10), argv[3], argv + 4);
    fputs("usage: race kill ROUNDS PAUSE_MS NAME=FIFO... | arrive N FIFO COMMAND...\n", stderr);
    return 2;
}
