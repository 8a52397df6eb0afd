/* Sets reminders, and notes each that it is told of in a file: "ID NAME COUNT EPOCH". Its
 * reminders' names say what it makes of them: crash… ends it once, by the first that it is told of;
 * slow… takes slow_ms. */
#include <troupe.h>

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void note(struct troupe *self, const char *name, uint64_t count)
{
    char line[256];
    int n = snprintf(line, sizeof line, "%s %s %" PRIu64 " %" PRIu64 "\n", troupe_id(self), name,
                     count, troupe_epoch(self));
    int fd = open(troupe_arg(self, "notes"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 || write(fd, line, (size_t)n) < 0)
        perror("notes");
    if (fd >= 0)
        close(fd);
}

static void nap(int64_t ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&time, NULL);
}

/* Does no such file exist yet? It does then. */
static bool is_first(struct troupe *self)
{
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s.crashed", troupe_arg(self, "notes"));
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static void on_wake(struct troupe *self, struct troupe_message *message)
{
    const char *name = troupe_text(message, 0);

    note(self, name, troupe_uint(message, 1));
    if (!strncmp(name, "slow", 4))
        nap(troupe_arg_int(self, "slow_ms", 1000));
    if (!strncmp(name, "crash", 5) && is_first(self))
        kill(getpid(), SIGKILL);
}

static void on_saved(struct troupe *self, const char *failure, void *data)
{
    (void)self;
    if (failure)
        troupe_fail(data, "%s", failure);
    else
        troupe_reply((struct troupe_message *)data, (int64_t)1);
}

static void on_set(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *waiting = troupe_keep(message);

    if (waiting &&
        troupe_reminder_set(self, troupe_text(message, 0), "wake", troupe_int(message, 1),
                            troupe_int(message, 2), on_saved, waiting) < 0)
        troupe_fail(waiting, "not asked for");
}

static void on_clear(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *waiting = troupe_keep(message);

    if (waiting && troupe_reminder_clear(self, troupe_text(message, 0), on_saved, waiting) < 0)
        troupe_fail(waiting, "not asked for");
}

static const struct troupe_handler messages[] = {
    {"set", "sII", "I", on_set, "sets a reminder: name, after and period in ms"},
    {"clear", "s", "I", on_clear, "clears it"},
    {"wake", "sU", "", on_wake, "is what it is reminded with"},
    {0},
};

TROUPE_ACTOR(.messages = messages);
