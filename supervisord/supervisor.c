#include "supervisor.h"

#include "batch.h"
#include "ctl.h"
#include "fault.h"
#include "files.h"
#include "nest.h"
#include "reap.h"
#include "rundir.h"
#include "slots.h"
#include "status.h"
#include "text.h"
#include "thinfork.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SUPERVISOR_NEST = 4 * 1024 * 1024,
    HEAP_SPARE = 64 * 1024, /* what the heap grows by after a fork is a mapping of its own */
};

/* ---- children ------------------------------------------------------------------------------------ */

struct child *supervisor_find(struct supervisor *supervisor, const char *name)
{
    struct child *child;

    HASH_FIND(by_name, supervisor->by_name, name, strlen(name), child);
    return child;
}

uint32_t supervisor_used(struct supervisor *supervisor)
{
    return intensity_used(&supervisor->intensity, mono_now().us / 1000);
}

struct child *supervisor_add(struct supervisor *supervisor, const struct spec *spec,
                             struct spec *own_spec)
{
    struct child **grown, *child;
    struct seat *seats;

    if (reserve_is_in_use()) {
        errno = ENOMEM;
        return NULL;
    }
    if (supervisor->count >= supervisor->spec->max_children) {
        errno = ENOSPC;
        return NULL;
    }
    if (attached_find(&supervisor->attached, spec->name)) {
        errno = EEXIST;
        return NULL;
    }
    grown = realloc(supervisor->children, (supervisor->count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    supervisor->children = grown;
    seats = realloc(supervisor->seats, (supervisor->count + 1) * sizeof *seats);
    if (!seats)
        return NULL;
    supervisor->seats = seats;
    child = child_create(supervisor, spec, own_spec);
    if (!child)
        return NULL;
    grown[supervisor->count++] = child;
    HASH_ADD_KEYPTR(by_name, supervisor->by_name, child_name(child), strlen(child_name(child)), child);
    return child;
}

static void forget(struct supervisor *supervisor, size_t i)
{
    struct child *child = supervisor->children[i];
    uint64_t epoch = child->slot->incarnation;
    char name[ADDR_PART_MAX + 1];

    snprintf(name, sizeof name, "%s", child_name(child));
    events_child(child, EVENT_CHILD_REMOVED);
    requests_on_forget(&supervisor->requests, child);
    HASH_DELETE(by_name, supervisor->by_name, child);
    child_destroy(child, true);
    memmove(&supervisor->children[i], &supervisor->children[i + 1],
            (supervisor->count - i - 1) * sizeof *supervisor->children);
    supervisor->count--;
    activations_on_forget(supervisor, name, epoch);
}

void supervisor_forget(struct supervisor *supervisor, struct child *child)
{
    child->doomed = true;
    supervisor_kick(supervisor);
}

static void bury_doomed(struct supervisor *supervisor)
{
    for (size_t i = supervisor->count; i-- > 0;)
        if (supervisor->children[i]->doomed && supervisor->children[i]->state == CHILD_DOWN)
            forget(supervisor, i);
}

static void say_to_parent(struct supervisor *supervisor, const char *text)
{
    if (supervisor->control_fd >= 0)
        send(supervisor->control_fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void end_with(struct supervisor *supervisor, const char *path)
{
    supervisor_end(supervisor, NEED_NONE, REASON_AUTO_SHUTDOWN "%s has ended", path);
}

static void boot_is_done(struct supervisor *supervisor)
{
    supervisor->mode = SUPERVISOR_RUNNING;
    events_self(supervisor, EVENT_SUPERVISOR_UP, NULL, NULL);
    say_to_parent(supervisor, "READY\n");
    if (supervisor->on_boot)
        supervisor->on_boot(supervisor);
    if (*supervisor->ended_in_boot)
        end_with(supervisor, supervisor->ended_in_boot);
}

static void end_is_done(struct supervisor *supervisor)
{
    static const char *const needs[] = {
        [NEED_NONE] = "", [NEED_RESTART] = " | restart", [NEED_RESTART_AFTER] = "",
        [NEED_FINISH] = " | finish", [NEED_ABORT] = " | abort",
    };
    char text[REASON_MAX + 32];

    snprintf(text, sizeof text, "EXIT %s%s\n", supervisor->final_reason,
             needs[supervisor->final_need]);
    say_to_parent(supervisor, text);
    if (supervisor->on_end)
        supervisor->on_end(supervisor);
    ev_break(supervisor->loop, EVBREAK_ALL);
}

static void start_due(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->count; i++) {
        struct child *child = supervisor->children[i];

        if (!child->due)
            continue;
        child->due = false;
        if (supervisor->mode != SUPERVISOR_ENDING)
            child_start(child);
    }
}

static void on_advance(struct ev_loop *loop, ev_prepare *watcher, int revents)
{
    struct supervisor *supervisor = container_of(watcher, struct supervisor, advance);
    enum step what;

    (void)loop;
    (void)revents;
    events_drop_stalled(&supervisor->events);
    bury_doomed(supervisor);
    start_due(supervisor);
    while (batch_step(supervisor, &what))
        ;
    backplane_settle(&supervisor->backplane);
    if (what != STEP_DONE)
        return;
    if (supervisor->mode == SUPERVISOR_BOOTING)
        boot_is_done(supervisor);
    else if (supervisor->mode == SUPERVISOR_ENDING)
        end_is_done(supervisor);
}

void supervisor_kick(struct supervisor *supervisor)
{
    ev_feed_event(supervisor->loop, &supervisor->advance, EV_CUSTOM);
}

void supervisor_end(struct supervisor *supervisor, enum need need, const char *format, ...)
{
    va_list args;

    if (supervisor->mode == SUPERVISOR_ENDING)
        return;
    va_start(args, format);
    vsnprintf(supervisor->final_reason, sizeof supervisor->final_reason, format, args);
    va_end(args);
    supervisor->final_need = need;
    supervisor->mode = SUPERVISOR_ENDING;
    attached_stop_all(&supervisor->attached);
    if (supervisor->rank_stops)
        supervisor->rank_stops(NULL);
    for (size_t i = 0; i < supervisor->count; i++) {
        supervisor->children[i]->to_start = supervisor->children[i]->due = false;
        supervisor->children[i]->to_stop = supervisor->children[i]->state != CHILD_DOWN;
    }
    supervisor_kick(supervisor);
}

void supervisor_auto_shutdown(struct supervisor *supervisor, const char *path)
{
    if (supervisor->mode == SUPERVISOR_BOOTING)
        snprintf(supervisor->ended_in_boot, sizeof supervisor->ended_in_boot, "%s", path);
    else
        end_with(supervisor, path);
}

/* ---- our own end ----------------------------------------------------------------------------------- */

static void on_wish_to_end(struct ev_loop *loop)
{
    struct supervisor *supervisor = ev_userdata(loop);

    supervisor_end(supervisor, NEED_NONE, "shutdown");
}

static void take_order(struct supervisor *supervisor, struct ctl_line *line)
{
    switch (line->verb) {
    case CTL_STOP:
        supervisor_end(supervisor, NEED_NONE, "shutdown");
        break;
    case CTL_EXIT:
        supervisor_end(supervisor, NEED_NONE, "cascade %s", line->rest);
        break;
    case CTL_PING:
        say_to_parent(supervisor, "HEARTBEAT\n");
        break;
    default:
        break;
    }
}

static void on_control(struct ev_loop *loop, ev_io *io, int revents)
{
    struct supervisor *supervisor = container_of(io, struct supervisor, control);
    char datagram[4096];
    struct ctl_line line;
    size_t at = 0;
    ssize_t n = recv(supervisor->control_fd, datagram, sizeof datagram - 1, MSG_DONTWAIT);

    (void)revents;
    if (n < 0)
        return;
    if (n == 0) { /* our parent is gone; the kernel is about to kill us */
        ev_io_stop(loop, io);
        supervisor_end(supervisor, NEED_NONE, "noconnection");
        return;
    }
    datagram[n] = '\0';
    while (ctl_next(datagram, (size_t)n, &at, &line))
        take_order(supervisor, &line);
}

/* ---- life ------------------------------------------------------------------------------------------ */

static int start_watchers(struct supervisor *supervisor)
{
    ev_set_userdata(supervisor->loop, supervisor);
    supervisor->signals = (struct signals){.on_end_of_child = reap_on_sigchld,
                                           .on_wish_to_end = on_wish_to_end};
    if (signals_begin(&supervisor->signals, supervisor->loop) < 0)
        return -1;
    falling_init(supervisor);
    ev_init(&supervisor->advance, on_advance);
    ev_set_priority(&supervisor->advance, -1);
    ev_init(&supervisor->control, on_control);
    if (supervisor->control_fd < 0)
        return 0;
    ev_io_set(&supervisor->control, supervisor->control_fd, EV_READ);
    ev_set_priority(&supervisor->control, EV_MAXPRI);
    ev_io_start(supervisor->loop, &supervisor->control);
    return 0;
}

static int open_tables(struct supervisor *supervisor)
{
    unsigned max = supervisor->spec->max_children;

    supervisor->table = table_open(supervisor->node->run_dir, supervisor->folder, max);
    supervisor->cribs = child_cribs(max);
    if (!supervisor->table || !supervisor->cribs)
        return -1;
    return pages_init(&supervisor->pages, max);
}

static bool is_child(const char *name, void *supervisor)
{
    return supervisor_find(supervisor, name) || !strcmp(name, RUNDIR_SUPERVISOR) ||
           !strcmp(name, RUNDIR_SERVICE) ||
           !strcmp(name, RUNDIR_TABLE) || !strcmp(name, RUNDIR_LOCK);
}

static bool is_another_shards(const char *name, void *supervisor)
{
    return *name == '.' || !shards_have(supervisor, name);
}

/* Mailboxes and cgroups of children that were added to an incarnation that is gone: nobody will answer
 * there. Those of its other children are for ours. */
static void remove_strangers(struct supervisor *supervisor)
{
    char path[PATH_MAX + ADDR_PATH_MAX + 2];

    snprintf(path, sizeof path, "%s/%s", supervisor->node->run_dir, supervisor->folder);
    keep_in_directory(path, is_child, supervisor);
    if (supervisor->shards.is_shard) {
        snprintf(path, sizeof path, "%s/%s", supervisor->node->run_dir, supervisor->path);
        keep_in_directory(path, is_another_shards, supervisor);
        return;
    }
    cgroup_keep(&supervisor->node->cgroup, supervisor->path, is_child, supervisor);
}

static int create_children(struct supervisor *supervisor)
{
    table_begin(supervisor->table);
    for (size_t i = 0; i < supervisor->spec->child_count; i++) {
        struct child *child = supervisor_add(supervisor, &supervisor->spec->children[i], NULL);

        if (!child)
            return -1;
        child->to_start = !child->slot->held;
    }
    if (!supervisor->is_root)
        remove_strangers(supervisor);
    return 0;
}

int supervisor_init(struct supervisor *supervisor, const struct node *node, const char *path,
                    uint64_t incarnation, const struct spec_supervisor *spec, int mailbox_fd,
                    int control_fd)
{
    *supervisor = (struct supervisor){.node = node,
                                      .incarnation = incarnation,
                                      .spec = spec,
                                      .is_root = !*path,
                                      .control_fd = control_fd};
    snprintf(supervisor->folder, sizeof supervisor->folder, "%s", path);
    if (spec->template && shard_number(addr_name(path)) >= 0)
        addr_parent(path, supervisor->path, sizeof supervisor->path);
    else
        snprintf(supervisor->path, sizeof supervisor->path, "%s", path);
    path = supervisor->path;
    snprintf(supervisor->self, sizeof supervisor->self, "%s@%s#%llu", *path ? path : ".",
             node->name, (unsigned long long)incarnation);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || strays_open() < 0)
        return -1;
    srandom((unsigned)(mono_now().us ^ getpid()));
    if (reserve_init() < 0)
        return -1;
    malloc_trim(HEAP_SPARE); /* of what the reading of the configuration left, each fork would get a copy */
    if (nest_open(SUPERVISOR_NEST) < 0)
        return -1;
    supervisor->loop = loop_create();
    if (!supervisor->loop)
        return -1;
    intensity_init(&supervisor->intensity, spec->intensity, spec->period_ms);
    if (start_watchers(supervisor) < 0)
        return -1;
    events_init(&supervisor->events, supervisor);
    hotlines_init(&supervisor->hotlines, supervisor->loop, node->run_dir, supervisor->self);
    fellows_init(&supervisor->fellows, supervisor);
    links_init(&supervisor->links, supervisor);
    backplane_init(&supervisor->backplane, supervisor);
    memberships_init(&supervisor->memberships, supervisor);
    attached_init(&supervisor->attached, supervisor);
    shards_init(&supervisor->shards, supervisor);
    if (activations_init(&supervisor->activations, supervisor) < 0)
        return -1;
    offers_init(&supervisor->offers, supervisor);
    if (open_tables(supervisor) < 0 || requests_init(&supervisor->requests, supervisor, mailbox_fd) < 0)
        return -1;
    logpipes_init(&supervisor->logpipes, supervisor);
    return create_children(supervisor);
}

int supervisor_run(struct supervisor *supervisor)
{
    if (!supervisor->is_root)
        fcntl(STDERR_FILENO, F_SETFL, O_WRONLY | O_NONBLOCK);
    thinfork_init();
    supervisor_kick(supervisor);
    ev_run(supervisor->loop, 0);
    links_finish(&supervisor->links);
    attached_finish(&supervisor->attached);
    memberships_finish(&supervisor->memberships);
    backplane_finish(&supervisor->backplane);
    hotlines_finish(&supervisor->hotlines);
    fellows_finish(&supervisor->fellows);
    requests_finish(&supervisor->requests);
    offers_finish(&supervisor->offers);
    activations_finish(&supervisor->activations);
    shards_finish(&supervisor->shards);
    logpipes_finish(&supervisor->logpipes);
    events_finish(&supervisor->events);
    return 0;
}
