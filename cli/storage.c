#include "storage.h"

#include "control.h"
#include "target.h"

#include <stdio.h>
#include <string.h>

#define STORE "sys/store"

enum { ASK_MS = 6000 }; /* sys/store itself gives up after 5 s, and says why */

int storage_row(struct cli *cli, const char *address, const char *name, struct storage_row *row)
{
    struct addr addr;
    char *slash;
    int status = target_parse_here(cli, address, &addr);

    if (status)
        return status;
    snprintf(row->path, sizeof row->path, "%s", addr.path);
    snprintf(row->service, sizeof row->service, "%s", addr.path);
    slash = strrchr(row->service, '/');
    if (!slash)
        return cli_fail(STATUS_USAGE, "%s: expected the address of an actor", address);
    *slash = '\0';
    row->id = row->path + (slash - row->service) + 1;
    row->name = name;
    if (addr_is_part(name, strlen(name)))
        return 0;
    return cli_fail(STATUS_USAGE,
                    "%s: expected the name of a state: 1 to 64 letters, digits, _ . -", name);
}

static bool is_head(const struct answer *answer, const char *head)
{
    return answer->kind == ANSWER_ERROR && strcmp(answer->head, head) == 0;
}

/* Whether it had been sent is for machines. */
static const char *without_first_word(const char *text)
{
    const char *space = strchr(text, ' ');

    return space ? space + 1 : text;
}

static int explain(struct cli *cli, const char *what, const struct answer *answer)
{
    if (is_head(answer, CONTROL_E_NOT_FOUND))
        return cli_fail(STATUS_NOPROC, "%s: nothing is kept", what);
    if (is_head(answer, CONTROL_E_CONFLICT))
        return cli_fail(STATUS_NOT,
                        strcmp(answer->text, "0") ? "%s: conflict: its version is %s"
                                                  : "%s: conflict: nothing is kept",
                        what, answer->text);
    if (is_head(answer, CONTROL_E_UNREACHABLE))
        return cli_fail(STATUS_TIMEOUT, "%s: the store does not answer: %s", what,
                        without_first_word(answer->text));
    if (is_head(answer, CONTROL_E_OVERLOADED))
        return cli_fail(STATUS_NOT, "%s: overloaded: too much waits for the store", what);
    if (answer->kind == ANSWER_NONE)
        return cli_fail(STATUS_TIMEOUT, "%s: " STORE " does not answer", what);
    if (answer->kind == ANSWER_CLOSED && strcmp(answer->text, CONTROL_E_NOPROC) == 0 &&
        rundir_is_alive(&cli->client.dir))
        return cli_fail(
            STATUS_NOT,
            "%s: this node keeps no state: `store:` or a child with `state: true` in its "
            "config gives it a store",
            what);
    return cli_answer_status(cli, what, answer);
}

int storage_ask(struct cli *cli, const char *what, const char *verb, const char *format,
                const union wire_value *values, struct answer *answer)
{
    int status;

    cli_check_memory(client_call_values(&cli->client, STORE, verb, format, values, ASK_MS, answer));
    if (answer->kind == ANSWER_VALUES || answer->kind == ANSWER_WORDS)
        return 0;
    status = explain(cli, what, answer);
    answer_finish(answer);
    return status;
}
