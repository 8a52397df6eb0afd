/* A worker of a pool: quick, patient, failing, crashing or stuck, as it is told. What it is told
 * first is the key of the job; its answers begin with its own name. */
#include <troupe.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HELD_MAX = 64, HEARD_MAX = 4096, LOOK_MS = 20 };

struct laborer {
    struct troupe_message *held[HELD_MAX];
    unsigned held_count;
    uint64_t done;
    uint64_t looking;
    char heard[HEARD_MAX]; /* the keys of its jobs, in order */
};

static const char *own_name(struct troupe *self)
{
    return strrchr(troupe_path(self), '/') + 1;
}

static void hear(struct troupe *self, const char *key)
{
    struct laborer *laborer = troupe_state(self);
    size_t length = strlen(laborer->heard);

    laborer->done++;
    snprintf(laborer->heard + length, sizeof laborer->heard - length, "%s%s", length ? " " : "",
             key);
}

static void answer(struct troupe *self, struct troupe_message *message, const char *key)
{
    char text[128];

    snprintf(text, sizeof text, "%s %s", own_name(self), key);
    troupe_reply(message, text);
}

static void on_work(struct troupe *self, struct troupe_message *message)
{
    const char *key = troupe_text(message, 0);

    hear(self, key);
    answer(self, message, key);
}

static void on_note(struct troupe *self, struct troupe_message *message)
{
    hear(self, troupe_text(message, 0));
    troupe_reply(message);
}

/* Two arguments, the second of which is a number. */
static void on_plus(struct troupe *self, struct troupe_message *message)
{
    hear(self, troupe_text(message, 0));
    troupe_reply(message, troupe_int(message, 1) + 1);
}

static void on_hold(struct troupe *self, struct troupe_message *message)
{
    struct laborer *laborer = troupe_state(self);

    hear(self, troupe_text(message, 0));
    if (laborer->held_count < HELD_MAX)
        laborer->held[laborer->held_count++] = troupe_keep(message);
}

static void on_release(struct troupe *self, struct troupe_message *message)
{
    struct laborer *laborer = troupe_state(self);
    uint64_t count = laborer->held_count;

    for (unsigned i = 0; i < laborer->held_count; i++)
        answer(self, laborer->held[i], troupe_text(laborer->held[i], 0));
    laborer->held_count = 0;
    troupe_reply(message, count);
}

static void on_fail(struct troupe *self, struct troupe_message *message)
{
    hear(self, troupe_text(message, 0));
    troupe_fail(message, "no good");
}

static void on_balk(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_fail(message, "not %" PRId64, troupe_int(message, 0));
}

static void crash(void)
{
    raise(SIGSEGV);
}

static void on_crash(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
    crash();
}

/* As long as it lives its first life; or its nth. */
static void on_crash_until(struct troupe *self, struct troupe_message *message)
{
    if (troupe_incarnation(self) < troupe_uint(message, 1))
        crash();
    on_work(self, message);
}

static void on_hang(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
    for (;;)
        pause();
}

static void on_heard(struct troupe *self, struct troupe_message *message)
{
    struct laborer *laborer = troupe_state(self);

    troupe_reply(message, laborer->heard);
}

/* Arg `after`: a file without which it does not come up. */
static void look(struct troupe *self, uint64_t count, void *file)
{
    struct laborer *laborer = troupe_state(self);

    (void)count;
    if (access(file, F_OK) != 0)
        return;
    troupe_cancel(self, laborer->looking);
    troupe_ready(self);
}

static int init(struct troupe *self)
{
    struct laborer *laborer = troupe_state(self);
    const char *sick = troupe_arg(self, "sick"), *after = troupe_arg(self, "after");

    if (after && access(after, F_OK) != 0) {
        laborer->looking = troupe_every(self, LOOK_MS, look, (void *)after);
        return TROUPE_LATER;
    }
    return sick ? troupe_error(self, "%s", sick) : TROUPE_READY;
}

static const struct troupe_handler messages[] = {
    {"work", "s", "s", on_work, "does a job"},
    {"plus", "sI", "I", on_plus, "tells the number after the second argument"},
    {"hold", "s", "s", on_hold, "does not finish before release"},
    {"note", "ss", "", on_note, "a job with a second argument, often cast"},
    {"release", "", "U", on_release, "finishes what is held"},
    {"fail", "s", "s", on_fail, "answers with an error"},
    {"balk", "I", "", on_balk, "answers with an error, too"},
    {"crash", "s", "s", on_crash, "ends by a signal"},
    {"crash_until", "sU", "s", on_crash_until, "ends by a signal in every life before the nth"},
    {"hang", "s", "s", on_hang, "never comes back"},
    {"heard", "", "s", on_heard, "the keys of all jobs so far"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct laborer), .init = init, .messages = messages);
