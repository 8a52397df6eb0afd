#include "logpipes.h"

#include "control.h"
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { RETRY_FIRST_MS = 20, RETRY_MAX_MS = 1000, DIAL_MS = 5000 };

static const char log_path[] = "sys/log", own_path[] = "sys/root";

/* What a child printed that sys/log has not heard of yet, and whose child is gone for good. */
struct farewell {
    struct farewell *next;
    char path[ADDR_PATH_MAX + 1];
    bool separate;
    int fd[2];
};

static int open_again(int fd, int flags)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags | O_CLOEXEC);
}

/* One descriptor for both ends: it keeps the pipe and what is in it alive whoever else goes. */
static int open_pipe(void)
{
    int ends[2], both;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    both = open_again(ends[0], O_RDWR | O_NONBLOCK);
    close(ends[0]);
    close(ends[1]);
    return both;
}

static void tell_open(struct logpipes *logpipes, const char *path, const char *stream, int pipe)
{
    char *words[] = {(char *)path, (char *)stream};
    struct words list = {2, words};
    int reader = open_again(pipe, O_RDONLY | O_NONBLOCK);

    if (reader < 0)
        return;
    if (peer_tell(logpipes->peer, CONTROL_LOG_OPEN, &list, reader) < 0)
        close(reader);
}

static void tell_child(struct logpipes *logpipes, const struct child *child)
{
    bool separate = child->spec->stderr_separate;

    tell_open(logpipes, child->path, separate ? "out" : "both", child->log_fd[0]);
    if (separate)
        tell_open(logpipes, child->path, "err", child->log_fd[1]);
}

static void tell_close(struct logpipes *logpipes, char *path)
{
    struct words list = {1, &path};

    peer_tell(logpipes->peer, CONTROL_LOG_CLOSE, &list, -1);
}

static void close_both(int fd[2])
{
    for (int stream = 0; stream < 2; stream++) {
        if (fd[stream] >= 0)
            close(fd[stream]);
        fd[stream] = -1;
    }
}

/* Takes over the child's pipes until they can be told. False: there is no memory for that. */
static bool keep_farewell(struct logpipes *logpipes, struct child *child)
{
    struct farewell *farewell, **last = &logpipes->farewells;

    if (child->log_fd[0] < 0 || !(farewell = calloc(1, sizeof *farewell)))
        return false;
    snprintf(farewell->path, sizeof farewell->path, "%s", child->path);
    farewell->separate = child->spec->stderr_separate;
    memcpy(farewell->fd, child->log_fd, sizeof farewell->fd);
    child->log_fd[0] = child->log_fd[1] = -1;
    while (*last)
        last = &(*last)->next;
    *last = farewell;
    return true;
}

static void tell_farewells(struct logpipes *logpipes)
{
    struct farewell *farewell;

    while ((farewell = logpipes->farewells) != NULL) {
        logpipes->farewells = farewell->next;
        tell_open(logpipes, farewell->path, farewell->separate ? "out" : "both", farewell->fd[0]);
        if (farewell->separate)
            tell_open(logpipes, farewell->path, "err", farewell->fd[1]);
        tell_close(logpipes, farewell->path);
        close_both(farewell->fd);
        free(farewell);
    }
}

/* What the pipe holds was said by the incarnation before. sys/log cannot know how much that was: when
 * it hears of the watch, the new one may have spoken already. */
static void put_unread(int pipe, char *out, size_t size)
{
    int unread = 0;

    if (pipe >= 0)
        ioctl(pipe, FIONREAD, &unread);
    snprintf(out, size, "%d", unread);
}

static void ask_watch(struct logpipes *logpipes, struct child *child)
{
    char since[24]; /* asked again, a line that was read since the start counts too */
    char unread[2][16];
    char *words[] = {child->path, child->spec->ready_log, since, unread[0], unread[1]};
    struct words list = {5, words};

    snprintf(since, sizeof since, "%lld", (long long)child->slot->started_us);
    for (int stream = 0; stream < 2; stream++)
        put_unread(child->log_fd[stream], unread[stream], sizeof unread[stream]);
    if (logpipes->open)
        child->log_watch = peer_request(logpipes->peer, CONTROL_LOG_WATCH, &list, -1);
}

static void tell_all(struct logpipes *logpipes)
{
    struct supervisor *supervisor = logpipes->supervisor;

    if (logpipes->own_fd >= 0)
        tell_open(logpipes, own_path, "both", logpipes->own_fd);
    tell_farewells(logpipes);
    for (size_t i = 0; i < supervisor->count; i++)
        tell_child(logpipes, supervisor->children[i]);
}

/* The watches go first: no line may pass before them. */
static void on_open(struct peer *peer)
{
    struct logpipes *logpipes = peer_data(peer);
    struct supervisor *supervisor = logpipes->supervisor;

    logpipes->open = true;
    logpipes->retry_ms = RETRY_FIRST_MS;
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->children[i]->probe.watching &&
            supervisor->children[i]->spec->ready == READY_LOG)
            ask_watch(logpipes, supervisor->children[i]);
    tell_all(logpipes);
}

static void on_envelope(struct peer *peer, const struct envelope *env, int fd)
{
    struct logpipes *logpipes = peer_data(peer);
    struct supervisor *supervisor = logpipes->supervisor;

    (void)fd;
    if (env->kind != ENVELOPE_CONTROL_REPLY)
        return;
    for (size_t i = 0; i < supervisor->count; i++)
        if (supervisor->children[i]->log_watch == env->ref && env->ref) {
            supervisor->children[i]->log_watch = 0;
            probe_on_log_match(&supervisor->children[i]->probe);
            return;
        }
}

static void retry_later(struct logpipes *logpipes)
{
    struct ev_loop *loop = logpipes->supervisor->loop;

    ev_now_update(loop);
    ev_timer_stop(loop, &logpipes->retry);
    ev_timer_set(&logpipes->retry, (double)logpipes->retry_ms / 1000., 0.);
    ev_timer_start(loop, &logpipes->retry);
    logpipes->retry_ms =
        logpipes->retry_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : logpipes->retry_ms * 2;
}

static void on_close(struct peer *peer, const char *why)
{
    struct logpipes *logpipes = peer_data(peer);

    (void)why;
    logpipes->peer = NULL;
    logpipes->open = false;
    retry_later(logpipes);
}

static const struct peer_handlers handlers = {.on_open = on_open, .on_envelope = on_envelope,
                                              .on_close = on_close};

static void dial(struct logpipes *logpipes)
{
    struct supervisor *supervisor = logpipes->supervisor;

    logpipes->peer = peer_dial(supervisor->loop, supervisor->node->run_dir, log_path,
                               supervisor->self, mono_add_ms(mono_now(), DIAL_MS), &handlers,
                               logpipes);
    if (!logpipes->peer)
        retry_later(logpipes);
}

static void on_retry(struct ev_loop *loop, ev_timer *timer, int revents)
{
    (void)loop;
    (void)revents;
    dial(container_of(timer, struct logpipes, retry));
}

void logpipes_init(struct logpipes *logpipes, struct supervisor *supervisor)
{
    *logpipes = (struct logpipes){.supervisor = supervisor, .retry_ms = RETRY_FIRST_MS, .own_fd = -1};
    ev_timer_init(&logpipes->retry, on_retry, 0., 0.);
    dial(logpipes);
}

void logpipes_finish(struct logpipes *logpipes)
{
    ev_timer_stop(logpipes->supervisor->loop, &logpipes->retry);
    /* A short life may end before sys/log has answered: what is sent now waits in its socket. */
    if (logpipes->peer && !logpipes->open)
        tell_all(logpipes);
    peer_close(logpipes->peer, true);
    logpipes->peer = NULL;
    logpipes->open = false;
}

int logpipes_capture_stderr(struct logpipes *logpipes)
{
    int writer;

    logpipes->own_fd = open_pipe();
    if (logpipes->own_fd < 0)
        return -1;
    writer = open_again(logpipes->own_fd, O_WRONLY | O_NONBLOCK);
    if (writer < 0 || dup2(writer, STDERR_FILENO) < 0 || dup2(writer, STDOUT_FILENO) < 0)
        return -1;
    close(writer);
    if (logpipes->open)
        tell_open(logpipes, own_path, "both", logpipes->own_fd);
    return 0;
}

int logpipes_create(struct child *child)
{
    struct logpipes *logpipes = &child->supervisor->logpipes;

    child->log_fd[0] = open_pipe();
    if (child->log_fd[0] < 0)
        return -1;
    if (child->spec->stderr_separate && (child->log_fd[1] = open_pipe()) < 0)
        return -1;
    if (logpipes->open)
        tell_child(logpipes, child);
    return 0;
}

void logpipes_destroy(struct child *child, bool gone)
{
    struct logpipes *logpipes = &child->supervisor->logpipes;

    if (gone && logpipes->open)
        tell_close(logpipes, child->path);
    if (gone && !logpipes->open && keep_farewell(logpipes, child))
        return;
    close_both(child->log_fd);
}

int logpipes_open_writer(const struct child *child, int stream)
{
    int fd = child->log_fd[stream] >= 0 ? child->log_fd[stream] : child->log_fd[0];

    return open_again(fd, O_WRONLY);
}

void logpipes_watch(struct logpipes *logpipes, struct child *child)
{
    ask_watch(logpipes, child);
    if (child->log_watch)
        peer_flush(logpipes->peer);
}

void logpipes_unwatch(struct logpipes *logpipes, struct child *child)
{
    (void)logpipes;
    child->log_watch = 0;
}
