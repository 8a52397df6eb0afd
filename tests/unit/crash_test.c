/* Each fatal signal is raised in a child of this test, which plays the supervisor. */
#include "crash.h"
#include "tap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile uintptr_t nowhere = 0x10;

/* What a child does that crashes for real, on its ordinary stack. */
static void __attribute__((noinline)) write_nowhere(void)
{
    *(volatile int *)nowhere = 1;
}

static int __attribute__((noinline)) dive(volatile char *above)
{
    volatile char here[4096];

    here[0] = above[0];
    if (!nowhere) /* never, but the compiler cannot know */
        return 0;
    return dive(here) + here[0];
}

static void overflow(void)
{
    volatile char first = 0;

    dive(&first);
}

static void raise_abort(void)
{
    abort();
}

static void raise_trap(void)
{
    raise(SIGTRAP);
}

static void raise_fpe(void)
{
    raise(SIGFPE);
}

static int crash(void (*how)(void), char *line, size_t size)
{
    struct rlimit no_core = {0, 0};
    int pair[2], status = 0;
    ssize_t length;
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        close(pair[0]);
        setrlimit(RLIMIT_CORE, &no_core);
        crash_install(pair[1], (void *)0x400000);
        how();
        _exit(0);
    }
    close(pair[1]);
    length = recv(pair[0], line, size - 1, 0); /* ends with the child */
    line[length > 0 ? length : 0] = '\0';
    close(pair[0]);
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static int words_in(const char *line)
{
    int words = 0;

    for (; *line; line++)
        if (*line != ' ' && (line[1] == ' ' || line[1] == '\0'))
            words++;
    return words;
}

static void test_crash(const char *name, void (*how)(void), int number, const char *head)
{
    char line[1024];
    int status = crash(how, line, sizeof line);

    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == number, "%s: the wait status tells the signal",
          name);
    if (!tap_ok(strncmp(line, head, strlen(head)) == 0, "%s: the line begins \"%s\"", name, head))
        tap_note("got \"%s\"", line);
    CHECK(words_in(line) > 5, "%s: it has frames", name);
}

static void test_nobody_reads(void)
{
    int pair[2], status = 0;
    char filler[1024] = {0};
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
        return;
    while (send(pair[1], filler, sizeof filler, MSG_DONTWAIT) > 0)
        ;
    pid = fork();
    if (pid == 0) {
        alarm(10);
        crash_install(pair[1], NULL);
        raise_abort();
    }
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
          "a full control socket does not hold up the end");
    close(pair[0]);
    close(pair[1]);
}

static void test_format(void)
{
    void *frames[] = {(void *)0xabc, (void *)0xdeadbeef};
    void *many[CRASH_FRAMES_MAX];
    char line[CRASH_LINE_MAX];
    size_t length;

    crash_format(line, "SEGV", 0x10, 0, frames, 2);
    tap_is_text(line, "CRASH SEGV 10 0 abc deadbeef", "addresses are hexadecimal");
    for (int i = 0; i < CRASH_FRAMES_MAX; i++)
        many[i] = (void *)UINTPTR_MAX;
    length = crash_format(line, "SEGV", UINTPTR_MAX, UINTPTR_MAX, many, CRASH_FRAMES_MAX);
    CHECK(length == strlen(line) && length < CRASH_LINE_MAX, "the longest report fits its buffer");
    CHECK(words_in(line) == 4 + CRASH_FRAMES_MAX, "no frame is lost");
}

int main(void)
{
    test_format();
    test_crash("a wild write", write_nowhere, SIGSEGV, "CRASH SEGV 10 400000 ");
    test_crash("a stack that overflows", overflow, SIGSEGV, "CRASH SEGV ");
    test_crash("abort", raise_abort, SIGABRT, "CRASH ABRT 0 400000 ");
    test_crash("a trap", raise_trap, SIGTRAP, "CRASH TRAP 0 400000 ");
    test_crash("an arithmetic error", raise_fpe, SIGFPE, "CRASH FPE 0 400000 ");
    test_nobody_reads();
    return tap_done();
}
