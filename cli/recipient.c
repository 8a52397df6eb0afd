#include "recipient.h"

#include "control.h"
#include "output.h"
#include "place.h"
#include "target.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOOK_MS = 1000, TIMEOUT_MS = 5000 };

/* ---- looking it up ----------------------------------------------------------------------- */

static bool is_owner(const struct cli *cli)
{
    struct stat st;

    return geteuid() == 0 || stat(cli->client.dir.path, &st) != 0 || st.st_uid == geteuid();
}

static void ask_supervisor(struct cli *cli, const char *path, struct answer *answer)
{
    cli_check_memory(client_ask_about(&cli->client, path, CONTROL_PS_BRIEF, LOOK_MS, answer));
}

static int note_row(struct recipient *recipient, const struct row *row)
{
    struct mailbox_address *to = &recipient->to;

    if (row_supervises(row))
        return cli_fail(STATUS_NOT, "%s: no_mailbox: a supervisor takes no messages", to->path);
    if (to->incarnation && to->incarnation != row->incarnation)
        return cli_fail(STATUS_NOPROC, "%s#%" PRIu64 ": it is #%" PRIu64 " now", to->path,
                        to->incarnation, row->incarnation);
    to->seen = row->incarnation;
    recipient->is_program = row->kind == ROW_PROGRAM;
    return 0;
}

/* A node closes strangers at once. A supervisor that does not answer may come back: the mailbox has
 * the last word. */
static int note_closed(struct cli *cli, const struct recipient *recipient,
                       const struct answer *answer)
{
    const char *path = recipient->to.path;

    if (!rundir_is_alive(&cli->client.dir) || strcmp(answer->text, CONTROL_E_NOPROC) == 0 ||
        (place_is_elsewhere(path) && client_is_cut_off(answer->text)))
        return target_answer_status(cli, path, answer);
    if (!place_is_elsewhere(path) && !is_owner(cli))
        return cli_fail(STATUS_DENIED, "%s: not allowed to uid %u", path, (unsigned)geteuid());
    return 0;
}

/* One that is not there, and is started by who sends it something, here or on another node? */
static bool is_of_service(const struct cli *cli, const char *path)
{
    return !place_is_elsewhere(path) && (rundir_is_of_service(cli->client.dir.path, path) ||
                                         rundir_may_be_elsewhere(cli->client.dir.path, path));
}

static int look(struct cli *cli, struct recipient *recipient)
{
    struct answer answer;
    int status = 0;

    ask_supervisor(cli, recipient->to.path, &answer);
    if (answer.kind == ANSWER_ROWS && answer.rows.count == 1)
        status = note_row(recipient, &answer.rows.at[0]);
    else if ((answer.kind == ANSWER_ERROR || (answer.kind == ANSWER_CLOSED &&
                                              strcmp(answer.text, CONTROL_E_NOPROC) == 0)) &&
             is_of_service(cli, recipient->to.path))
        status = 0; /* it comes with the message */
    else if (answer.kind == ANSWER_CLOSED)
        status = note_closed(cli, recipient, &answer);
    else if (answer.kind == ANSWER_ERROR && strcmp(answer.head, CONTROL_E_DENIED) != 0)
        status = target_answer_status(cli, recipient->to.path, &answer);
    answer_finish(&answer);
    return status;
}

static int read_timeout(struct cli *cli, struct recipient *recipient)
{
    const char *text = cli_option(cli, "timeout");

    recipient->timeout_ms = TIMEOUT_MS;
    if (text && (text_duration(text, &recipient->timeout_ms) != 0 || recipient->timeout_ms < 0))
        return cli_fail(STATUS_USAGE, "--timeout %s: expected a duration such as 500ms or 10s",
                        text);
    recipient->deadline = mono_add_ms(mono_now(), recipient->timeout_ms);
    return 0;
}

int recipient_find(struct cli *cli, const char *address, struct recipient *recipient)
{
    struct addr addr = {0};
    int status;

    *recipient = (struct recipient){0};
    status = read_timeout(cli, recipient);
    if (!status)
        status = cli_open_node(cli);
    if (!status)
        status = target_parse(cli, address, &addr, NULL);
    if (!status && place_is_root(addr.path))
        status = cli_fail(STATUS_NOT, "%s: no_mailbox: the root takes no messages", address);
    if (status)
        return status;
    snprintf(recipient->to.path, sizeof recipient->to.path, "%s", addr.path);
    recipient->to.incarnation = addr.incarnation;
    return look(cli, recipient);
}

/* ---- what it understands ----------------------------------------------------------------- */

int recipient_describe(struct cli *cli, const struct recipient *recipient,
                       struct description *description)
{
    static const struct letter letter = {
        .style = LETTER_ENVELOPE, .is_call = true, .is_harmless = true, .name = "describe"};
    struct reply reply;
    int status = 0;

    *description = (struct description){0};
    if (recipient->is_program)
        return 0;
    mail_deliver(&cli->client, &recipient->to, &letter, recipient->deadline, &reply);
    if (reply.failure)
        status = recipient_failed(cli, recipient, &reply);
    else if (description_read(buf_front(&reply.body), buf_length(&reply.body), description) != 0)
        status =
            cli_fail(STATUS_ACTOR, "%s: its description could not be read", recipient->to.path);
    reply_finish(&reply);
    return status;
}

/* ---- what went wrong --------------------------------------------------------------------- */

/* There is nobody to talk to; but the actor itself may well be there. */
static int no_mailbox(struct cli *cli, const char *path)
{
    struct answer answer;
    bool is_running;

    ask_supervisor(cli, path, &answer);
    is_running = answer.kind == ANSWER_ROWS && answer.rows.count == 1 && answer.rows.at[0].pid;
    answer_finish(&answer);
    if (is_running)
        return cli_fail(STATUS_NOT, "%s: no_mailbox", path);
    return target_unknown(cli, path);
}

static bool has_head(const char *failure, const char *head)
{
    size_t length = strlen(head);

    return strncmp(failure, head, length) == 0 && (!failure[length] || failure[length] == ' ');
}

int recipient_failed(struct cli *cli, const struct recipient *recipient, const struct reply *reply)
{
    const char *path = recipient->to.path;
    char duration[32];

    if (place_is_elsewhere(path) && has_head(reply->failure, "noconnection"))
        return cli_cut_off(path);
    if (reply->is_denied || (place_is_elsewhere(path) && has_head(reply->failure, "denied")))
        return cli_fail(STATUS_DENIED, "%s: %s", path, reply->failure);
    if (strcmp(reply->failure, "noproc") == 0)
        return no_mailbox(cli, path);
    if (has_head(reply->failure, "noproc"))
        return cli_fail(STATUS_NOPROC, "%s: %s", path, reply->failure);
    if (strcmp(reply->failure, "timeout") == 0)
        return cli_fail(STATUS_TIMEOUT, "%s: timeout: nothing heard within %s", path,
                        text_of_duration(recipient->timeout_ms, duration, sizeof duration));
    if (has_head(reply->failure, "down") || has_head(reply->failure, "no_mailbox"))
        return cli_fail(STATUS_NOT, "%s: %s", path, reply->failure);
    return cli_fail(STATUS_ACTOR, "%s: %s", path, reply->failure);
}
