#include "thinfork.h"

#include "cgroup.h"
#include "fault.h"
#include "slots.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Sanitizers keep books on forks that go through libc only. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAN_SHARE = false };
#else
enum { CAN_SHARE = true };
#endif

enum { LEFT = 1, PATIENCE_MS = 5, STUCK_AFTER = 400 /* rounds of patience: 2 s */ };

static _Atomic uint32_t *gate; /* shared with the child: LEFT when it has its own table */
static int own_stderr = -1, null_fd = -1;
static bool sharing; /* in the child: the table is still the parent's */

int thinfork_init(void)
{
    void *page = MAP_FAILED;

    if (gate)
        munmap(gate, sizeof *gate); /* our parent's, which we have passed */
    gate = NULL;
    own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, SLOT_FIRST_FREE);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (CAN_SHARE && own_stderr >= 0 && null_fd >= SLOT_FIRST_FREE)
        page = mmap(NULL, sizeof *gate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -1;
    gate = page;
    return 0;
}

static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 &&
           info.si_pid == pid;
}

/* A child that is stopped or stuck just here would stop us too: it does not live to do so. False: it
 * has ended by itself before it had its own table. */
static bool await(pid_t pid)
{
    const struct timespec patience = {0, PATIENCE_MS * 1000000L};

    for (int round = 0; atomic_load(gate) != LEFT; round++) {
        bool woken = syscall(SYS_futex, gate, FUTEX_WAIT, 0, &patience, NULL, 0) == 0;

        if (!woken && has_ended(pid) && atomic_load(gate) != LEFT)
            return round > STUCK_AFTER;
        if (round == STUCK_AFTER)
            kill(pid, SIGKILL);
    }
    return true;
}

static void restore_slots(void)
{
    for (int slot = 0; slot < SLOT_FIRST_FREE; slot++)
        dup3(slot == STDERR_FILENO || slot == STDOUT_FILENO ? own_stderr : null_fd, slot,
             slot > STDERR_FILENO ? O_CLOEXEC : 0);
}

/* Born in its cgroup, a process need not be moved there, which takes milliseconds. Kernels and
 * containers that do not have this get a plain clone. */
static pid_t clone_thin(int *cgroup)
{
    int wanted = *cgroup;
    pid_t pid = -1;

    if (wanted >= 0) {
        *cgroup = -1;
        pid = cgroup_clone(wanted, CLONE_FILES, THINFORK_SIGNAL);
        if (pid >= 0 || errno == EAGAIN || errno == ENOMEM)
            return pid;
        *cgroup = wanted;
    }
    return (pid_t)syscall(SYS_clone, CLONE_FILES | THINFORK_SIGNAL, NULL, NULL, NULL, 0);
}

pid_t thinfork(int *cgroup, bool *stillborn)
{
    bool in_cgroup = *cgroup >= 0;
    pid_t pid;

    *stillborn = false;
    if (!gate)
        return fork(); /* in test builds a fault point by itself */
    atomic_store(gate, 0);
    pid = fault_hits("fork") ? -1 : clone_thin(cgroup);
    sharing = pid == 0;
    if (pid > 0) {
        *stillborn = !await(pid) && in_cgroup && *cgroup < 0;
        restore_slots();
    }
    return pid;
}

/* The table, but for the slots, is not copied first and then closed: the kernel leaves out what is to be
 * closed. */
static void take_slots(void)
{
    if (sharing && syscall(SYS_close_range, SLOT_FIRST_FREE, ~0U, CLOSE_RANGE_UNSHARE) == 0)
        return;
    if (sharing)
        unshare(CLONE_FILES);
    slots_close_rest();
}

void thinfork_leave(void)
{
    take_slots();
    if (!sharing)
        return;
    sharing = false;
    atomic_store(gate, LEFT);
    syscall(SYS_futex, gate, FUTEX_WAKE, 1, NULL, NULL, 0);
}
