/* What the talking benches talk to: echoes bytes, counts what is cast. args: cpu (pinned to it). */
#include <troupe.h>

#include <sched.h>

struct target {
    uint64_t casts, bytes;
};

static int init(struct troupe *self)
{
    int64_t cpu = troupe_arg_int(self, "cpu", -1);
    cpu_set_t set;

    CPU_ZERO(&set);
    if (cpu >= 0) {
        CPU_SET((size_t)cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    return TROUPE_READY;
}

static void on_echo(struct troupe *self, struct troupe_message *message)
{
    (void)self;
    troupe_reply(message, troupe_bytes(message, 0));
}

static void on_put(struct troupe *self, struct troupe_message *message)
{
    struct target *target = troupe_state(self);

    target->casts++;
    target->bytes += troupe_bytes(message, 0).size;
}

static void on_count(struct troupe *self, struct troupe_message *message)
{
    struct target *target = troupe_state(self);

    troupe_reply(message, target->casts);
}

static const struct troupe_handler messages[] = {
    {"put", "B", "", on_put, "counts"},
    {"echo", "B", "B", on_echo, "gives the bytes back"},
    {"count", "", "U", on_count, "tells how many were put"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct target), .init = init, .messages = messages);
