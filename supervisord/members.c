#include "members.h"

#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * A mark is 2^62 + band * 2^56 + 56 random bits: far above any limit in use. Bands fall with the
 * depth of the tree, since an unprivileged supervisor may lower the limit of its children, not raise it.
 */
#define MARK_BASE   (UINT64_C(1) << 62)
#define BAND_SHIFT  56
#define BAND_FIRST  62

static uint64_t random_bits(void)
{
    uint64_t bits;

    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits)
        bits = (uint64_t)random() << 32 ^ (uint64_t)random();
    return bits & ((UINT64_C(1) << BAND_SHIFT) - 1);
}

static bool is_mark(uint64_t limit)
{
    return limit >= MARK_BASE && limit < MARK_BASE + ((uint64_t)(BAND_FIRST + 1) << BAND_SHIFT);
}

static unsigned next_band(void)
{
    struct rlimit own;
    unsigned band;

    if (getrlimit(RLIMIT_RTTIME, &own) < 0 || !is_mark(own.rlim_max))
        return BAND_FIRST;
    band = (unsigned)((own.rlim_max - MARK_BASE) >> BAND_SHIFT);
    return band ? band - 1 : 0;
}

mark_t members_new_mark(void)
{
    return MARK_BASE + ((uint64_t)next_band() << BAND_SHIFT) + random_bits();
}

int members_wear_mark(mark_t mark)
{
    struct rlimit limit = {mark, mark};

    return setrlimit(RLIMIT_RTTIME, &limit);
}

/* For those that we may not ask for their limits, but may see. */
static mark_t read_mark(pid_t pid)
{
    static const char key[] = "Max realtime timeout";
    char path[64], text[4096], *line;
    unsigned long long soft, hard;

    snprintf(path, sizeof path, "/proc/%d/limits", (int)pid);
    if (read_small_file(path, text, sizeof text) <= 0)
        return 0;
    line = strstr(text, key);
    if (!line || sscanf(line + strlen(key), "%llu %llu", &soft, &hard) != 2)
        return 0;
    return is_mark(hard) ? hard : 0;
}

/* Without a descriptor, since there may be none just when it matters. */
mark_t members_mark_of(pid_t pid)
{
    struct rlimit limit;

    if (prlimit(pid, RLIMIT_RTTIME, NULL, &limit) < 0)
        return read_mark(pid);
    return is_mark(limit.rlim_max) ? limit.rlim_max : 0;
}

void members_finish(struct members *members)
{
    if (members->cgroup_killed)
        cgroup_renew(members->cgroup, members->path);
    free(members->told);
    *members = (struct members){0};
}

/* Returns 1 when pid was dead and is reaped now, 0 when it lives. */
static bool reap_if_dead(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == pid;
}

/* Room for one more. 0 or -1. */
static int strays_grow(struct strays *strays)
{
    struct stray *grown = realloc(strays->at, (strays->count + 1) * sizeof *grown);

    if (!grown)
        return -1;
    strays->at = grown;
    return 0;
}

static struct stray stray_of(pid_t pid)
{
    return (struct stray){
        .pid = pid, .group = getpgid(pid), .mark = members_mark_of(pid), .cgroup = cgroup_of(pid)};
}

static int strays_append(struct strays *strays, pid_t pid)
{
    if (strays_grow(strays) < 0)
        return -1;
    strays->at[strays->count++] = stray_of(pid);
    return 0;
}

int strays_move(struct strays *strays, const struct child *owner, struct strays *to)
{
    size_t kept = 0;
    int result = 0;

    for (size_t i = 0; i < strays->count; i++) {
        struct stray *stray = &strays->at[i];
        bool moves = stray->owner == owner && result == 0;

        if (moves)
            result = strays_grow(to);
        if (moves && result == 0)
            to->at[to->count++] = *stray;
        else
            strays->at[kept++] = *stray;
    }
    strays->count = kept;
    return result;
}

static void strays_clear(struct strays *strays)
{
    for (size_t i = 0; i < strays->count; i++)
        free(strays->at[i].cgroup);
    strays->count = 0;
}

/* Of this process. Held open: who has no descriptor to spare shall still know who is left. */
static int children_fd = -1;

int strays_open(void)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    children_fd = open(path, O_RDONLY | O_CLOEXEC);
    return children_fd < 0 ? -1 : 0;
}

struct walk {
    bool (*is_leader)(pid_t pid, void *ctx);
    void *ctx;
    struct strays *strays;
    bool reaped; /* one was dead, so that its own children may have come to us meanwhile */
};

static int visit(struct walk *walk, pid_t pid)
{
    if (walk->is_leader(pid, walk->ctx))
        return 0;
    if (!reap_if_dead(pid))
        return strays_append(walk->strays, pid);
    walk->reaped = true;
    return 0;
}

/* Walks the pids of one reading of /proc/self/task/PID/children. By hand, since a supervisor of
 * 1,000 reads them all at every end: with stdio that took twice as long. */
static int walk_children(struct walk *walk)
{
    char bytes[4096];
    pid_t pid = 0;
    ssize_t n;

    if (lseek(children_fd, 0, SEEK_SET) < 0)
        return -1;
    while ((n = read(children_fd, bytes, sizeof bytes)) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (bytes[i] >= '0' && bytes[i] <= '9') {
                pid = pid * 10 + (bytes[i] - '0');
                continue;
            }
            if (pid && visit(walk, pid) < 0)
                return -1;
            pid = 0;
        }
    if (n < 0)
        return -1;
    return pid ? visit(walk, pid) : 0;
}

/* Has this process any child beside those of a thin fork that are still as they were born? One look of
 * the kernel, where the list of the children is 130 µs of writing and reading for 1,000: as long as
 * modules and supervisors are all there is, no end of one of them need read it. */
static bool has_other_children(void)
{
    siginfo_t info;

    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* Anew for as long as a dead one was among them. */
static int walk_all(struct walk *walk)
{
    int result = 0;

    do {
        strays_clear(walk->strays);
        walk->reaped = false;
        result = walk_children(walk);
    } while (result == 0 && walk->reaped);
    return result;
}

int strays_scan(bool (*is_leader)(pid_t pid, void *ctx), void *ctx, struct strays *strays)
{
    struct walk walk = {.is_leader = is_leader, .ctx = ctx, .strays = strays};
    int result;

    *strays = (struct strays){0};
    result = has_other_children() ? walk_all(&walk) : 0;
    if (result < 0)
        strays_finish(strays);
    return result;
}

void strays_finish(struct strays *strays)
{
    strays_clear(strays);
    free(strays->at);
    *strays = (struct strays){0};
}

static const struct stray *find_stray(const struct strays *strays, pid_t pid)
{
    for (size_t i = 0; i < strays->count; i++)
        if (strays->at[i].pid == pid)
            return &strays->at[i];
    return NULL;
}

struct inmates {
    const struct members *members;
    struct strays *strays;
    int result;
};

static void add_inmate(pid_t pid, void *ctx)
{
    struct inmates *inmates = ctx;

    if (pid != inmates->members->leader && !find_stray(inmates->strays, pid) &&
        strays_append(inmates->strays, pid) < 0)
        inmates->result = -1;
}

int members_add_inmates(const struct members *members, struct strays *strays)
{
    struct inmates inmates = {.members = members, .strays = strays};

    strays->populated = cgroup_is_populated(members->cgroup, members->path);
    if (strays->populated)
        cgroup_each(members->cgroup, members->path, add_inmate, &inmates);
    return inmates.result;
}

int members_scan(const struct members *members, bool (*is_leader)(pid_t pid, void *ctx), void *ctx,
                 struct strays *strays)
{
    if (strays_scan(is_leader, ctx, strays) < 0)
        return -1;
    if (members_add_inmates(members, strays) == 0)
        return 0;
    strays_finish(strays);
    return -1;
}

bool members_owns(const struct members *members, const struct stray *stray)
{
    if (stray->mark && stray->mark == members->mark)
        return true;
    if (!stray->mark && members->leader && stray->group == members->leader)
        return true;
    return cgroup_contains(members->cgroup, members->path, stray->cgroup);
}

bool members_include(const struct members *members, pid_t pid)
{
    struct stray stray = stray_of(pid);
    bool result = members_owns(members, &stray);

    free(stray.cgroup);
    return result;
}

bool members_are_left(const struct members *members, const struct strays *strays)
{
    for (size_t i = 0; i < strays->count; i++)
        if (members_owns(members, &strays->at[i]))
            return true;
    return strays->populated;
}

static bool was_told(const struct members *members, pid_t pid)
{
    for (size_t i = 0; i < members->told_count; i++)
        if (members->told[i] == pid)
            return true;
    return false;
}

static void note_told(struct members *members, pid_t pid)
{
    pid_t *grown = realloc(members->told, (members->told_count + 1) * sizeof *grown);

    if (!grown)
        return; /* it is told once more: harmless */
    members->told = grown;
    grown[members->told_count++] = pid;
}

static bool signal_stray(const struct stray *stray, int signal)
{
    /* An escapee that leads a group of its own takes its family along. */
    return kill(stray->group == stray->pid ? -stray->pid : stray->pid, signal) == 0;
}

/* Does a signal reach it with its group? */
static bool is_led(const struct members *members, const struct strays *strays,
                   const struct stray *stray, bool with_group)
{
    const struct stray *leader = find_stray(strays, stray->group);

    if (with_group && stray->group == members->leader)
        return true;
    return leader && leader != stray && members_owns(members, leader);
}

/* A leader that has only just been forked may have no group yet. */
static void signal_group(struct members *members, int signal)
{
    pid_t whom =
        kill(-members->leader, signal) < 0 && errno == ESRCH ? members->leader : -members->leader;

    if (whom > 0)
        kill(whom, signal);
    kill(whom, SIGCONT);
    members->group_told = true;
}

void members_signal(struct members *members, const struct strays *strays, int signal, bool group,
                    bool fresh_only)
{
    bool to_group = group && members->leader;

    if (signal == SIGKILL) {
        cgroup_kill(members->cgroup, members->path);
        members->cgroup_killed = true;
    }
    if (to_group && !(fresh_only && members->group_told))
        signal_group(members, signal);
    for (size_t i = 0; strays && i < strays->count; i++) {
        const struct stray *stray = &strays->at[i];

        if (!members_owns(members, stray) || (fresh_only && was_told(members, stray->pid)))
            continue;
        if (!is_led(members, strays, stray, to_group)) {
            signal_stray(stray, signal);
            signal_stray(stray, SIGCONT);
        }
        if (fresh_only)
            note_told(members, stray->pid);
    }
}

bool stray_kill(const struct stray *stray)
{
    return signal_stray(stray, SIGKILL);
}
