/*
 * Who is meant by the ADDRESS of a message: what kind of actor it is, what it understands, and what
 * to say when a message to it failed.
 */
#ifndef TROUPE_CLI_RECIPIENT_H
#define TROUPE_CLI_RECIPIENT_H

#include "cli.h"

#include "description.h"
#include "mail.h"

struct recipient {
    struct mailbox_address to;
    bool is_program; /* which takes raw bodies only, and does not describe itself */
    int64_t timeout_ms;
    struct mono deadline; /* of everything that is asked of it */
};

/* Finds the node, and looks ADDRESS up with its supervisor. Who may send but not look is taken at
 * his word; a supervisor that is silent is no hindrance. The deadline is that of --timeout. 0, or
 * an exit status after having said why. */
int recipient_find(struct cli *cli, const char *address, struct recipient *recipient);
/* Asks what it understands. A program's description is empty. 0 and description, which is to be
 * finished; or an exit status after having said why. */
int recipient_describe(struct cli *cli, const struct recipient *recipient,
                       struct description *description);
/* Says why a message failed, which reply->failure names; returns the exit status. */
int recipient_failed(struct cli *cli, const struct recipient *recipient, const struct reply *reply);

#endif
