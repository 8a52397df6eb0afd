/* Who a signal to a child's members reaches, where it does not depend on what the kernel has
 * cgroups for. */
#include "../../supervisord/members.h"
#include "tap.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t start(bool own_group)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (;;)
            pause();
    }
    if (own_group)
        setpgid(pid, pid);
    return pid;
}

static bool is_killed(pid_t pid)
{
    int status;

    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void test_leader(bool own_group, const char *name)
{
    static const struct cgroup_base none;
    struct members members = {.cgroup = &none, .path = "t/child"};

    members.leader = start(own_group);
    members_signal(&members, NULL, SIGKILL, true, false);
    alarm(10); /* one that was not reached would be waited for in vain */
    tap_ok(is_killed(members.leader), "%s", name);
    alarm(0);
}

int main(void)
{
    test_leader(true, "a leader is reached by its group");
    test_leader(false, "a leader that has no group yet is reached all the same");
    return tap_done();
}
