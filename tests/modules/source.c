/* Sends numbers to a ledger, casts and calls by turns, and counts what became of the calls. When it has
 * heard of all of them, it tells the tally. args: to, every (ms between two), count (how many), first (what
 * its own number is added to), tally, after (begins when there is such a file). */
#include <troupe.h>

#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 200 };

struct source {
    const char *to, *tally;
    int64_t me, number, count;
    uint64_t timer;
    uint64_t asked, answered, wrong, failed, unnamed;
};

/* Is it one of those that SEMANTICS 6 names, and that can be here? */
static bool is_named(const char *failure)
{
    return strncmp(failure, "down signal:KILL", 16) == 0 || strcmp(failure, "timeout") == 0 ||
           strcmp(failure, "noproc") == 0;
}

static void tell_when_done(struct troupe *self)
{
    struct source *source = troupe_state(self);

    if (source->number < source->count || source->asked > source->answered + source->failed)
        return;
    troupe_cast(self, source->tally, "sum", source->asked, source->answered, source->failed,
                source->wrong, source->unnamed);
}

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    struct source *source = troupe_state(self);
    const char *failure = troupe_failure(answer);

    if (!failure) {
        source->answered++;
        source->wrong += troupe_int(answer, 0) != (int64_t)(intptr_t)data;
    } else {
        source->failed++;
        source->unnamed += !is_named(failure);
        if (!is_named(failure))
            troupe_log(self, "error", "unnamed", "failure", failure, NULL);
    }
    tell_when_done(self);
}

static void send(struct troupe *self, uint64_t count, void *data)
{
    struct source *source = troupe_state(self);
    int64_t number = ++source->number;

    (void)count;
    (void)data;
    if (number == source->count)
        troupe_cancel(self, source->timer);
    if (number % 2)
        troupe_cast(self, source->to, "note", source->me, number);
    else if (troupe_ask(self, source->to, 60000, on_answer, (void *)(intptr_t)number, "note",
                        source->me, number) == 0)
        source->asked++;
    tell_when_done(self);
}

static void begin(struct troupe *self)
{
    struct source *source = troupe_state(self);

    source->timer = troupe_every(self, troupe_arg_int(self, "every", 20), send, NULL);
}

static void look(struct troupe *self, uint64_t count, void *file)
{
    struct source *source = troupe_state(self);

    (void)count;
    if (access(file, F_OK) != 0)
        return;
    troupe_cancel(self, source->timer);
    begin(self);
}

static int init(struct troupe *self)
{
    struct source *source = troupe_state(self);

    source->to = troupe_arg(self, "to");
    source->tally = troupe_arg(self, "tally");
    source->count = troupe_arg_int(self, "count", 100);
    source->me = troupe_arg_int(self, "first", 0) + troupe_replica(self);
    if (troupe_arg(self, "after"))
        source->timer = troupe_every(self, LOOK_MS, look, (void *)troupe_arg(self, "after"));
    else
        begin(self);
    return TROUPE_READY;
}

TROUPE_ACTOR(.state_size = sizeof(struct source), .init = init);
