/* OTP's supervisor_3: its start waits to be told. args gate names a FIFO (or a file): one line is
 * read from it, `ok`, `ignore` or `stop REASON`. */
#include <troupe.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int read_gate(struct troupe *self, char *line, int size)
{
    const char *gate = troupe_arg(self, "gate");
    FILE *file = gate ? fopen(gate, "re") : NULL;
    char *got;

    if (!file)
        return troupe_error(self, "args: gate: %s", gate ? strerror(errno) : "missing");
    got = fgets(line, size, file);
    fclose(file);
    if (!got)
        return troupe_error(self, "gate: empty");
    line[strcspn(line, "\n")] = '\0';
    return 0;
}

static int init(struct troupe *self)
{
    char line[256];

    troupe_status(self, "at the gate");
    if (read_gate(self, line, sizeof line) != 0)
        return TROUPE_ERROR;
    if (strcmp(line, "ok") == 0)
        return TROUPE_READY;
    if (strcmp(line, "ignore") == 0)
        return TROUPE_IGNORE;
    if (strncmp(line, "stop ", 5) == 0)
        return troupe_error(self, "%s", line + 5);
    return troupe_error(self, "gate: \"%s\": expected ok, ignore or stop REASON", line);
}

static void on_die(struct troupe *self, struct troupe_message *message)
{
    (void)message;
    troupe_exit(self, NULL, "error died");
}

static const struct troupe_handler messages[] = {
    {"die", "", "", on_die, "ends: error died"},
    {0},
};

TROUPE_ACTOR(.init = init, .messages = messages);
