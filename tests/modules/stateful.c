/* Hands its number over to its next incarnation as its last state. */
#include <troupe.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct stateful {
    int64_t number;
};

static int init(struct troupe *self)
{
    struct stateful *state = troupe_state(self);
    size_t size;
    const void *last = troupe_last_state(self, &size);

    if (last && size != sizeof state->number)
        return troupe_error(self, "last state of %zu bytes", size);
    if (last)
        memcpy(&state->number, last, sizeof state->number);
    troupe_ready_text(self, last ? "from a last state" : "fresh");
    return TROUPE_READY;
}

static void terminate(struct troupe *self, const char *reason)
{
    struct stateful *state = troupe_state(self);

    (void)reason;
    troupe_set_last_state(self, &state->number, sizeof state->number);
}

static void on_set(struct troupe *self, struct troupe_message *message)
{
    struct stateful *state = troupe_state(self);

    state->number = troupe_int(message, 0);
}

static void on_get(struct troupe *self, struct troupe_message *message)
{
    struct stateful *state = troupe_state(self);

    troupe_reply(message, state->number);
}

static void on_end(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "error as asked");
}

static const struct troupe_handler messages[] = {
    {"set", "I", "", on_set, "remembers a number"},
    {"get", "", "I", on_get, "tells it"},
    {"end", "", "", on_end, "ends: error as asked"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct stateful), .init = init, .terminate = terminate,
             .messages = messages);
