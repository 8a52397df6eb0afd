/* Lets helpers do what a test asks for. */
#include <troupe.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct errand {
    char kind[32];
    int64_t n;
    struct troupe_message *asker; /* who is answered when it is done, or NULL */
};

struct state {
    uint64_t last; /* the newest work */
    unsigned told; /* how often something was done */
    int64_t left;  /* of many */
    unsigned failed;
    struct troupe_message *asker; /* of many */
};

/* ---- in the helper ------------------------------------------------------------------------- */

static int say(struct troupe_work *work, const char *text)
{
    return troupe_result(work, text, strlen(text));
}

static int count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (dir && readdir(dir))
        count++;
    closedir(dir);
    return count - 3; /* ".", "..", and dir's own */
}

static int tell_descriptors(struct troupe_work *work)
{
    char text[32];

    snprintf(text, sizeof text, "%d", count_descriptors());
    return say(work, text);
}

/* The lines of /proc/self/status about signals, without spaces. */
static int tell_signals(struct troupe_work *work)
{
    FILE *status = fopen("/proc/self/status", "re");
    char line[256], text[64], name[16], mask[32];

    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "%15[A-Za-z]: %31s", name, mask) == 2 && !strncmp(name, "Sig", 3) &&
            strcmp(name, "SigQ") != 0) {
            snprintf(text, sizeof text, "%s%s ", name, mask);
            say(work, text);
        }
    if (status)
        fclose(status);
    return 0;
}

static int write_bytes(struct troupe_work *work, int64_t n)
{
    static char chunk[100000];

    while (n > 0) {
        size_t size = n < (int64_t)sizeof chunk ? (size_t)n : sizeof chunk;

        if (troupe_result(work, chunk, size) < 0)
            return errno == EMSGSIZE ? 90 : 1;
        n -= (int64_t)size;
    }
    return 0;
}

/* Not by troupe_result(): as a helper does whose memory is broken. */
static int flood(void)
{
    static char chunk[65536];

    while (write(3, chunk, sizeof chunk) > 0)
        ;
    return 0;
}

static int leave_somebody_behind(struct troupe_work *work)
{
    if (fork() == 0) {
        sleep(90);
        _exit(0);
    }
    return say(work, "left");
}

static int crash(int number)
{
    struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    raise(number);
    return 0;
}

static _Noreturn void hang(void)
{
    for (;;)
        pause();
}

static int run(void *data, struct troupe_work *work)
{
    const struct errand *errand = data;
    const char *kind = errand->kind;

    if (!strcmp(kind, "say"))
        return say(work, "said") || say(work, " twice");
    if (!strcmp(kind, "print"))
        printf("printed by the helper\n");
    if (!strcmp(kind, "exit") || !strcmp(kind, "print"))
        return (int)errand->n;
    if (!strcmp(kind, "raise"))
        return crash((int)errand->n);
    if (!strcmp(kind, "bytes"))
        return write_bytes(work, errand->n);
    if (!strcmp(kind, "flood"))
        return flood();
    if (!strcmp(kind, "descriptors"))
        return tell_descriptors(work);
    if (!strcmp(kind, "signals"))
        return tell_signals(work);
    if (!strcmp(kind, "environment"))
        return say(work, getenv("TROUPE_CONTROL") ? "there" : "clean");
    if (!strcmp(kind, "leave"))
        return leave_somebody_behind(work);
    hang();
}

/* ---- in the actor -------------------------------------------------------------------------- */

static void describe(const char *failure, struct troupe_bytes result, char *text, size_t size)
{
    if (failure)
        snprintf(text, size, "!%s", failure);
    else if (result.size > 200)
        snprintf(text, size, "%zu bytes", result.size);
    else
        snprintf(text, size, "%.*s", (int)result.size, (const char *)result.at);
}

static struct errand *errand_of(struct troupe_message *message)
{
    struct errand *errand = calloc(1, sizeof *errand);

    snprintf(errand->kind, sizeof errand->kind, "%s", troupe_text(message, 0));
    errand->n = troupe_int(message, 1);
    return errand;
}

static void on_done(struct troupe *self, const char *failure, struct troupe_bytes result,
                    void *data)
{
    struct state *state = troupe_state(self);
    struct errand *errand = data;
    char text[400];

    describe(failure, result, text, sizeof text);
    state->told++;
    troupe_cancel_work(self, state->last); /* what is done cannot be cancelled */
    if (errand->asker)
        troupe_reply(errand->asker, text);
    free(errand);
}

static void on_work(struct troupe *self, struct troupe_message *message)
{
    struct state *state = troupe_state(self);
    struct errand *errand = errand_of(message);

    errand->asker = troupe_keep(message);
    state->last = troupe_work(self, run, errand, on_done, errand);
    if (!state->last)
        troupe_fail(errand->asker, "no work: %s", strerror(errno));
}

/* The asker is not kept: cancelled work would owe it an answer. */
static void on_begin(struct troupe *self, struct troupe_message *message)
{
    struct state *state = troupe_state(self);
    struct errand *errand = errand_of(message);

    state->last = troupe_work(self, run, errand, on_done, errand);
    troupe_reply(message, state->last);
}

static void on_cancel(struct troupe *self, struct troupe_message *message)
{
    struct state *state = troupe_state(self);

    troupe_cancel_work(self, state->last);
    troupe_cancel_work(self, state->last);
    troupe_cancel_work(self, 12345);
    (void)message;
}

static void on_one_of_many(struct troupe *self, const char *failure, struct troupe_bytes result,
                           void *data)
{
    struct state *state = troupe_state(self);

    (void)data;
    state->failed += failure || result.size != strlen("said twice");
    if (--state->left == 0)
        troupe_reply(state->asker, (int)state->failed);
}

static void on_many(struct troupe *self, struct troupe_message *message)
{
    static struct errand errand = {.kind = "say"};
    struct state *state = troupe_state(self);

    state->asker = troupe_keep(message);
    state->left = troupe_int(message, 0);
    for (int64_t i = troupe_int(message, 0); i > 0; i--)
        if (!troupe_work(self, run, &errand, on_one_of_many, NULL)) {
            state->failed++;
            state->left--;
        }
}

static void on_manage(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, troupe_manage(self, run, errand_of(message)));
}

static void on_part(struct troupe *self, struct troupe_message *message)
{
    struct errand *errand = errand_of(message);

    errand->asker = troupe_keep(message);
    troupe_part_manage(self, run, errand, on_done, errand);
}

static void on_nap(struct troupe *self, struct troupe_message *message)
{
    struct timespec left = {(time_t)(troupe_int(message, 0) / 1000),
                            (long)(troupe_int(message, 0) % 1000) * 1000000};
    struct state *state = troupe_state(self);
    unsigned before = state->told;

    while (nanosleep(&left, &left) < 0)
        ;
    troupe_reply(message, (int)(state->told - before));
}

static void on_told(struct troupe *self, struct troupe_message *message)
{
    struct state *state = troupe_state(self);

    troupe_reply(message, (int)state->told);
}

static void terminate(struct troupe *self, const char *reason)
{
    struct errand errand = {.kind = "hang"};

    (void)reason;
    if (troupe_arg(self, "late"))
        troupe_work(self, run, &errand, NULL, NULL); /* must not outlive the actor either */
}

static const struct troupe_handler messages[] = {
    {"work", "sI", "s", on_work, "does KIND with N, answers with the result"},
    {"begin", "sI", "I", on_begin, "the same, answered at once"},
    {"cancel", "", "", on_cancel, "ends the newest work"},
    {"many", "I", "i", on_many, "does N at once, tells how many failed"},
    {"manage", "sI", "i", on_manage, "is that work"},
    {"part", "sI", "s", on_part, "is that work until it succeeds"},
    {"nap", "I", "i", on_nap, "sleeps, tells how much was done meanwhile"},
    {"told", "", "i", on_told, "how often something was done"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct state), .messages = messages, .terminate = terminate);
