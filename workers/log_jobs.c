#include "log_jobs.h"
#include "buf.h"
#include "fault.h"
#include "log_history.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
    JOBS_MAX = 64,
    HELPERS_MAX = 8,
    READ_BYTES = 64 << 10,
    DRAIN_MS = 300,  /* how long a history waits for a writer that lags */
    GATHER_MS = 500, /* how long the writer waits for a history */
    PAUSE_MS = 20,
};

struct log_job {
    TAILQ_ENTRY(log_job) entry;
    struct log_jobs *jobs;
    char path[ADDR_PATH_MAX + 1];
    bool exact;
    size_t count;
    int64_t since_us;
    struct log_job_handlers handlers;
    void *data;
    uint64_t end; /* of the ring, for this job */
    pid_t helper; /* 0: not yet */
    int fd;
    struct buf buf;
    ev_io io;
    ev_timer pause;
};

struct log_jobs {
    struct ev_loop *loop;
    struct log_ring *ring;
    const char *dir;
    void (*wake_writer)(void *);
    void *wake_data;
    TAILQ_HEAD(job_list, log_job) list; /* oldest first */
    struct log_job *gathering;          /* whose barrier it is */
    unsigned count, helpers;
    ev_timer limit; /* of waiting for the writer, then of letting it wait */
};

static void start_next(struct log_jobs *jobs);

/* ---- the barrier ----------------------------------------------------------------------------- */

static void arm_limit(struct log_jobs *jobs, int ms)
{
    ev_now_update(jobs->loop);
    ev_timer_stop(jobs->loop, &jobs->limit);
    ev_timer_set(&jobs->limit, ms / 1000.0, 0.);
    ev_timer_start(jobs->loop, &jobs->limit);
}

/* The writer may go on; the next job may gather. */
static void lift_barrier(struct log_jobs *jobs)
{
    ev_timer_stop(jobs->loop, &jobs->limit);
    jobs->gathering = NULL;
    log_ring_set_barrier(jobs->ring, LOG_NO_BARRIER);
    jobs->wake_writer(jobs->wake_data);
}

/* ---- the end of a job ------------------------------------------------------------------------ */

static void job_destroy(struct log_job *job)
{
    struct log_jobs *jobs = job->jobs;

    if (jobs->gathering == job)
        lift_barrier(jobs);
    if (job->helper > 0) {
        kill(job->helper,
             SIGKILL); /* reaped with all other children; its number is held till then */
        jobs->helpers--;
    }
    ev_io_stop(jobs->loop, &job->io);
    ev_timer_stop(jobs->loop, &job->pause);
    if (job->fd >= 0)
        close(job->fd);
    buf_finish(&job->buf);
    TAILQ_REMOVE(&jobs->list, job, entry);
    jobs->count--;
    free(job);
}

static void job_end(struct log_job *job)
{
    struct log_jobs *jobs = job->jobs;
    struct log_job_handlers handlers = job->handlers;
    void *data = job->data;

    job_destroy(job);
    handlers.on_end(data);
    start_next(jobs);
}

void log_job_cancel(struct log_job *job)
{
    struct log_jobs *jobs = job->jobs;

    job_destroy(job);
    start_next(jobs);
}

/* ---- lines from a helper --------------------------------------------------------------------- */

/* `PATH TAB STREAM TAB WALL TAB TEXT`, cut in place. */
static void give_line(struct log_job *job, char *line)
{
    char *stream = strchr(line, '\t'), *wall, *text;

    if (!stream)
        return;
    *stream++ = '\0';
    wall = strchr(stream, '\t');
    if (!wall)
        return;
    *wall++ = '\0';
    text = strchr(wall, '\t');
    if (!text)
        return;
    *text++ = '\0';
    job->handlers.on_line(job->data, line, stream, strtoll(wall, NULL, 10), text);
}

static void give_lines(struct log_job *job)
{
    while (buf_length(&job->buf) > 0) {
        char *line = (char *)buf_front(&job->buf);
        char *newline = memchr(line, '\n', buf_length(&job->buf));

        if (!newline)
            return;
        *newline = '\0';
        give_line(job, line);
        buf_consume(&job->buf, (size_t)(newline - line) + 1);
    }
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
    struct log_job *job = container_of(io, struct log_job, io);
    struct log_jobs *jobs = job->jobs;
    uint8_t *room = buf_reserve(&job->buf, READ_BYTES);
    ssize_t n = room ? read(job->fd, room, READ_BYTES) : -1;

    (void)events;
    if (n < 0 && room && (errno == EAGAIN || errno == EINTR))
        return;
    if (jobs->gathering == job) { /* the first word, or the end: it has read what it wanted */
        lift_barrier(jobs);
        start_next(jobs);
    }
    if (n <= 0) {
        job_end(job);
        return;
    }
    job->buf.end += (size_t)n;
    give_lines(job);
    if (job->handlers.on_pause(job->data))
        return;
    ev_io_stop(loop, &job->io);
    ev_timer_start(loop, &job->pause);
}

static void on_pause(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct log_job *job = container_of(timer, struct log_job, pause);

    (void)events;
    if (!job->handlers.on_pause(job->data))
        return;
    ev_timer_stop(loop, timer);
    ev_io_start(loop, &job->io);
}

/* ---- helpers --------------------------------------------------------------------------------- */

/* The helper: keeps the pipe as its only descriptor, and dies with us. */
static _Noreturn void be_helper(const struct log_job *job, int fd, pid_t parent)
{
    struct log_history_request request = {.dir = job->jobs->dir,
                                          .path = job->path,
                                          .exact = job->exact,
                                          .count = job->count,
                                          .since_us = job->since_us,
                                          .ring = job->jobs->ring,
                                          .end = job->end};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_NAME, "log history");
    dup2(fd, 3);
    close_range(4, ~0U, 0);
    _exit(log_history_write(&request, 3) < 0);
}

static int fork_helper(struct log_job *job)
{
    pid_t parent = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    job->helper = fault_hits("fork") ? -1 : fork();
    if (job->helper == 0)
        be_helper(job, ends[1], parent);
    close(ends[1]);
    if (job->helper < 0) {
        job->helper = 0;
        close(ends[0]);
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    job->fd = ends[0];
    job->jobs->helpers++;
    ev_io_set(&job->io, job->fd, EV_READ);
    ev_io_start(job->jobs->loop, &job->io);
    return 0;
}

static void gather(struct log_job *job)
{
    struct log_jobs *jobs = job->jobs;

    if (fork_helper(job) < 0) {
        job_end(job);
        return;
    }
    arm_limit(jobs, GATHER_MS);
}

static bool is_drained(const struct log_job *job)
{
    return log_ring_tail(job->jobs->ring) >= job->end;
}

static struct log_job *first_waiting(const struct log_jobs *jobs)
{
    struct log_job *job;

    TAILQ_FOREACH(job, &jobs->list, entry)
    {
        if (job->helper == 0)
            return job;
    }
    return NULL;
}

/* Puts the barrier up for the oldest job that waits; it gathers when the writer has come there. */
static void start_next(struct log_jobs *jobs)
{
    struct log_job *job = first_waiting(jobs);

    if (!job || jobs->gathering || jobs->helpers >= HELPERS_MAX)
        return;
    jobs->gathering = job;
    job->end = log_ring_head(jobs->ring);
    log_ring_set_barrier(jobs->ring, job->end);
    job->handlers.on_begin(job->data);
    log_ring_wish_bell(jobs->ring, LOG_READER, true);
    /* Never at once: the caller may not have finished with the job. */
    arm_limit(jobs, is_drained(job) ? 0 : DRAIN_MS);
}

void log_jobs_progress(struct log_jobs *jobs)
{
    if (!jobs->gathering || jobs->gathering->helper)
        return;
    if (is_drained(jobs->gathering))
        gather(jobs->gathering);
    else
        log_ring_wish_bell(jobs->ring, LOG_READER, true);
}

static void on_limit(struct ev_loop *loop, ev_timer *timer, int events)
{
    struct log_jobs *jobs = container_of(timer, struct log_jobs, limit);

    (void)loop;
    (void)events;
    if (!jobs->gathering)
        return;
    if (!jobs->gathering->helper) {
        gather(jobs->gathering);
        return;
    }
    lift_barrier(jobs);
    start_next(jobs);
}

/* ---- beginning and end ----------------------------------------------------------------------- */

struct log_job *log_job_add(struct log_jobs *jobs, const char *path, bool exact, size_t count,
                            int64_t since_us, const struct log_job_handlers *handlers, void *data)
{
    struct log_job *job = NULL;

    if (jobs->count >= JOBS_MAX)
        errno = EBUSY;
    else
        job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->jobs = jobs;
    snprintf(job->path, sizeof job->path, "%s", path);
    job->exact = exact;
    job->count = count < LOG_HISTORY_MAX ? count : LOG_HISTORY_MAX;
    job->since_us = since_us;
    job->handlers = *handlers;
    job->data = data;
    job->fd = -1;
    ev_io_init(&job->io, on_readable, -1, EV_READ);
    ev_timer_init(&job->pause, on_pause, PAUSE_MS / 1000.0, PAUSE_MS / 1000.0);
    TAILQ_INSERT_TAIL(&jobs->list, job, entry);
    jobs->count++;
    start_next(jobs);
    return job;
}

struct log_jobs *log_jobs_create(struct ev_loop *loop, struct log_ring *ring, const char *dir,
                                 void (*wake_writer)(void *), void *wake_data)
{
    struct log_jobs *jobs = calloc(1, sizeof *jobs);

    if (!jobs)
        return NULL;
    jobs->loop = loop;
    jobs->ring = ring;
    jobs->dir = dir;
    jobs->wake_writer = wake_writer;
    jobs->wake_data = wake_data;
    TAILQ_INIT(&jobs->list);
    ev_init(&jobs->limit, on_limit);
    return jobs;
}

void log_jobs_destroy(struct log_jobs *jobs)
{
    if (!jobs)
        return;
    while (!TAILQ_EMPTY(&jobs->list))
        job_destroy(TAILQ_FIRST(&jobs->list));
    ev_timer_stop(jobs->loop, &jobs->limit);
    free(jobs);
}
