/*
 * Readiness by the descriptor that a child writes a newline to, however it is written to. The child
 * is played by the other end of the pipe; what a probe needs of the supervisor around it, by this
 * file.
 */
#include "../../supervisord/child.h"
#include "../../supervisord/spawn.h"
#include "../../supervisord/supervisor.h"
#include "loop.h"
#include "tap.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static unsigned times_ready;

void child_handle(struct child *child, enum child_event event)
{
    (void)child;
    times_ready += event == CHILD_EV_READY;
}

void child_on_notify(struct child *child, const char *line)
{
    (void)child;
    (void)line;
}

bool members_include(const struct members *members, pid_t pid)
{
    (void)members;
    (void)pid;
    return false;
}

pid_t spawn_helper(struct child *child)
{
    (void)child;
    return -1;
}

void logpipes_watch(struct logpipes *logpipes, struct child *child)
{
    (void)logpipes;
    (void)child;
}

void logpipes_unwatch(struct logpipes *logpipes, struct child *child)
{
    (void)logpipes;
    (void)child;
}

static struct child child;
static struct supervisor supervisor;

/* It has just been started, with `ready: notify`; returns its end of the pipe. */
static int begin(void)
{
    static const struct spec spec = {.kind = SPEC_MODULE, .ready = READY_NOTIFY};
    int end = -1;

    supervisor.loop = loop_create();
    child.supervisor = &supervisor;
    child.spec = &spec;
    probe_init(&child.probe, &child);
    if (probe_prepare(&child.probe, &end) == 0)
        probe_watch(&child.probe);
    times_ready = 0;
    return end;
}

static void finish(int end)
{
    close(end);
    probe_finish(&child.probe);
    ev_loop_destroy(supervisor.loop);
}

/* As much as the pipe takes, all of it one byte. */
static size_t fill(int end, char byte)
{
    static char bytes[65536];
    size_t size = 0;
    ssize_t n;

    fcntl(end, F_SETFL, O_NONBLOCK);
    memset(bytes, byte, sizeof bytes);
    while ((n = write(end, bytes, sizeof bytes)) > 0)
        size += (size_t)n;
    return size;
}

static size_t unread(void)
{
    int n = 0;

    ioctl(child.probe.pipe_fd, FIONREAD, &n);
    return (size_t)n;
}

static void turn(void)
{
    ev_run(supervisor.loop, EVRUN_NOWAIT);
}

static void test_flood(void)
{
    int end = begin();
    size_t size = fill(end, 'x'), before;

    turn();
    before = unread();
    CHECK(before > 0 && before < size, "of a flood each turn of the loop takes a part");
    while (unread())
        turn();
    CHECK(times_ready == 0, "what has no newline makes nobody ready");
    CHECK(write(end, "\n", 1) == 1 && (turn(), times_ready == 1), "the newline after it does");
    finish(end);
}

static void test_end(void)
{
    int end = begin();

    close(end);
    turn();
    CHECK(times_ready == 0 && child.probe.pipe_fd < 0, "the end of the pipe is no newline");
    probe_finish(&child.probe);
    ev_loop_destroy(supervisor.loop);
}

int main(void)
{
    test_flood();
    test_end();
    return tap_done();
}
