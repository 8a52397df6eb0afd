/* Starts by and by, and may not live long. args: until (ready when there is such a file; "never"),
 * life (ends so many ms after it was ready), child (has a process of its own, in another session).
 */
#include <troupe.h>

#include <string.h>
#include <unistd.h>

enum { LOOK_MS = 10 };

struct novice {
    uint64_t looking;
};

static void begin_to_live(struct troupe *self)
{
    int64_t life = troupe_arg_int(self, "life", -1);

    troupe_status(self, "running");
    if (life >= 0)
        troupe_exit_after(self, life, "normal");
}

static void look(struct troupe *self, uint64_t count, void *file)
{
    struct novice *novice = troupe_state(self);

    (void)count;
    if (access(file, F_OK) != 0)
        return;
    troupe_cancel(self, novice->looking);
    troupe_ready(self);
    begin_to_live(self);
}

static void have_child(void)
{
    if (fork() != 0)
        return;
    setsid();
    for (;;)
        pause();
}

static int init(struct troupe *self)
{
    struct novice *novice = troupe_state(self);
    const char *until = troupe_arg(self, "until");

    if (troupe_arg(self, "child"))
        have_child();
    troupe_status(self, "initialising");
    if (!until) {
        begin_to_live(self);
        return TROUPE_READY;
    }
    if (strcmp(until, "never") != 0)
        novice->looking = troupe_every(self, LOOK_MS, look, (void *)until);
    return TROUPE_LATER;
}

static void terminate(struct troupe *self, const char *reason)
{
    troupe_log(self, "info", "novice.terminate", "reason", reason, NULL);
}

TROUPE_ACTOR(.state_size = sizeof(struct novice), .init = init, .terminate = terminate);
