/*
 * History requests, the reader's side: a helper process for each reads the files (log_history.h)
 * and the lines come back through a pipe. One gathers at a time; the writer waits at a barrier
 * meanwhile, so that what the files hold ends exactly where a follower goes on.
 */
#ifndef TROUPE_LOG_JOBS_H
#define TROUPE_LOG_JOBS_H

#include "log_lines.h"
#include "log_ring.h"
#include "loop.h"

struct log_jobs;
struct log_job;

struct log_job_handlers {
    /* The history will hold everything until now. */
    void (*on_begin)(void *data);
    /* One line; stream and text as a file has them. */
    void (*on_line)(void *data, const char *path, const char *stream, int64_t wall_us,
                    const char *text);
    /* All lines that have come so far were given. Is there room for more? If not, later. */
    bool (*on_pause)(void *data);
    /* All is said (or the helper failed); the job is freed after this. May be followed by nothing.
     */
    void (*on_end)(void *data);
};

/* dir and ring are kept. NULL with errno. */
struct log_jobs *log_jobs_create(struct ev_loop *loop, struct log_ring *ring, const char *dir,
                                 void (*wake_writer)(void *), void *wake_data);
void log_jobs_destroy(struct log_jobs *jobs);

/* NULL with EBUSY when too many wait. No handler but on_begin is called before this returns. */
struct log_job *log_job_add(struct log_jobs *jobs, const char *path, bool exact, size_t count,
                            int64_t since_us, const struct log_job_handlers *handlers, void *data);
/* Ends a job without on_end. */
void log_job_cancel(struct log_job *job);

/* The writer has made progress. */
void log_jobs_progress(struct log_jobs *jobs);

#endif
