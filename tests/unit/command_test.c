/* A command as the only child: its start, its signals, its true end. */
#include "../../cli/command.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ev_loop *loop;
static bool is_over;
static int end_count;

static void on_end(struct command *command)
{
    (void)command;
    is_over = true;
    end_count++;
}

static void nothing(void *data)
{
    (void)data;
}

static void say_so(void *data)
{
    setenv("SAID", data, 1);
}

static int start(struct command *command, char **argv)
{
    is_over = false;
    end_count = 0;
    return command_start(command, loop, argv, nothing, NULL, on_end);
}

static void wait_for_end(struct command *command)
{
    while (!is_over)
        ev_run(loop, EVRUN_ONCE);
    command_finish(command);
}

static int status_of(const char *script)
{
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    struct command command;

    if (start(&command, argv) != 0)
        return -1;
    wait_for_end(&command);
    return command_exit_status(&command);
}

static void test_ends(void)
{
    char *missing[] = {"no-such-command-anywhere", NULL}, *folder[] = {"/", NULL};
    struct command command;

    tap_is_int(status_of("exit 0"), 0, "its status is told");
    tap_is_int(status_of("exit 7"), 7, "whatever it is");
    tap_is_int(status_of("kill -9 $$"), 128 + SIGKILL, "and the signal that killed it");
    tap_is_int(end_count, 1, "once");
    CHECK(start(&command, missing) == -1 && errno == ENOENT, "what is not there is not started");
    CHECK(start(&command, folder) == -1 && errno == EACCES, "nor what cannot be executed");
    CHECK(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "and nothing is left of it");
}

static void test_environment(void)
{
    char *argv[] = {"sh", "-c", "[ \"$SAID\" = so ] && [ \"$(ps -o pgid= $$ | tr -d ' ')\" = $$ ]",
                    NULL};
    struct command command;

    is_over = false;
    CHECK(command_start(&command, loop, argv, say_so, "so", on_end) == 0, "it is started");
    wait_for_end(&command);
    tap_is_int(command_exit_status(&command), 0, "in its environment, and a group of its own");
    CHECK(!getenv("SAID"), "which is not ours");
}

/* Reads one byte: it says that it is there. */
static bool is_told(int in)
{
    char byte;

    return read(in, &byte, 1) == 1;
}

static void test_signals(void)
{
    char script[128], *argv[] = {"sh", "-c", script, NULL};
    struct command command;
    int there[2];

    CHECK(pipe(there) == 0, "a pipe");
    snprintf(script, sizeof script,
             "trap 'exit 9' USR1; printf x >&%d; while :; do sleep 0.01; done", there[1]);
    CHECK(start(&command, argv) == 0 && is_told(there[0]), "it is there");
    raise(SIGUSR1);
    wait_for_end(&command);
    tap_is_int(command_exit_status(&command), 9, "a signal that we get goes on to it");
    close(there[0]);
    close(there[1]);
}

/* The leader goes at once, another of its group a little later. */
static void test_stop(void)
{
    char script[160], *argv[] = {"sh", "-c", script, NULL};
    struct command command;
    int there[2], left;

    CHECK(pipe(there) == 0, "a pipe");
    snprintf(script, sizeof script,
             "(trap 'sleep 0.2; exit 0' TERM; printf x >&%d; while :; do sleep 0.01; done) & wait",
             there[1]);
    CHECK(start(&command, argv) == 0 && is_told(there[0]), "it is there");
    close(there[1]);
    command_stop(&command);
    command_stop(&command);
    wait_for_end(&command);
    tap_is_int(command_exit_status(&command), 128 + SIGTERM,
               "told to stop, it is ended by SIGTERM");
    fcntl(there[0], F_SETFL, O_NONBLOCK);
    left = (int)read(there[0], script, 1);
    tap_is_int(left, 0, "and with it all of its group, before the end is told");
    tap_is_int(end_count, 1, "once");
    close(there[0]);
}

/* Left by one that ended by itself: behind a double fork and setsid, with a trap that takes its
 * time. */
static void test_rest(void)
{
    char script[256], *argv[] = {"sh", "-c", script, NULL};
    struct command command;
    int begun[2];
    pid_t stranger = fork();

    if (stranger == 0)
        for (;;)
            pause();
    CHECK(pipe(begun) == 0, "a pipe");
    snprintf(script, sizeof script,
             "(setsid sh -c 'trap \"sleep 0.2; exit 0\" TERM; printf x >&%d; "
             "while :; do sleep 0.01; done' &) ; head -c 1 <&%d >/dev/null; exit 4",
             begun[1], begun[0]);
    CHECK(start(&command, argv) == 0, "it is started");
    wait_for_end(&command);
    tap_is_int(command_exit_status(&command), 4,
               "one that leaves a daemon behind has its own status");
    CHECK(!command.is_killed && !command.is_stopping, "nobody has ended it");
    fcntl(begun[0], F_SETFL, O_NONBLOCK);
    close(begun[1]);
    tap_is_int((int)read(begun[0], script, 1), 0, "the daemon has ended before the end was told");
    tap_is_int(kill(stranger, 0), 0, "a child that was there before it is none of its");
    kill(stranger, SIGKILL);
    waitpid(stranger, NULL, 0);
    close(begun[0]);
}

int main(void)
{
    loop = loop_create();
    test_ends();
    test_environment();
    test_signals();
    test_stop();
    test_rest();
    ev_loop_destroy(loop);
    return tap_done();
}
