/* Does in its own name what a test asks for: calls, casts, forwards, many at once; and remembers what it
 * was told. */
#include <troupe.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HEARD_MAX = 4096, MANY = 8 };

struct talker {
    char heard[HEARD_MAX]; /* lines */
    uint64_t ticks;
};

static void hear(struct troupe *self, const char *line)
{
    struct talker *talker = troupe_state(self);
    size_t length = strlen(talker->heard);

    snprintf(talker->heard + length, sizeof talker->heard - length, "%s%s", length ? " | " : "", line);
}

/* "5" or "!noproc" */
static void describe(const struct troupe_message *answer, char *text, size_t size)
{
    if (troupe_failure(answer))
        snprintf(text, size, "!%s", troupe_failure(answer));
    else if (troupe_count(answer) == 0)
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%" PRId64, troupe_int(answer, 0));
}

static void on_call(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer =
        troupe_call(self, troupe_text(message, 0), troupe_int(message, 1), troupe_text(message, 2));
    char text[300];

    describe(answer, text, sizeof text);
    troupe_free(answer);
    troupe_reply(message, text);
}

static void on_add(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer =
        troupe_call(self, troupe_text(message, 0), 0, "add", troupe_int(message, 1));
    char text[300];

    describe(answer, text, sizeof text);
    troupe_free(answer);
    troupe_reply(message, text);
}

static void on_many(struct troupe *self, struct troupe_message *message)
{
    const char *to[MANY] = {troupe_text(message, 0), troupe_text(message, 1), troupe_text(message, 2)};
    struct troupe_message *answers[MANY];
    char text[900], one[300];

    text[0] = '\0';
    troupe_call_many(self, to, 3, answers, 2000, "value");
    for (int i = 0; i < 3; i++) {
        describe(answers[i], one, sizeof one);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", one);
        troupe_free(answers[i]);
    }
    troupe_reply(message, text);
}

static void on_answer(struct troupe *self, struct troupe_message *answer, void *data)
{
    char text[300];

    describe(answer, text, sizeof text);
    if (data)
        troupe_reply(data, text);
    else
        hear(self, text);
}

static void on_ask(struct troupe *self, struct troupe_message *message)
{
    if (troupe_ask(self, troupe_text(message, 0), troupe_int(message, 1), on_answer,
                   troupe_keep(message), troupe_text(message, 2)) < 0)
        troupe_fail(message, "not asked");
}

static void on_cast(struct troupe *self, struct troupe_message *message)
{
    int result =
        troupe_cast(self, troupe_text(message, 0), troupe_text(message, 1), troupe_int(message, 2));

    troupe_reply(message, result == 0 ? "cast" : "not cast");
}

/* Casts pieces of SIZE bytes to ADDRESS until it is told that there is no room. */
static void on_flood(struct troupe *self, struct troupe_message *message)
{
    static char piece[65536];
    size_t size = (size_t)troupe_int(message, 1);
    int64_t n = 0;

    while (n < 1000000 && troupe_cast(self, troupe_text(message, 0), "put",
                                      troupe_bytes_of(piece, size < sizeof piece ? size : sizeof piece)) == 0)
        n++;
    troupe_reply(message, n, strerror(errno));
}

static void on_pour(struct troupe *self, struct troupe_message *message)
{
    static char piece[65536];
    size_t size = (size_t)troupe_int(message, 2) % (sizeof piece + 1);
    int64_t n = 0;

    while (n < troupe_int(message, 1) &&
           troupe_cast(self, troupe_text(message, 0), "put", troupe_bytes_of(piece, size)) == 0)
        n++;
    troupe_reply(message, n);
}

/* Hangs, as a handler should not. */
static void on_hang(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    usleep((useconds_t)troupe_int(message, 0) * 1000);
    troupe_reply(message);
}

static void on_forward(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    if (troupe_forward(message, "t/counter") < 0)
        troupe_fail(message, "not forwarded");
}

static void on_heard(struct troupe *self, struct troupe_message *message)
{
    struct talker *talker = troupe_state(self);

    troupe_reply(message, talker->heard);
}

/* Calls that, whenever it hears of it, only after MS. */
static void on_later(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer;

    usleep((useconds_t)troupe_int(message, 1) * 1000);
    answer = troupe_call(self, troupe_text(message, 0), 20000, "nothing");
    hear(self, troupe_failure(answer) ? troupe_failure(answer) : "answered");
    troupe_free(answer);
}

static void on_nothing(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    (void)message;
}

/* Waits for the first, in vain, then for the second: the first calls back meanwhile. */
static void on_two(struct troupe *self, struct troupe_message *message)
{
    int64_t ms = troupe_int(message, 2);
    struct troupe_message *first =
        troupe_call(self, troupe_text(message, 0), ms, "later", troupe_path(self), 2 * ms);
    struct troupe_message *second =
        troupe_call(self, troupe_text(message, 1), 20000, "hang", 4 * ms);
    const char *failure = troupe_failure(first);

    troupe_reply(message, failure ? failure : "answered",
                 troupe_failure(second) ? troupe_failure(second) : "answered");
    troupe_free(first);
    troupe_free(second);
}

/* Calls the address, and that one is asked to call the next … a chain by hand. */
static void on_chain(struct troupe *self, struct troupe_message *message)
{
    struct troupe_message *answer = troupe_call(self, troupe_text(message, 0), 2000, "chain",
                                                troupe_text(message, 1), troupe_text(message, 0));
    const char *failure = troupe_failure(answer);

    troupe_reply(message, failure ? failure : troupe_text(answer, 0));
    troupe_free(answer);
}

/* Who the kernel says has sent this, and who that says it is. */
static void on_who(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_from_uid(message), troupe_from(message));
}

static void on_monitor(struct troupe *self, struct troupe_message *message)
{
    troupe_reply(message, troupe_monitor(self, troupe_text(message, 0)) ? "watched" : "not watched");
}

static void on_link(struct troupe *self, struct troupe_message *message)
{
    const char *failure = troupe_link(self, TROUPE_LINK_PEER, troupe_text(message, 0));

    troupe_reply(message, failure ? failure : "linked");
}

static void on_unlink(struct troupe *self, struct troupe_message *message)
{
    troupe_unlink(self, TROUPE_LINK_PEER, troupe_text(message, 0));
    troupe_reply(message, "unlinked");
}

static void down(struct troupe *self, uint64_t monitor, const char *who, const char *reason)
{
    char text[1200];

    (void)monitor;
    snprintf(text, sizeof text, "down %s %s", who, reason);
    hear(self, text);
}

static void undelivered(struct troupe *self, const char *to, const char *name, const char *why)
{
    char text[900];

    snprintf(text, sizeof text, "undelivered %s %s %s", to, name, why);
    hear(self, text);
}

static const struct troupe_handler messages[] = {
    {"call", "sIs", "s", on_call, "calls ADDRESS, for at most MS, NAME"},
    {"ask", "sIs", "s", on_ask, "the same without waiting"},
    {"plus", "sI", "s", on_add, "calls add N of ADDRESS"},
    {"many", "sss", "s", on_many, "calls value of three"},
    {"cast", "ssI", "s", on_cast, "casts NAME N to ADDRESS"},
    {"flood", "sI", "Is", on_flood, "casts put of SIZE bytes to ADDRESS until there is no room"},
    {"pour", "sII", "I", on_pour, "casts put to ADDRESS, so many, of SIZE bytes"},
    {"hang", "I", "", on_hang, "sleeps for MS"},
    {"add", "I", "I", on_forward, "forwards to t/counter"},
    {"chain", "ss", "s", on_chain, "calls chain of the first with the second"},
    {"who", "", "us", on_who, "tells the user and the address of its sender"},
    {"monitor", "s", "s", on_monitor, "watches ADDRESS"},
    {"link", "s", "s", on_link, "links to ADDRESS, both ways"},
    {"unlink", "s", "s", on_unlink, "takes that back"},
    {"later", "sI", "", on_later, "after MS, calls nothing of ADDRESS"},
    {"nothing", "", "", on_nothing, "is answered"},
    {"two", "ssI", "ss", on_two, "waits MS for the first to call back later, then for the second"},
    {"heard", "", "s", on_heard, "tells what it was told"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct talker), .messages = messages, .down = down,
             .undelivered = undelivered);
