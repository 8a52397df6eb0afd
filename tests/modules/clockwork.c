/* Timers, later casts, later ends and descriptors, at a test's bidding. Times are in ms. */
#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { HEARD_MAX = 4096 };

struct clockwork {
    char heard[HEARD_MAX];
    int64_t started, latest; /* of the interval: its first period's begin, and its last call */
    int64_t every;
    uint64_t calls, periods;
    int64_t off; /* how far the worst call was from the begin of its period, in ms */
    uint64_t timer;
    int pipe[2];
    uint64_t watch, ready;          /* how often the descriptor was told to be ready */
    bool is_in_handler, was_inside; /* … while a handler ran or waited */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void nap(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

static void hear(struct troupe *self, const char *line)
{
    struct clockwork *clockwork = troupe_state(self);
    size_t length = strlen(clockwork->heard);

    snprintf(clockwork->heard + length, sizeof clockwork->heard - length, "%s%s",
             length ? " | " : "", line);
}

static void on_heard(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    troupe_reply(message, clockwork->heard);
}

/* ---- once ---------------------------------------------------------------------------------- */

/* Answers how long it has taken. */
static void on_after(struct troupe *self, uint64_t count, void *data)
{
    struct clockwork *clockwork = troupe_state(self);

    (void)count;
    clockwork->was_inside |= clockwork->is_in_handler;
    troupe_reply(data, now_ms() - clockwork->started);
}

static void on_after_asked(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    clockwork->started = now_ms();
    clockwork->timer = troupe_after(self, troupe_int(message, 0), on_after, troupe_keep(message));
}

static void on_never(struct troupe *self, uint64_t count, void *data)
{
    (void)count;
    (void)data;
    hear(self, "never");
}

/* Two timers, of which the first takes back the other, which is due at the same time. */
static void on_cancelling(struct troupe *self, uint64_t count, void *data)
{
    struct clockwork *clockwork = troupe_state(self);

    (void)count;
    (void)data;
    troupe_cancel(self, clockwork->timer);
    hear(self, "cancelled");
}

static void on_cancel_asked(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    troupe_cancel(self, 0);
    troupe_cancel(self, troupe_after(self, 1, on_never, NULL));
    troupe_after(self, 10, on_cancelling, NULL);
    clockwork->timer = troupe_after(self, 20, on_never, NULL);
    nap(30);
    troupe_reply(message, "cancelled one");
}

/* ---- every --------------------------------------------------------------------------------- */

static void on_every(struct troupe *self, uint64_t count, void *data)
{
    struct clockwork *clockwork = troupe_state(self);
    int64_t due, off;

    (void)data;
    clockwork->was_inside |= clockwork->is_in_handler;
    clockwork->calls++;
    clockwork->periods += count;
    clockwork->latest = now_ms();
    due = clockwork->started + (int64_t)clockwork->periods * clockwork->every;
    off = clockwork->latest - due;
    if (off > clockwork->off)
        clockwork->off = off;
    if (off < -1)
        hear(self, "early");
}

static void on_every_asked(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    clockwork->every = troupe_int(message, 0);
    clockwork->started = now_ms();
    clockwork->timer = troupe_every(self, clockwork->every, on_every, NULL);
    if (!clockwork->timer)
        troupe_fail(message, "%m");
}

static void on_counts(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    troupe_reply(message, clockwork->calls, clockwork->periods, now_ms() - clockwork->started,
                 clockwork->off);
}

static void on_cancel_every(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    (void)message;
    troupe_cancel(self, clockwork->timer);
}

/* ---- later casts and ends ------------------------------------------------------------------ */

/* Casts add N to ADDRESS in MS; forwards to itself would be told as late. */
static void on_cast_after(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    clockwork->started = now_ms();
    clockwork->timer = troupe_cast_after(self, troupe_int(message, 0), troupe_text(message, 1),
                                         troupe_text(message, 2), troupe_int(message, 3));
}

static void on_arrived(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);
    char text[64];

    snprintf(text, sizeof text, "arrived %s %" PRId64,
             now_ms() - clockwork->started >= troupe_int(message, 0) ? "in time" : "early",
             troupe_int(message, 0));
    hear(self, text);
}

static void undelivered(struct troupe *self, const char *to, const char *name, const char *why)
{
    char text[900];

    snprintf(text, sizeof text, "undelivered %s %s %s", to, name, why);
    hear(self, text);
}

static void on_exit_after(struct troupe *self, struct troupe_message *message)
{
    troupe_exit_after(self, troupe_int(message, 0), troupe_text(message, 1));
}

static void on_kill_after(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    clockwork->timer = troupe_kill_after(self, troupe_int(message, 0));
}

static void on_spare(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    (void)message;
    troupe_cancel(self, clockwork->timer);
}

static void on_hang(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    nap(troupe_int(message, 0));
}

static void on_many_casts(struct troupe *self, struct troupe_message *message)
{
    for (int64_t i = 0; i < troupe_int(message, 1); i++)
        if (troupe_cast(self, troupe_text(message, 0), "put", troupe_int(message, 2)) < 0)
            hear(self, "not cast");
}

/* ---- descriptors --------------------------------------------------------------------------- */

static void on_ready(struct troupe *self, int fd, unsigned events, void *data)
{
    struct clockwork *clockwork = troupe_state(self);
    char byte;

    (void)data;
    clockwork->was_inside |= clockwork->is_in_handler;
    if (events == 1 && read(fd, &byte, 1) == 1)
        clockwork->ready++;
}

/* Two bytes to read; one before and one while it waits for ADDRESS: that is told only afterwards.
 */
static void on_watch(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    if (!clockwork->watch && pipe(clockwork->pipe) == 0)
        clockwork->watch = troupe_watch(self, clockwork->pipe[0], 1, on_ready, NULL);
    clockwork->is_in_handler = true;
    if (write(clockwork->pipe[1], "ab", 2) != 2)
        hear(self, "not written");
    troupe_free(troupe_call(self, troupe_text(message, 0), 3000, "hang", (int64_t)200));
    clockwork->is_in_handler = false;
    troupe_reply(message, clockwork->ready);
}

static void on_unwatch(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    (void)message;
    troupe_unwatch(self, clockwork->watch);
    if (write(clockwork->pipe[1], "c", 1) != 1)
        hear(self, "not written");
}

static void on_readiness(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    troupe_reply(message, clockwork->ready, clockwork->was_inside ? "inside" : "between");
}

/* Waits, with a timer and an interval that are due meanwhile. */
static void on_wait(struct troupe *self, struct troupe_message *message)
{
    struct clockwork *clockwork = troupe_state(self);

    clockwork->is_in_handler = true;
    troupe_free(troupe_call(self, troupe_text(message, 0), 3000, "hang", troupe_int(message, 1)));
    clockwork->is_in_handler = false;
}

static const struct troupe_handler messages[] = {
    {"heard", "", "s", on_heard, "tells what it was told"},
    {"after", "I", "I", on_after_asked, "answers after MS, how many that were"},
    {"cancel", "", "s", on_cancel_asked, "takes back timers, one of them due"},
    {"every", "I", "", on_every_asked, "counts periods of MS"},
    {"counts", "", "UUII", on_counts, "calls, periods, ms since the start, ms that one was late"},
    {"cancel_every", "", "", on_cancel_every, "counts no more"},
    {"cast_after", "IssI", "", on_cast_after, "casts NAME N to ADDRESS in MS"},
    {"arrived", "I", "", on_arrived, "remembers whether MS had passed"},
    {"exit_after", "Is", "", on_exit_after, "ends in MS for REASON"},
    {"kill_after", "I", "", on_kill_after, "is killed in MS"},
    {"spare", "", "", on_spare, "is not"},
    {"hang", "I", "", on_hang, "sleeps for MS"},
    {"many_casts", "sII", "", on_many_casts, "casts put M to ADDRESS, N times"},
    {"watch", "s", "U", on_watch, "is told of descriptors while it waits for ADDRESS"},
    {"unwatch", "", "", on_unwatch, "is told no more"},
    {"readiness", "", "Us", on_readiness, "how often it was told, and when"},
    {"wait", "sI", "", on_wait, "waits for ADDRESS to sleep for MS"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct clockwork), .messages = messages,
             .undelivered = undelivered);
