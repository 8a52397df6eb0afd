#include "module.h"

#include "signals.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct module {
    struct module *next;
    char *file;
    struct stat seen; /* as it was when we loaded it */
    const struct module_actor *actor;
};

static struct module *modules;

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

const struct module_actor *module_open(const char *file, struct error *err)
{
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    const struct module_actor *actor;

    if (!handle) {
        error_set(err, ENOEXEC, "cannot load %s", dlerror());
        return NULL;
    }
    actor = dlsym(handle, "troupe_actor");
    if (!actor) {
        error_set(err, ENOEXEC, "%s has no symbol troupe_actor: declare the actor with TROUPE_ACTOR",
                  file);
        return NULL;
    }
    if (actor->abi != TROUPE_BOOT_ABI || !actor->run) {
        error_set(err, ENOEXEC, "%s was built for runtime version %u: expected %d", file,
                  actor->abi, TROUPE_BOOT_ABI);
        return NULL;
    }
    return actor;
}

/* The trial's child: tells by its pipe what went wrong, by its exit status that it did. */
static _Noreturn void try_in_child(const char *file, int out)
{
    struct error err = {0};

    signals_leave();
    if (module_open(file, &err))
        _exit(0);
    if (write(out, err.text, strlen(err.text)) < 0)
        _exit(2);
    _exit(1);
}

static int await_trial(pid_t pid, const char *file, int in, struct error *err)
{
    struct pollfd pfd = {.fd = in, .events = POLLIN};
    char text[ERROR_TEXT_SIZE] = "";
    ssize_t n = 0;
    int status, ready;

    do
        ready = poll(&pfd, 1, MODULE_TRIAL_MS);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0)
        kill(pid, SIGKILL);
    else
        n = read(in, text, sizeof text - 1);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (ready <= 0)
        return error_set(err, ETIMEDOUT, "loading %s takes longer than %d s", file,
                         MODULE_TRIAL_MS / 1000);
    if (n > 0)
        return error_set(err, ENOEXEC, "%s", text);
    if (WIFSIGNALED(status))
        return error_set(err, ENOEXEC, "loading %s crashes: %s", file, strsignal(WTERMSIG(status)));
    if (status)
        return error_set(err, ENOEXEC, "loading %s ends the process", file);
    return 0;
}

static int try_module(const char *file, struct error *err)
{
    int ends[2], result;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set_errno(err, errno, "%s", file);
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        try_in_child(file, ends[1]);
    }
    close(ends[1]);
    if (pid < 0)
        result = error_set_errno(err, errno, "%s", file);
    else
        result = await_trial(pid, file, ends[0], err);
    close(ends[0]);
    return result;
}

static struct module *find(const char *file)
{
    for (struct module *m = modules; m; m = m->next)
        if (!strcmp(m->file, file))
            return m;
    return NULL;
}

static const struct module *last;
static char last_name[64];

/* A name with a slash means another file in another cwd. */
const struct module *module_last(const char *name)
{
    return last && !strcmp(last_name, name) ? last : NULL;
}

void module_set_last(const struct module *module, const char *name)
{
    last = NULL;
    if (strchr(name, '/') || strlen(name) >= sizeof last_name)
        return;
    last = module;
    strcpy(last_name, name);
}

struct module *module_load(const char *file, struct error *err)
{
    struct module *module = find(file);
    struct stat st;

    if (module)
        return module;
    if (stat(file, &st) < 0) {
        error_set_errno(err, errno, "%s", file);
        return NULL;
    }
    if (try_module(file, err) < 0)
        return NULL;
    module = calloc(1, sizeof *module);
    if (!module || !(module->file = strdup(file))) {
        error_set(err, ENOMEM, "%s", file);
        free(module);
        return NULL;
    }
    module->seen = st;
    module->actor = module_open(file, err);
    if (!module->actor) {
        free(module->file);
        free(module);
        return NULL;
    }
    module->next = modules;
    modules = module;
    return module;
}

/* dlopen would hand out the old object for a known name: a copy under a private one is new. */
static const struct module_actor *open_copy(const char *file, struct error *err)
{
    int in = open(file, O_RDONLY | O_CLOEXEC), out = memfd_create("troupe-module", 0);
    const struct module_actor *actor = NULL;
    char name[40];
    ssize_t n = 1;

    if (in < 0 || out < 0) {
        error_set_errno(err, errno, "%s", file);
        goto done;
    }
    while (n > 0)
        n = sendfile(out, in, NULL, 1 << 20);
    if (n < 0) {
        error_set_errno(err, errno, "%s", file);
        goto done;
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", out);
    actor = module_open(name, err);
done:
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return actor;
}

const struct module_actor *module_actor(const struct module *module)
{
    struct stat st;

    if (stat(module->file, &st) < 0 || is_same_file(&st, &module->seen))
        return module->actor;
    return NULL;
}

const struct module_actor *module_open_anew(const struct module *module, struct error *err)
{
    return open_copy(module->file, err);
}
