/* Calls in its init, and tells what it was answered. args: to, name, with (an address and a name
 * that the other is to call, for at most 20 s), once (a file: the start after that call fails while
 * there is none). */
#include <troupe.h>

#include <stdio.h>
#include <unistd.h>

struct caller {
    char answer[300];
    int64_t heard;
};

static int init(struct troupe *self)
{
    struct caller *caller = troupe_state(self);
    struct troupe_message *answer =
        troupe_call(self, troupe_arg(self, "to"), 10000, "call", troupe_arg(self, "with"), 20000,
                    troupe_arg(self, "name"));
    const char *failure = troupe_failure(answer), *once = troupe_arg(self, "once");

    snprintf(caller->answer, sizeof caller->answer, "%s",
             failure ? failure : troupe_text(answer, 0));
    troupe_free(answer);
    if (!once || access(once, F_OK) == 0)
        return TROUPE_READY;
    fclose(fopen(once, "w"));
    return troupe_error(self, "not yet");
}

static void on_answer(struct troupe *self, struct troupe_message *message)
{
    struct caller *caller = troupe_state(self);

    troupe_reply(message, caller->answer);
}

static void on_hear(struct troupe *self, struct troupe_message *message)
{
    struct caller *caller = troupe_state(self);

    caller->heard++;
    troupe_reply(message, caller->heard);
}

static void on_heard(struct troupe *self, struct troupe_message *message)
{
    struct caller *caller = troupe_state(self);

    troupe_reply(message, caller->heard);
}

static const struct troupe_handler messages[] = {
    {"answer", "", "s", on_answer, "tells what it was answered in its init"},
    {"hear", "", "I", on_hear, "is counted"},
    {"heard", "", "I", on_heard, "tells the count"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct caller), .init = init, .messages = messages);
