#include "root.h"

#include "config.h"
#include "control.h"
#include "depends.h"
#include "fault.h"
#include "files.h"
#include "guard.h"
#include "rundir.h"
#include "slots.h"
#include "store.h"
#include "supervisor.h"
#include "sys_tree.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATIONS_MAX = 1000, LOCK_RETRY_MS = 5, LOCK_PATIENCE_MS = 100 };

/* One root in a process: what its callbacks need beside the supervisor. */
static struct {
    struct supervisor supervisor;
    struct node node;
    struct spec_tree tree; /* of the files given at the start */
    struct spec_supervisor spec;
    char *notify_socket; /* the service manager's */
    int starter_fd;      /* `troupe up`, which waits for our end or has gone; -1: there is none */
    struct application *applications;
    struct question node_question, store_question; /* to `sys`, to add what nothing in the files had asked for */
    bool has_store; /* sys/store is there, or was asked for */
} root;

/* An application that the node has, with what it depends on. */
struct application {
    struct application *next;
    char *name;
    char **depends_on;
};

/* ---- applications ------------------------------------------------------------------------------- */

static struct application *find_application(const char *name)
{
    for (struct application *a = root.applications; a; a = a->next)
        if (!strcmp(a->name, name))
            return a;
    return NULL;
}

static bool needs(const struct application *application, const char *name)
{
    for (char **need = application->depends_on; *need; need++)
        if (!strcmp(*need, name) ||
            (find_application(*need) && needs(find_application(*need), name)))
            return true;
    return false;
}

static bool depends(const struct child *child, const struct child *on)
{
    const struct application *application = find_application(child_name(child));

    return application && needs(application, child_name(on));
}

static const char *missing(const struct child *child)
{
    const struct application *application = find_application(child_name(child));

    for (char **need = application ? application->depends_on : NULL; need && *need; need++) {
        const struct child *needed = supervisor_find(&root.supervisor, *need);

        if (!needed || needed->state != CHILD_READY)
            return *need;
    }
    return NULL;
}

static struct application *take_application(const char *name)
{
    for (struct application **at = &root.applications; *at; at = &(*at)->next)
        if (!strcmp((*at)->name, name)) {
            struct application *application = *at;

            *at = application->next;
            return application;
        }
    return calloc(1, sizeof(struct application));
}

/* Applications are kept in the order of their declaration. */
static void note_application(const struct spec_application *spec)
{
    struct application *application = take_application(spec->root.name);
    struct application **end = &root.applications;

    if (!application)
        return;
    *application = (struct application){NULL, spec->root.name, spec->depends_on};
    while (*end)
        end = &(*end)->next;
    *end = application;
}

static size_t list_applications(struct depends_item *items)
{
    size_t n = 0;

    for (struct application *a = root.applications; a; a = a->next, n++)
        if (items)
            items[n] = (struct depends_item){a->name, a->depends_on};
    return n;
}

/* Dependents first; else the reverse of the declared order. Without memory for it, the reverse of the
 * start order stands. */
static void rank_stops(const struct child *first)
{
    size_t n = list_applications(NULL), preferred = n;
    struct depends_item *items = calloc(n + 1, sizeof *items);
    size_t *order = calloc(n + 1, sizeof *order);

    if (!items || !order)
        goto done;
    list_applications(items);
    for (size_t i = 0; first && i < n; i++)
        if (!strcmp(items[i].name, child_name(first)))
            preferred = i;
    if (depends_stop_order(items, n, preferred, order) < 0)
        goto done;
    for (size_t i = 0; i < n; i++) {
        struct child *child = supervisor_find(&root.supervisor, items[order[i]].name);

        if (child)
            child->stop_rank = (unsigned)(n - i);
    }
done:
    free(items);
    free(order);
}

/* All of a tree's applications are taken, or none. */
static void forget_since(size_t before)
{
    int saved = errno;

    for (size_t i = before; i < root.supervisor.count; i++) {
        root.supervisor.children[i]->to_start = false;
        supervisor_forget(&root.supervisor, root.supervisor.children[i]);
    }
    errno = saved;
}

/* Adds the tree's applications in the order of their dependencies; they start in that order. */
static int add_applications(struct spec_tree *tree, const char *const *existing, bool to_start)
{
    struct depends_item *items = calloc(tree->application_count + 1, sizeof *items);
    size_t *order = calloc(tree->application_count + 1, sizeof *order), item, cycle;
    size_t before = root.supervisor.count;
    const char *need;
    int result = -1;

    if (!items || !order)
        goto done;
    for (size_t i = 0; i < tree->application_count; i++)
        items[i] = (struct depends_item){tree->applications[i].root.name,
                                         tree->applications[i].depends_on};
    if (depends_order(items, tree->application_count, existing, order, &item, &need, &cycle) < 0)
        goto done;
    for (size_t i = 0; i < tree->application_count; i++)
        note_application(&tree->applications[i]);
    for (size_t i = 0; i < tree->application_count; i++) {
        struct spec_application *application = &tree->applications[order[i]];
        struct child *child = supervisor_add(&root.supervisor, &application->root, NULL);

        if (!child) {
            forget_since(before);
            goto done;
        }
        child->to_start = to_start && !child->slot->held;
    }
    for (size_t i = 0; i < tree->application_count; i++)
        spec_move_below(&tree->applications[i].root, store_take);
    result = 0;
done:
    free(items);
    free(order);
    return result;
}

static const char **existing_names(void)
{
    const char **names = calloc(root.supervisor.count + 1, sizeof *names);

    for (size_t i = 0; names && i < root.supervisor.count; i++)
        names[i] = child_name(root.supervisor.children[i]);
    return names;
}

static void collect_uids(struct rights *rights, const struct spec *spec)
{
    const struct spec_supervisor *supervisor = spec->supervisor;
    uid_t *grown;

    if (spec->has_uid) {
        grown = realloc((void *)rights->send_uids, (rights->send_count + 1) * sizeof *grown);
        if (grown) {
            grown[rights->send_count++] = spec->uid;
            rights->send_uids = grown;
        }
    }
    for (size_t i = 0; supervisor && i < supervisor->child_count; i++)
        collect_uids(rights, &supervisor->children[i]);
    if (supervisor && supervisor->template)
        collect_uids(rights, supervisor->template);
}

/* Who runs under this tree may send to its actors. */
static void note_users(const struct spec_tree *tree)
{
    for (size_t i = 0; i < tree->application_count; i++)
        collect_uids(&root.node.rights, &tree->applications[i].root);
}

/* ---- what comes to the node's own part while it runs ------------------------------------------------ */

typedef int write_child(const struct node *node, const struct spec_node *spec, struct buf *yaml,
                        struct buf *messages);

/* Whatever it is: who still finds nobody there asks again. */
static void on_sys_answer(struct question *question, const struct envelope *env, const char *why)
{
    (void)env;
    (void)why;
    question_forget(question);
}

/* Asked of `sys`, as a person would add a child to a supervisor. */
static int add_to_sys(char *path, write_child *write, struct question *question, struct buf *messages)
{
    char cwd[] = "/";
    struct buf yaml = {0};
    int result;

    if (question->fellow)
        return 0;
    result = write(&root.node, &root.tree.node, &yaml, messages);
    if (result == 0) {
        struct words words = {3, (char *[]){(char *)buf_front(&yaml), path, cwd}};

        question->on_answer = on_sys_answer;
        result = fellows_ask(&root.supervisor.fellows, "sys", CONTROL_ADD, &words, question);
    }
    buf_finish(&yaml);
    return result;
}

/* 0, or -1 with messages. A supervisor asks whenever it finds no sys/node. */
static int want_node(struct buf *messages)
{
    char path[] = "sys/node";

    return add_to_sys(path, sys_tree_node, &root.node_question, messages);
}

static int want_store(struct buf *messages)
{
    char path[] = "sys/store";

    root.has_store = add_to_sys(path, sys_tree_store, &root.store_question, messages) == 0;
    return root.has_store ? want_node(messages) : -1; /* which tells reminders */
}

/* That it is there already is no mistake. */
static void on_want(const struct request *request, const char *path,
                    int (*want)(struct buf *messages))
{
    struct buf messages = {0};

    if (want(&messages) == 0) {
        request_done(request, path);
    } else {
        buf_append(&messages, "", 1);
        request_refuse(request, CONTROL_E_REFUSED, "%s",
                       messages.data ? (char *)buf_front(&messages) : "out of memory");
    }
    buf_finish(&messages);
}

/* The first application that needs one brings it. What there is not is found out by who needs it. */
static void provide_store(const struct spec_tree *tree)
{
    struct buf messages = {0};

    for (size_t i = 0; i < tree->application_count; i++)
        if (sys_tree_needs_store(&tree->applications[i].root)) {
            want_store(&messages);
            break;
        }
    buf_finish(&messages);
}

/* What the node keeps, it keeps in one place, from the first actor that keeps something on: NULL, or
 * why these files come too late. */
static const char *wrong_store(const struct spec_node *node)
{
    const char *ours = root.tree.node.store ? root.tree.node.store : "sqlite:";

    if (!node->store || !strcmp(ours, node->store))
        return NULL;
    return "store: the node keeps its state elsewhere: expected it in the files that it was started "
           "with";
}

/* ---- the root's own requests ----------------------------------------------------------------------- */

static const char *already_there(const struct spec_tree *tree)
{
    for (size_t i = 0; i < tree->application_count; i++)
        if (supervisor_find(&root.supervisor, tree->applications[i].root.name))
            return tree->applications[i].root.name;
    return NULL;
}

static void reply_names(const struct request *request, const struct spec_tree *tree)
{
    struct words names = {0};

    for (size_t i = 0; i < tree->application_count; i++)
        words_append(&names, tree->applications[i].root.name);
    peer_reply_words(request->peer, request->ref, &names, -1);
    words_finish(&names);
}

/* First by themselves, to know their names: one that is here already is no mistake in a file. */
static bool refuse_known(const struct request *request, char *const *files, size_t count,
                         const struct config_context *context)
{
    struct spec_tree tree = {0};
    struct buf ignored = {0};
    const char *known = NULL;
    bool read = config_read(files, count, context, NULL, &tree, &ignored) == 0;

    if (read)
        known = already_there(&tree);
    if (known)
        request_refuse(request, CONTROL_E_REFUSED,
                       "%s is already there: use reload (or `troupe down %s` first)", known, known);
    if (read)
        spec_tree_finish(&tree);
    buf_finish(&ignored);
    return known != NULL;
}

static void on_up(const struct request *request)
{
    uint64_t count = 0;
    struct spec_tree *tree;
    struct buf messages = {0};
    const char **existing;
    char *const *files = request->words.at + 1;
    struct config_context context = {0};

    if (!request->words.count || text_unsigned(request->words.at[0], 1, 1000, &count) < 0 ||
        request->words.count < 1 + count) {
        request_refuse(request, CONTROL_E_BAD, "expected N FILE...");
        return;
    }
    /* words_append() keeps the list ended by NULL: what follows the files is an environment. */
    context.environment = request->words.at + 1 + count;
    if (reserve_is_in_use()) {
        request_refuse(request, CONTROL_E_REFUSED, "out of memory: nothing new is taken on meanwhile");
        return;
    }
    if (refuse_known(request, files, count, &context))
        return;
    tree = calloc(1, sizeof *tree);
    existing = existing_names();
    if (!tree || !existing) {
        request_refuse(request, CONTROL_E_REFUSED, "out of memory");
        free(tree);
    } else if (config_read(files, count, &context, existing, tree, &messages) < 0) {
        buf_append(&messages, "", 1);
        peer_reply_error(request->peer, request->ref, CONTROL_E_CONFIG " %s",
                         (char *)buf_front(&messages));
        free(tree);
    } else if (wrong_store(&tree->node)) {
        request_refuse(request, CONTROL_E_REFUSED, "%s", wrong_store(&tree->node));
        spec_tree_finish(tree);
        free(tree);
    } else if (add_applications(tree, existing, true) < 0) {
        request_refuse(request, CONTROL_E_REFUSED, "%s", strerror(errno));
    } else {
        provide_store(tree);
        note_users(tree);
        reply_names(request, tree); /* the tree stays: its specs are in use */
        supervisor_kick(&root.supervisor);
    }
    free(existing);
    buf_finish(&messages);
}

static void on_down_all(const struct request *request)
{
    request_done(request, "stopping");
    supervisor_end(&root.supervisor, NEED_NONE, "shutdown");
}

static void on_node(const struct request *request)
{
    const struct node *node = &root.node;
    struct facts facts = {0};

    facts_add(&facts, 's', "node", node->name);
    facts_addf(&facts, 'n', "pid", "%d", (int)getpid());
    facts_addf(&facts, 'n', "guard", "%d", (int)node->guard);
    facts_addf(&facts, 's', "generation", "%016llx", (unsigned long long)node->generation);
    facts_add(&facts, 's', "version", TROUPE_VERSION);
    facts_addf(&facts, 't', "started", "%lld", (long long)node->started_us);
    facts_add(&facts, 's', "run", node->run_dir);
    facts_add(&facts, 's', "state", node->state_dir);
    peer_reply_facts(request->peer, request->ref, &facts);
    facts_finish(&facts);
}

static bool on_request(const char *verb, const struct request *request)
{
    if (!strcmp(verb, CONTROL_UP))
        on_up(request);
    else if (!strcmp(verb, CONTROL_DOWN) && !request->words.count)
        on_down_all(request);
    else if (!strcmp(verb, CONTROL_DOWN))
        requests_remove(request);
    else if (!strcmp(verb, CONTROL_WANT_NODE))
        on_want(request, "sys/node", want_node);
    else if (!strcmp(verb, CONTROL_WANT_STORE))
        on_want(request, "sys/store", want_store);
    else if (!strcmp(verb, CONTROL_NODE))
        on_node(request);
    else
        return false;
    return true;
}

/* ---- the service manager and the starter ------------------------------------------------------------ */

static void tell_service_manager(const char *text)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    size_t length = root.notify_socket ? strlen(root.notify_socket) : 0;
    int fd;

    if (!length || length >= sizeof addr.sun_path)
        return;
    memcpy(addr.sun_path, root.notify_socket, length);
    if (addr.sun_path[0] == '@')
        addr.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&addr,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length));
    close(fd);
}

static void on_boot(struct supervisor *supervisor)
{
    char text[64];

    events_self(supervisor, EVENT_NODE_READY, NULL, NULL);
    snprintf(text, sizeof text, "READY=1\nMAINPID=%d", (int)root.node.guard);
    tell_service_manager(text);
}

/* A node that ends by itself as soon as it has booted is known to its starter by this only. */
static void tell_starter(const char *reason)
{
    if (root.starter_fd >= 0 && strcmp(reason, "shutdown"))
        dprintf(root.starter_fd, "%s\n", reason);
}

static void on_end(struct supervisor *supervisor)
{
    tell_starter(supervisor->final_reason);
    events_self(supervisor, EVENT_NODE_STOPPING, "reason", supervisor->final_reason);
    tell_service_manager("STOPPING=1");
}

/* From here on what we say goes to the log, and the starter is free to go. One that cannot be told
 * would wait for ever, or is not there any more: then the node is not wanted. */
static int leave_starter(int ready_fd, struct error *err)
{
    int terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, SLOT_FIRST_FREE), result = 0;

    if (terminal < 0 || logpipes_capture_stderr(&root.supervisor.logpipes) < 0)
        result = error_set_errno(err, errno, "log pipe");
    else if (write(ready_fd, "booted\n", 7) < 0)
        result = error_set_errno(err, errno, "telling that the node has booted");
    if (result < 0 && terminal >= 0)
        dup2(terminal, STDERR_FILENO);
    close(terminal);
    if (result < 0)
        close(ready_fd);
    else
        root.starter_fd = ready_fd;
    return result;
}

/* ---- the run directory ------------------------------------------------------------------------------ */

/* Whoever asks whether the node is alive holds the lock for a moment: that is no node. */
static int lock_patiently(int fd)
{
    const struct timespec moment = {0, LOCK_RETRY_MS * 1000000L};

    for (int tries = LOCK_PATIENCE_MS / LOCK_RETRY_MS;; tries--) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK || tries <= 0)
            return -1;
        nanosleep(&moment, NULL);
    }
}

/* The lock's file may be removed by its last holder just while we open it: what we hold must be what
 * is there. */
static int hold_lock(const struct node *node)
{
    char path[PATH_MAX + sizeof RUNDIR_LOCK + 1];
    struct stat ours, there;

    snprintf(path, sizeof path, "%s/%s", node->run_dir, RUNDIR_LOCK);
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

        if (fd < 0)
            return -1;
        fchmod(fd, 0600); /* whoever may read it may lock it, and keep us out */
        if (lock_patiently(fd) < 0) {
            close(fd);
            return -1;
        }
        if (fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_ino == there.st_ino &&
            ours.st_dev == there.st_dev)
            return fd;
        close(fd);
    }
}

static int make_state_dir(const char *path)
{
    char full[PATH_MAX + 8];

    snprintf(full, sizeof full, "%s/log", path);
    return make_directory("", full + 1);
}

/* Where our processes are is written down, for the root that follows if nobody of this node is left to
 * clear up. */
static void begin_cgroup(struct node *node)
{
    char link[PATH_MAX + sizeof RUNDIR_CGROUP + 1];

    snprintf(link, sizeof link, "%s/%s", node->run_dir, RUNDIR_CGROUP);
    if (*node->cgroup.path && symlink(node->cgroup.path, link) < 0)
        node->cgroup.path[0] = '\0';
    cgroup_begin(&node->cgroup);
}

static void end_last_cgroup(const struct node *node)
{
    char link[PATH_MAX + sizeof RUNDIR_CGROUP + 1];
    struct cgroup_base last = {.in_proc = ""};
    ssize_t n;

    snprintf(link, sizeof link, "%s/%s", node->run_dir, RUNDIR_CGROUP);
    n = readlink(link, last.path, sizeof last.path - 1);
    last.path[n > 0 ? n : 0] = '\0';
    if (n > 0 && cgroup_is_base(last.path))
        cgroup_end(&last);
}

/* We empty what a node has left behind, never somebody's folder: ours has its lock from the first
 * moment to the last. */
static bool is_foreign(const char *run_dir)
{
    char lock[PATH_MAX + sizeof RUNDIR_LOCK + 1];

    snprintf(lock, sizeof lock, "%s/%s", run_dir, RUNDIR_LOCK);
    return access(lock, F_OK) < 0 && !directory_is_empty(run_dir) && access(lock, F_OK) < 0;
}

static int lock_refused(const struct node *node, struct error *err)
{
    char name[32];
    pid_t pid;

    if (errno != EWOULDBLOCK)
        return error_set_errno(err, errno, "%s/%s", node->run_dir, RUNDIR_LOCK);
    pid = rundir_stranger(node->run_dir, name);
    if (pid)
        return error_set(err, EEXIST, "%s/%s is locked by process %d (%s), which is no node",
                         node->run_dir, RUNDIR_LOCK, (int)pid, name);
    return error_set(err, EEXIST, "node %s is already running in %s", node->name, node->run_dir);
}

static int prepare_directories(struct error *err)
{
    struct rundir dir;
    struct node *node = &root.node;

    snprintf(dir.node, sizeof dir.node, "%s", node->name);
    snprintf(dir.path, sizeof dir.path, "%s", node->run_dir);
    if (rundir_create(&dir, err) < 0)
        return -1;
    if (is_foreign(node->run_dir))
        return error_set(err, ENOTEMPTY, "%s: holds files of somebody else: expected a directory that "
                         "a node has made, an empty one, or none", node->run_dir);
    node->lock_fd = hold_lock(node);
    if (node->lock_fd < 0)
        return lock_refused(node, err);
    end_last_cgroup(node);
    if (empty_directory(node->run_dir, RUNDIR_LOCK) < 0)
        return error_set_errno(err, errno, "emptying %s", node->run_dir);
    begin_cgroup(node);
    if (make_state_dir(node->state_dir) < 0)
        return error_set_errno(err, errno, "state directory %s", node->state_dir);
    return 0;
}

/* Nothing of an orderly ended node is left behind. The lock goes last, while it is still held. */
static void remove_run_dir(void)
{
    cgroup_end(&root.node.cgroup);
    if (empty_directory(root.node.run_dir, RUNDIR_LOCK) == 0)
        remove_directory(root.node.run_dir);
}

/* ---- the start ---------------------------------------------------------------------------------------- */

static int name_node(const struct root_options *options, struct error *err)
{
    struct rundir dir;
    struct node *node = &root.node;
    ssize_t n = readlink("/proc/self/exe", node->program, sizeof node->program - 1);

    if (rundir_resolve(options->node, root.tree.node.name, &dir, err) < 0)
        return -1;
    node->program[n > 0 ? n : 0] = '\0';
    snprintf(node->name, sizeof node->name, "%s", dir.node);
    snprintf(node->run_dir, sizeof node->run_dir, "%s", dir.path);
    snprintf(node->state_dir, sizeof node->state_dir, "%s", dir.state);
    node->started_us = wall_now_us();
    node->rights.node_uid = getuid();
    node->is_clustered = spec_node_is_clustered(&root.tree.node);
    note_users(&root.tree);
    if (getrandom(&node->generation, sizeof node->generation, 0) < 0)
        node->generation = (uint64_t)node->started_us;
    cgroup_locate(&node->cgroup, node->name, node->generation);
    return 0;
}

static int read_config(const struct root_options *options)
{
    extern char **environ;
    const struct config_context context = {.environment = environ};
    struct buf messages = {0};
    int result = config_read(options->files, options->file_count, &context, NULL, &root.tree,
                             &messages);

    if (buf_length(&messages))
        fprintf(stderr, "%.*s", (int)buf_length(&messages), (char *)buf_front(&messages));
    else if (result < 0) /* no word could be said of it: there was no memory for that either */
        fprintf(stderr, "troupe-supervisord: reading the config files: %s\n", strerror(ENOMEM));
    buf_finish(&messages);
    return result;
}

/* Three descriptors a child and thousands of children: the soft limit is for programs that select(). */
static void raise_descriptors(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static struct spec *make_sys(struct error *err)
{
    struct spec *sys = calloc(1, sizeof *sys);
    struct buf messages = {0};

    if (!sys || sys_tree(&root.node, &root.tree, sys, &messages) < 0) {
        buf_append(&messages, "", 1);
        error_set(err, EINVAL, "%s", messages.data ? (char *)buf_front(&messages) : "out of memory");
        free(sys);
        sys = NULL;
    }
    buf_finish(&messages);
    return sys;
}

/* A sys that is killed comes back, up to 30 times in 60 s; its own giving up ends the node. */
static void give_allowance(struct child *sys)
{
    intensity_init(&sys->allowance, sys->spec->supervisor->intensity,
                   sys->spec->supervisor->period_ms);
    sys->has_allowance = true;
}

static int make_root(struct error *err)
{
    struct supervisor *supervisor = &root.supervisor;
    struct spec *sys = make_sys(err);
    int mailbox;

    if (!sys)
        return -1;
    root.spec = (struct spec_supervisor){.strategy = ONE_FOR_ONE,
                                         .intensity = 0,
                                         .period_ms = 5000,
                                         .max_children = APPLICATIONS_MAX,
                                         .children = sys,
                                         .child_count = 1};
    mailbox = rundir_listen(root.node.run_dir, RUNDIR_SUPERVISOR);
    if (mailbox < 0)
        return error_set_errno(err, errno, "%s/%s", root.node.run_dir, RUNDIR_SUPERVISOR);
    if (supervisor_init(supervisor, &root.node, "", 1, &root.spec, mailbox, -1) < 0)
        return error_set_errno(err, errno, "root supervisor");
    give_allowance(supervisor_find(supervisor, "sys"));
    root.has_store = sys_tree_has_store(&root.tree);
    supervisor->depends = depends;
    supervisor->missing = missing;
    supervisor->rank_stops = rank_stops;
    supervisor->on_boot = on_boot;
    supervisor->on_end = on_end;
    supervisor->requests.extra = on_request;
    if (add_applications(&root.tree, NULL, true) < 0)
        return error_set_errno(err, errno, "applications");
    return 0;
}

static int fail(const struct error *err)
{
    fprintf(stderr, "troupe-supervisord: %s\n", err->text);
    return ROOT_FAILED;
}

/* What our starter ignored or blocked, neither we nor our guard do, who live by signals; nor shall a child
 * of ours: spawn.c then resets only what we have set. */
static void hear_all_signals(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            signal(number, SIG_DFL);
}

/* What our own starter told us, be it a service manager or another node, is not our children's. */
static void forget_own_birth(void)
{
    static const char *const names[] = {
        "NOTIFY_SOCKET",    "WATCHDOG_USEC",   "WATCHDOG_PID",  "LISTEN_FDS",
        "LISTEN_PID",       "LISTEN_FDNAMES",  "TROUPE_PATH",   "TROUPE_INCARNATION",
        "TROUPE_REPLICA",   "TROUPE_CONTROL",  "TROUPE_MAILBOX", "TROUPE_STATS",
        "TROUPE_READY_FD", "TROUPE_EPOCH"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

int root_run(const struct root_options *options)
{
    struct error err = {0};
    int ready_fd = options->ready_fd, status;

    fault_set_path(".");
    if (options->file_count && read_config(options) < 0)
        return ROOT_CONFIG;
    if (name_node(options, &err) < 0)
        return fail(&err);
    root.notify_socket = getenv("NOTIFY_SOCKET") ? strdup(getenv("NOTIFY_SOCKET")) : NULL;
    forget_own_birth();
    hear_all_signals();
    if (guard_split(options->foreground, ready_fd >= 0, &root.node.cgroup) < 0)
        return error_set_errno(&err, errno, "guard"), fail(&err);
    root.node.guard = getppid();
    raise_descriptors();
    /* First out of the slots, then fill them: what is opened later must not land in a free one. */
    if ((ready_fd >= 0 && (ready_fd = slots_move_up(ready_fd)) < 0) || slots_reserve() < 0)
        return error_set_errno(&err, errno, "descriptors"), fail(&err);
    root.node.lock_fd = root.starter_fd = -1;
    if (prepare_directories(&err) < 0 || make_root(&err) < 0 ||
        (ready_fd >= 0 && leave_starter(ready_fd, &err) < 0)) {
        if (root.node.lock_fd >= 0)
            remove_run_dir();
        return fail(&err);
    }
    supervisor_run(&root.supervisor);
    status = strcmp(root.supervisor.final_reason, "shutdown") ? ROOT_FAILED : ROOT_DONE;
    remove_run_dir();
    return status;
}
