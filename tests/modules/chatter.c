/* Three who chat; args say which one it is. `of: PATH, through: PATH`: waits in its init until that
 * one shares its voice, then says the numbers from 1 through the other; each answer it hears is
 * published. `relay_to: PATH`: hands on. Else it has the voice, and cannot bear the third number.
 * args `share_at` (a file) and `slow` (ms that its end takes) say when. */
#include <troupe.h>

#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 10, LIMIT = 3 };

struct chatter {
    uint64_t looking;
};

/* ---- who has the voice --------------------------------------------------------------------- */

static void look(struct troupe *self, uint64_t count, void *file)
{
    struct chatter *chatter = troupe_state(self);

    (void)count;
    if (access(file, F_OK) != 0)
        return;
    troupe_cancel(self, chatter->looking);
    troupe_share(self, "voice", 0);
}

static void hear_number(struct troupe *self, int64_t number)
{
    const char text[] = {(char)('0' + number), '\0'};

    troupe_log(self, "info", "counted", "to", text, NULL);
    if (number == LIMIT)
        troupe_exit(self, NULL, "error I counted to %d!", LIMIT);
    else
        troupe_publish(self, "heard", number);
}

/* ---- who counts ---------------------------------------------------------------------------- */

static void on_event(struct troupe *self, enum troupe_event_kind kind, struct troupe_message *event,
                     void *data)
{
    (void)data;
    if (kind == TROUPE_EVENT)
        troupe_cast(self, troupe_arg(self, "through"), "number", troupe_int(event, 0) + 1);
    else
        troupe_status(self, "alone: %s", troupe_failure(event));
}

static int wait_for_voice(struct troupe *self, const char *of)
{
    struct troupe_message *voice;
    int result = TROUPE_READY;

    if (!troupe_subscribe(self, of, "heard", 0, on_event, NULL))
        return troupe_error(self, "%s: %m", of);
    voice = troupe_depend(self, of, "voice", 0);
    if (troupe_failure(voice))
        result = troupe_error(self, "%s: %s", of, troupe_failure(voice));
    else
        troupe_cast(self, troupe_arg(self, "through"), "number", troupe_int(voice, 0) + 1);
    troupe_free(voice);
    return result;
}

/* ---- all of them --------------------------------------------------------------------------- */

static int init(struct troupe *self)
{
    struct chatter *chatter = troupe_state(self);
    const char *of = troupe_arg(self, "of"), *share_at = troupe_arg(self, "share_at");

    if (share_at)
        chatter->looking = troupe_every(self, LOOK_MS, look, (void *)share_at);
    return of ? wait_for_voice(self, of) : TROUPE_READY;
}

static void on_number(struct troupe *self, struct troupe_message *message)
{
    const char *to = troupe_arg(self, "relay_to");
    int64_t number = troupe_int(message, 0);

    if (number < 1 || number > LIMIT)
        troupe_exit(self, NULL, "error somebody cannot count");
    else if (!to)
        hear_number(self, number);
    else if (troupe_forward(message, to) < 0)
        troupe_exit(self, NULL, "error not handed on: %m");
}

static void terminate(struct troupe *self, const char *reason)
{
    int64_t ms = troupe_arg_int(self, "slow", 0);
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    (void)reason;
    while (nanosleep(&left, &left) < 0)
        ;
}

static const struct troupe_handler messages[] = {
    {"number", "I", "", on_number, "a number of those that are counted"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct chatter), .init = init, .messages = messages,
             .terminate = terminate);
