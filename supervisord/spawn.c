#include "spawn.h"

#include "boot.h"
#include "child.h"
#include "config.h"
#include "fault.h"
#include "lineage.h"
#include "luggage.h"
#include "module.h"
#include "module_exec.h"
#include "nest.h"
#include "signals.h"
#include "slots.h"
#include "store.h"
#include "supervisor.h"
#include "thinfork.h"
#include "title.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const step_names[SPAWN_STEPS] = {
    [STEP_SESSION] = "new session",
    [STEP_DESCRIPTORS] = "descriptors",
    [STEP_MARK] = "mark",
    [STEP_LIMITS] = "limits",
    [STEP_CWD] = "cwd",
    [STEP_NICE] = "nice",
    [STEP_OOM] = "oom_score_adj",
    [STEP_GROUPS] = "group",
    [STEP_USER] = "user",
    [STEP_STDIN] = "stdin",
    [STEP_PRIVILEGES] = "no_new_privs",
    [STEP_PARENT] = "parent",
    [STEP_EXEC] = "exec",
    [STEP_STATE] = "last state",
    [STEP_ENVIRONMENT] = "environment",
};

/* What a child is born with, made by its supervisor. */
struct birth {
    struct child *child; /* in the newborn that of its luggage */
    pid_t parent;
    const struct module *module;
    const struct module_actor *actor; /* the module's; NULL: its file is another by now */
    bool execs;
    int control, out, err, failure_pipe;
    int fifth;  /* to be at BOOT_FD_STATS; not ours to close */
    int cgroup; /* its directory, while the child has to go there by itself; -1 */
    struct luggage luggage;
};

bool spawn_is_scarcity(int error)
{
    return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
}

void spawn_failure_text(const struct child *child, const struct spawn_failure *failure, char *out,
                        unsigned size)
{
    const struct spec *spec = child->spec;
    const char *step = failure->step < SPAWN_STEPS ? step_names[failure->step] : "start";

    switch (failure->step) {
    case STEP_LIMITS:
        if (failure->detail < spec->limit_count) {
            const struct spec_limit *limit = &spec->limits[failure->detail];
            struct rlimit own = {0};

            getrlimit((__rlimit_resource_t)limit->resource, &own);
            snprintf(out, size, "limits: %s: %llu wanted, the hard limit is %llu: %s", limit->name,
                     (unsigned long long)limit->value, (unsigned long long)own.rlim_max,
                     strerror(failure->error));
            return;
        }
        break;
    case STEP_EXEC:
        snprintf(out, size, "exec: %s: %s",
                 spec->supervisor ? child->path
                 : spec->exec     ? spec->exec[0]
                                  : spec->module,
                 strerror(failure->error));
        return;
    case STEP_CWD:
        snprintf(out, size, "cwd: %s: %s", spec->cwd, strerror(failure->error));
        return;
    case STEP_STDIN:
        snprintf(out, size, "stdin: %s: %s", spec->stdin_path, strerror(failure->error));
        return;
    default:
        break;
    }
    snprintf(out, size, "%s: %s", step, strerror(failure->error));
}

bool spawn_execs(const struct child *child)
{
    const struct spec *spec = child->spec;

    if (spec->kind != SPEC_MODULE)
        return spec->kind == SPEC_PROGRAM;
    return spec->has_uid && spec->uid != child->supervisor->node->rights.node_uid;
}

/* ---- the child's side ------------------------------------------------------------------------ */

static _Noreturn void report(int pipe, enum spawn_step step, unsigned detail)
{
    struct spawn_failure failure = {'!', (uint8_t)step, (uint16_t)detail, errno};

    if (write(pipe, &failure, sizeof failure) < 0)
        _exit(126);
    _exit(127);
}

/* The text as this replica has it: itself, if it does not speak of the replica. */
static char *expanded(char *text, unsigned replica)
{
    return strstr(text, "${") ? spec_expand_replica(text, replica) : text;
}

/* Opening it may take its time, since a FIFO waits for its writer: in the child's own session, where a stop
 * finds it, and when its supervisor does not wait for it any more. */
static void put_stdin(const struct spec *spec)
{
    close(STDIN_FILENO); /* so that what is opened is just that */
    /* cppcheck-suppress leakReturnValNotUsed ; it is the standard input from now on */
    if (open(spec->stdin_path ? spec->stdin_path : "/dev/null", O_RDONLY) < 0)
        report(BOOT_FD_SPARE, STEP_STDIN, 0);
}

/* The pipe goes last: until then every step can be reported by its old number. */
static void put_descriptors(const struct birth *birth)
{
    const struct child *child = birth->child;

    if (slots_put(birth->out, 1) < 0 || slots_put(birth->err, 2) < 0 ||
        slots_put(child->mailbox_fd, BOOT_FD_MAILBOX) < 0 ||
        slots_put(birth->control, BOOT_FD_CONTROL) < 0 || slots_put(birth->fifth, BOOT_FD_STATS) < 0 ||
        slots_put(birth->failure_pipe, BOOT_FD_SPARE) < 0)
        report(birth->failure_pipe, STEP_DESCRIPTORS, 0);
    if (child->spec->kind != SPEC_PROGRAM || child->spec->ready != READY_NOTIFY)
        fcntl(BOOT_FD_SPARE, F_SETFD, FD_CLOEXEC);
    thinfork_leave();
}

static void set_limits(const struct spec *spec)
{
    for (size_t i = 0; i < spec->limit_count; i++) {
        struct rlimit limit = {spec->limits[i].value, spec->limits[i].value};

        if (setrlimit((__rlimit_resource_t)spec->limits[i].resource, &limit) < 0)
            report(BOOT_FD_SPARE, STEP_LIMITS, (unsigned)i);
    }
}

static int set_oom(int adjustment)
{
    char text[16];
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    int n = snprintf(text, sizeof text, "%d", adjustment);
    ssize_t written;

    if (fd < 0)
        return -1;
    written = write(fd, text, (size_t)n);
    close(fd);
    return written == n ? 0 : -1;
}

static void set_surroundings(const struct spec *spec)
{
    if (spec->cwd) {
        char *cwd = expanded(spec->cwd, spec->replica);

        if (!cwd || chdir(cwd) < 0)
            report(BOOT_FD_SPARE, STEP_CWD, 0);
    }
    if (spec->umask >= 0)
        umask((mode_t)spec->umask);
    if (spec->has_nice && setpriority(PRIO_PROCESS, 0, spec->nice) < 0)
        report(BOOT_FD_SPARE, STEP_NICE, 0);
    if (spec->has_oom && set_oom(spec->oom_score_adj) < 0)
        report(BOOT_FD_SPARE, STEP_OOM, 0);
}

static void set_user(const struct spec *spec)
{
    if (!spec->has_uid && !spec->group)
        return;
    if (geteuid() == 0 &&
        (spec->user ? initgroups(spec->user, spec->gid) : setgroups(1, &spec->gid)) < 0)
        report(BOOT_FD_SPARE, STEP_GROUPS, 0);
    if (setresgid(spec->gid, spec->gid, spec->gid) < 0)
        report(BOOT_FD_SPARE, STEP_GROUPS, 0);
    if (spec->has_uid && setresuid(spec->uid, spec->uid, spec->uid) < 0)
        report(BOOT_FD_SPARE, STEP_USER, 0);
}

/* Last, because setuid and the like clear the signal of the parent's death. */
static void tie_to_parent(const struct birth *birth)
{
    const struct spec *spec = birth->child->spec;

    /* A supervisor hands it down to all below it, which may be declared otherwise. */
    if (spec->no_new_privs && !spec_supervises(spec) &&
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        report(BOOT_FD_SPARE, STEP_PRIVILEGES, 0);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != birth->parent) {
        errno = ESRCH;
        report(BOOT_FD_SPARE, STEP_PARENT, 0);
    }
}

static size_t length_of(char *const *words)
{
    size_t n = 0;

    while (words[n])
        n++;
    return n;
}

/* A command's words as this replica has them; the command itself when all of them are plain. */
static char *const *expanded_words(char *const *command, unsigned replica)
{
    size_t n = length_of(command), marked = 0;
    char **words;

    for (size_t i = 0; i < n; i++)
        marked += strstr(command[i], "${") != NULL;
    if (!marked)
        return command;
    words = calloc(n + 1, sizeof *words);
    for (size_t i = 0; words && i < n; i++)
        if (!(words[i] = expanded(command[i], replica)))
            return NULL;
    return words;
}

static _Noreturn void become_program(const struct birth *birth)
{
    const struct spec *spec = birth->child->spec;
    char *const *words = expanded_words(spec->exec, spec->replica);

    if (words)
        execvp(words[0], words);
    report(BOOT_FD_SPARE, STEP_EXEC, 0);
}

static _Noreturn void become_module(const struct birth *birth)
{
    const struct module_actor *actor = birth->actor;
    struct error err = {0};

    if (!actor)
        actor = module_open_anew(birth->module, &err);
    if (!actor) {
        dprintf(2, "%s\n", err.text);
        errno = ENOEXEC;
        report(BOOT_FD_SPARE, STEP_EXEC, 0);
    }
    close(BOOT_FD_SPARE);
    title_set("troupe: %s", birth->child->path);
    _exit(actor->run(actor, &birth->luggage.boot));
}

static _Noreturn void become_module_of_user(const struct birth *birth)
{
    const struct spec *spec = birth->child->spec;
    char file[PATH_MAX];

    if (config_module_path(spec->module, spec->cwd, file) == 0)
        module_exec(birth->luggage.program, file, &birth->luggage.boot);
    report(BOOT_FD_SPARE, STEP_EXEC, 0);
}

static _Noreturn void become_supervisor(const struct birth *birth)
{
    struct child *child = birth->child;
    struct node *node = malloc(sizeof *node);
    struct supervisor *supervisor = calloc(1, sizeof *supervisor);
    int mailbox = slots_move_up(BOOT_FD_MAILBOX), control = slots_move_up(BOOT_FD_CONTROL);
    int lock = slots_move_up(BOOT_FD_STATS);

    if (!node || !supervisor || mailbox < 0 || control < 0 || lock < 0 || slots_reserve() < 0)
        report(BOOT_FD_SPARE, STEP_EXEC, 0);
    lineage_leave();
    store_lend(false);
    fence_mark_lend(child->fence, false);
    *node = *child->supervisor->node;
    node->lock_fd = lock;
    title_set("troupe: %s", child->path);
    if (supervisor_init(supervisor, node, child->path, birth->luggage.incarnation,
                        child->spec->supervisor, mailbox, control) < 0)
        report(BOOT_FD_SPARE, STEP_EXEC, 0);
    supervisor->offers.fence.mark = child->fence;
    close(BOOT_FD_SPARE);
    slots_reserve();
    _exit(supervisor_run(supervisor));
}

/* Its supervisor's memory, but for what is in the luggage: a supervisor takes it along, and so does who has
 * more luggage than there is room for, or has to load a module. */
static bool leaves_nest(const struct birth *birth)
{
    return birth->luggage.is_whole && (birth->actor || !birth->module);
}

static _Noreturn void be_born(struct birth *birth)
{
    const struct child *child = birth->child;
    const struct spec *spec = child->spec;

    if (leaves_nest(birth))
        nest_leave();
    fault_set_path(child->path);
    if (birth->cgroup >= 0)
        cgroup_enter(birth->cgroup);
    put_descriptors(birth); /* as soon as can be: until then our supervisor waits */
    signals_leave();
    if (setsid() < 0)
        report(BOOT_FD_SPARE, STEP_SESSION, 0);
    if (members_wear_mark(child->members.mark) < 0)
        report(BOOT_FD_SPARE, STEP_MARK, 0);
    set_limits(spec);
    put_stdin(spec);
    set_surroundings(spec);
    set_user(spec);
    tie_to_parent(birth);
    if (spec_supervises(spec))
        become_supervisor(birth);
    if (!birth->luggage.is_whole)
        luggage_unpack(&birth->luggage);
    if (environment_wear(&birth->luggage.environment) < 0)
        report(BOOT_FD_SPARE, STEP_ENVIRONMENT, 0);
    if (spec->kind == SPEC_PROGRAM)
        become_program(birth);
    if (birth->execs)
        become_module_of_user(birth);
    become_module(birth);
}

/* ---- the supervisor's side ------------------------------------------------------------------- */

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

/* Many siblings are one module. */
static const struct module *find_module(const struct child *child, struct error *err)
{
    const struct spec *spec = child->spec;
    const struct module *module = child->module ? child->module : module_last(spec->module);
    char file[PATH_MAX];

    if (module)
        return module;
    if (config_module_path(spec->module, spec->cwd, file) < 0) {
        error_set(err, ENOENT, "module %s: no such file on the module path", spec->module);
        return NULL;
    }
    module = module_load(file, err);
    module_set_last(module, spec->module);
    return module;
}

static int prepare_module(struct birth *birth, struct error *err)
{
    struct child *child = birth->child;

    if (child->spec->kind != SPEC_MODULE)
        return 0;
    birth->module = child->module = find_module(child, err);
    if (!birth->module)
        return -1;
    birth->actor = module_actor(birth->module);
    return 0;
}

static int prepare_descriptors(struct birth *birth, int *control_end, struct error *err)
{
    struct child *child = birth->child;
    int control[2];

    if (probe_prepare(&child->probe, &birth->failure_pipe) < 0)
        return error_set_errno(err, errno, "readiness pipe");
    if (pages_prepare(child) < 0)
        return error_set_errno(err, errno, "stats page");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, control) < 0)
        return error_set_errno(err, errno, "control socket");
    *control_end = control[0];
    birth->control = control[1];
    fcntl(control[1], F_SETFL, 0); /* the child's end blocks: a shell may read it */
    if (child->mailbox_fd >= 0 && child->spec->kind == SPEC_PROGRAM)
        fcntl(child->mailbox_fd, F_SETFL, 0); /* a plain program's accept waits */
    birth->fifth = spec_supervises(child->spec) ? child->supervisor->node->lock_fd : pages_fd(child);
    birth->out = logpipes_open_writer(child, 0);
    birth->err = child->spec->stderr_separate ? logpipes_open_writer(child, 1) : birth->out;
    if (birth->out < 0 || birth->err < 0)
        return error_set_errno(err, errno, "log pipe");
    return 0;
}

static void finish_birth(struct birth *birth)
{
    close_fd(birth->control);
    close_fd(birth->out);
    if (birth->err != birth->out)
        close_fd(birth->err);
    close_fd(birth->failure_pipe);
}

/* Forks into the child's cgroup, if there is one. */
static pid_t fork_into_cgroup(struct birth *birth, bool *stillborn)
{
    const struct child *child = birth->child;
    int cgroup = cgroup_open(child->members.cgroup, child->path), saved;
    pid_t pid;

    *stillborn = false;
    birth->cgroup = cgroup;
    pid = thinfork(&birth->cgroup, stillborn);
    saved = errno;
    if (pid)
        close_fd(cgroup);
    errno = saved;
    return pid;
}

/* Whether somebody has killed the cgroup is seen by a child that does not live to its first step: it
 * gets a new one, and is born once more. To make each a new one beforehand, as a precaution, took
 * 60 µs of every restart. */
static pid_t fork_child(struct birth *birth)
{
    struct child *child = birth->child;
    bool stillborn;
    pid_t pid;

    child->members.cgroup = child_cgroups(child);
    child->members.path = child->path;
    pid = fork_into_cgroup(birth, &stillborn);
    if (pid > 0 && stillborn) {
        waitpid(pid, NULL, __WALL);
        cgroup_renew(child->members.cgroup, child->path);
        pid = fork_into_cgroup(birth, &stillborn);
    }
    return pid;
}

/* Forks, and be_born() in the child. */
static pid_t bear(struct birth *birth)
{
    pid_t pid = -1;
    int saved;

    if (luggage_pack(&birth->luggage, birth->child) == 0) {
        nest_withhold(leaves_nest(birth));
        pid = fork_child(birth);
        if (pid == 0) {
            birth->child = &birth->luggage.child;
            be_born(birth);
        }
        saved = errno;
        nest_withhold(false);
        errno = saved;
    }
    saved = errno;
    luggage_finish(&birth->luggage);
    errno = saved;
    return pid;
}

int spawn_child(struct child *child, struct error *err)
{
    struct birth birth = {.child = child,
                          .parent = getpid(),
                          .execs = spawn_execs(child),
                          .luggage.incarnation = child->slot->incarnation,
                          .control = -1,
                          .out = -1,
                          .err = -1,
                          .failure_pipe = -1};
    int control_end = -1;
    void *last_state = NULL;
    pid_t pid;

    child->members.mark = members_new_mark();
    if (prepare_module(&birth, err) < 0 || prepare_descriptors(&birth, &control_end, err) < 0)
        goto fail;
    birth.luggage.last_state = last_state =
        table_last_state(child->supervisor->table, child->slot, &birth.luggage.last_state_size);
    pid = bear(&birth);
    if (pid < 0) {
        error_set_errno(err, errno, "fork");
        goto fail;
    }
    child->pid = pid;
    child->members.leader = pid;
    child->control_fd = control_end;
    finish_birth(&birth);
    free(last_state);
    return 0;
fail:
    close_fd(control_end);
    probe_finish(&child->probe);
    finish_birth(&birth);
    free(last_state);
    return -1;
}

static _Noreturn void become_helper(struct birth *birth, int out)
{
    const struct child *child = birth->child;
    const struct spec *spec = child->spec;
    char *const *argv;

    signals_leave();
    setpgid(0, 0);
    members_wear_mark(child->members.mark);
    slots_put(out, 1);
    slots_put(out, 2);
    for (int slot = 3; slot < SLOT_FIRST_FREE; slot++)
        close(slot);
    slots_close_rest();
    /* As its child is; what fails here has no pipe to say so, and ends with 126. */
    set_surroundings(spec);
    set_user(spec);
    tie_to_parent(birth);
    if (!birth->luggage.is_whole)
        luggage_unpack(&birth->luggage);
    if (environment_wear(&birth->luggage.environment) < 0 ||
        !(argv = expanded_words(spec->ready_exec, spec->replica)))
        _exit(126);
    execvp(argv[0], argv);
    dprintf(2, "ready: exec: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int spawn_helper(struct child *child)
{
    struct birth birth = {.parent = getpid(), .luggage.incarnation = child->slot->incarnation};
    int out = logpipes_open_writer(child, 0);
    pid_t pid = -1;

    birth.child = &birth.luggage.child;
    if (out >= 0 && luggage_pack(&birth.luggage, child) == 0) {
        pid = fork();
        if (pid == 0)
            become_helper(&birth, out);
        luggage_finish(&birth.luggage);
        if (pid > 0)
            setpgid(pid, pid); /* on both sides: it may have to be ended before it has run */
    }
    close_fd(out);
    return pid;
}
