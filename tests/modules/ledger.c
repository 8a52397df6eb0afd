/* Writes down what it is sent, in the order in which it handles it: lines `LIFE SENDER NUMBER`, appended
 * to args.file, so that a test can tell what was handled twice, or out of order. */
#include <troupe.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct ledger {
    int fd;
};

static int init(struct troupe *self)
{
    struct ledger *ledger = troupe_state(self);
    const char *file = troupe_arg(self, "file");

    ledger->fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return ledger->fd < 0 ? troupe_error(self, "cannot open %s", file) : TROUPE_READY;
}

static void on_note(struct troupe *self, struct troupe_message *message)
{
    struct ledger *ledger = troupe_state(self);
    char line[128];
    int length = snprintf(line, sizeof line, "%" PRIu64 " %" PRId64 " %" PRId64 "\n",
                          troupe_incarnation(self), troupe_int(message, 0), troupe_int(message, 1));

    if (write(ledger->fd, line, (size_t)length) != length)
        abort();
    troupe_reply(message, troupe_int(message, 1));
}

static const struct troupe_handler messages[] = {
    {"note", "II", "I", on_note, "writes SENDER and NUMBER down"},
    {0},
};

TROUPE_ACTOR(.state_size = sizeof(struct ledger), .init = init, .messages = messages);
