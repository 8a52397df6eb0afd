/* Subscribes and depends at a test's bidding, and remembers what it was told. */
#include <troupe.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEARD_MAX = 4096 };

struct listener {
    char heard[HEARD_MAX];
    uint64_t events, gaps, lost;
    uint64_t next;       /* the number that the next event, or the gap before it, must go on with */
    uint64_t disorder;   /* how often it did not */
    uint64_t first_only; /* the subscription that is ended by its first event; 0 */
};

static void hear(struct troupe *self, const char *line)
{
    struct listener *listener = troupe_state(self);
    size_t length = strlen(listener->heard);

    snprintf(listener->heard + length, sizeof listener->heard - length, "%s%s", length ? " | " : "",
             line);
}

static void nap(int64_t ms)
{
    struct timespec left = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) < 0)
        ;
}

static void describe(const struct troupe_message *answer, char *text, size_t size)
{
    if (troupe_failure(answer))
        snprintf(text, size, "!%s", troupe_failure(answer));
    else
        snprintf(text, size, "%" PRId64, troupe_count(answer) ? troupe_int(answer, 0) : -1);
}

static void expect(struct listener *listener, uint64_t first, uint64_t last)
{
    if (first != listener->next)
        listener->disorder++;
    listener->next = last + 1;
}

static void on_event(struct troupe *self, enum troupe_event_kind kind, struct troupe_message *event,
                     void *data)
{
    struct listener *listener = troupe_state(self);
    uint64_t number = troupe_sequence(event);
    char text[600];

    (void)data;
    switch (kind) {
    case TROUPE_EVENT:
        listener->events++;
        expect(listener, number, number);
        snprintf(text, sizeof text, "%s#%" PRIu64 "=", troupe_name(event), number);
        if (strcmp(troupe_name(event), "last words") == 0)
            strcat(text, troupe_text(event, 0));
        else
            describe(event, text + strlen(text), sizeof text - strlen(text));
        break;
    case TROUPE_GAP:
        listener->gaps++;
        listener->lost += troupe_lost(event);
        expect(listener, number - troupe_lost(event) + 1, number);
        snprintf(text, sizeof text, "gap#%" PRIu64 "-%" PRIu64, number, troupe_lost(event));
        break;
    case TROUPE_ENDED:
        snprintf(text, sizeof text, "ended %s", troupe_failure(event));
        break;
    }
    hear(self, text);
    if (listener->first_only) {
        troupe_unsubscribe(self, listener->first_only);
        listener->first_only = 0;
    }
}

static int init(struct troupe *self)
{
    struct listener *listener = troupe_state(self);
    const char *of = troupe_arg(self, "of");
    struct troupe_message *value;
    char text[300];

    listener->next = 1;
    if (!of)
        return TROUPE_READY;
    if (troupe_arg(self, "link")) {
        const char *failure = troupe_link(self, TROUPE_LINK_MONITOR, of);

        if (failure)
            return troupe_error(self, "link: %s", failure);
    }
    value = troupe_depend(self, of, troupe_arg(self, "topic"), troupe_arg_int(self, "wait", 0));
    describe(value, text, sizeof text);
    troupe_free(value);
    if (*text == '!')
        return troupe_error(self, "%s", text + 1);
    troupe_ready_text(self, "has %s", text);
    troupe_status(self, "has %s", text);
    return TROUPE_READY;
}

static void on_subscribe(struct troupe *self, struct troupe_message *message)
{
    uint64_t number = troupe_subscribe(self, troupe_text(message, 0), troupe_text(message, 1),
                                       (unsigned)troupe_uint(message, 2), on_event, NULL);

    if (number)
        troupe_reply(message, number);
    else
        troupe_fail(message, "%m");
}

static void on_once(struct troupe *self, struct troupe_message *message)
{
    struct listener *listener = troupe_state(self);

    listener->first_only = troupe_subscribe(self, troupe_text(message, 0), troupe_text(message, 1),
                                            TROUPE_LAST, on_event, NULL);
}

static void on_unsubscribe(struct troupe *self, struct troupe_message *message)
{
    troupe_unsubscribe(self, troupe_uint(message, 0));
}

/* Subscribes and does not mean it. */
static void on_change_of_mind(struct troupe *self, struct troupe_message *message)
{
    troupe_unsubscribe(self,
                       troupe_subscribe(self, troupe_text(message, 0), "", 0, on_event, NULL));
}

static void on_heard(struct troupe *self, struct troupe_message *message)
{
    struct listener *listener = troupe_state(self);

    troupe_reply(message, listener->heard);
}

static void on_counts(struct troupe *self, struct troupe_message *message)
{
    struct listener *listener = troupe_state(self);

    troupe_reply(message, listener->events, listener->gaps, listener->lost, listener->disorder,
                 listener->next - 1);
}

/* The connections are not read. */
static void on_hang(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    nap(troupe_int(message, 0));
}

/* The connections are read, but nobody is there to listen. */
static void on_call(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer =
        troupe_call(self, troupe_text(message, 0), troupe_int(message, 1), troupe_text(message, 2));
    char text[300];

    if (troupe_failure(answer))
        describe(answer, text, sizeof text);
    troupe_reply(message, troupe_failure(answer) ? text : troupe_text(answer, 0));
    troupe_free(answer);
}

/* Asks for a burst and waits until all of it was said. */
static void on_burst(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer = troupe_call(self, troupe_text(message, 0), 20000, "burst", "n",
                                                troupe_uint(message, 1), troupe_uint(message, 2));
    struct listener *listener = troupe_state(self);
    char text[300];

    describe(answer, text, sizeof text);
    troupe_free(answer);
    snprintf(text + strlen(text), sizeof text - strlen(text), " %" PRIu64, listener->events);
    troupe_reply(message, text);
}

static void on_depend(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *value = troupe_depend(self, troupe_text(message, 0),
                                                 troupe_text(message, 1), troupe_int(message, 2));
    char text[300];

    describe(value, text, sizeof text);
    troupe_free(value);
    troupe_reply(message, text);
}

/* What depend waits for in a handler that somebody waits for. */
static void on_depend_on_publisher(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *value = troupe_depend(self, "t/publisher", "never", 0);
    char text[300];

    describe(value, text, sizeof text);
    troupe_free(value);
    troupe_reply(message, text);
}

static void on_cast(struct troupe *self, struct troupe_message *message)
{
    int result = troupe_cast(self, troupe_text(message, 0), troupe_text(message, 1));

    troupe_reply(message, result == 0 ? "cast" : "refused");
}

static void terminate(struct troupe *self, const char *reason)
{
    troupe_log(self, "info", "terminate", "reason", reason, NULL);
}

static const struct troupe_handler messages[] = {
    {"subscribe", "ssu", "U", on_subscribe, "subscribes to TOPIC of ADDRESS with FLAGS"},
    {"once", "ss", "", on_once, "the same, until the first event"},
    {"unsubscribe", "U", "", on_unsubscribe, "ends a subscription"},
    {"change_of_mind", "s", "", on_change_of_mind, "subscribes to ADDRESS, and at once no more"},
    {"heard", "", "s", on_heard, "tells what it was told"},
    {"counts", "", "UUUUU", on_counts,
     "events, gaps, how many were lost, disorder, the last number"},
    {"hang", "I", "", on_hang, "sleeps for MS"},
    {"call", "sIs", "s", on_call, "calls ADDRESS, for at most MS, NAME"},
    {"burst", "sUU", "s", on_burst, "waits for ADDRESS to publish N events of SIZE bytes"},
    {"depend", "ssI", "s", on_depend, "waits until ADDRESS shares TOPIC, at most MS"},
    {"depend_on_publisher", "", "s", on_depend_on_publisher, "waits for what never comes"},
    {"cast", "ss", "s", on_cast, "casts NAME to ADDRESS"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct listener), .init = init, .messages = messages,
             .terminate = terminate);
