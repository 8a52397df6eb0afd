/* A whole actor: it counts. Anything that speaks nng can call it:
 *     nngcat --req --dial ipc://$TROUPE_RUN/shop/counter --data "$(printf 'add\t5')" --ascii */
#include <troupe.h>

struct counter {
    int64_t value;
};

static int init(struct troupe *self)
{
    struct counter *counter = troupe_state(self);

    counter->value = troupe_arg_int(self, "start", 0);
    return TROUPE_READY;
}

static void on_add(struct troupe *self, struct troupe_message *message)
{
    struct counter *counter = troupe_state(self);

    if (__builtin_add_overflow(counter->value, troupe_int(message, 0), &counter->value))
        troupe_exit(self, NULL, "error counted too far");
    troupe_reply(message, counter->value);
}

static void on_value(struct troupe *self, struct troupe_message *message)
{
    struct counter *counter = troupe_state(self);

    troupe_reply(message, counter->value);
}

static const struct troupe_handler messages[] = {
    {"add", "I", "I", on_add, "adds to the counter, and tells the sum"},
    {"value", "", "I", on_value, "tells the value"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct counter), .init = init, .messages = messages);
