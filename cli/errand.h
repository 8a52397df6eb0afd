/*
 * An errand: what `call` and `send` are asked to do. The arguments of the command line, or standard
 * input with --raw, become a letter that the recipient will understand; what it would not is
 * refused here, with the message's signature.
 */
#ifndef TROUPE_CLI_ERRAND_H
#define TROUPE_CLI_ERRAND_H

#include "recipient.h"

struct errand {
    struct recipient recipient;
    struct description description;
    const struct described *message; /* within description; NULL: it is not described */
    struct letter letter;
};

/* What is done with the answer of a call; returns the exit status. */
typedef int errand_done(struct cli *cli, struct errand *errand, struct reply *reply, void *data);

/* ADDRESS is a pattern, that may mean many. */
bool errand_is_to_many(const struct cli *cli);
/* ADDRESS MESSAGE [ARG...], or with --raw ADDRESS [MESSAGE]: calls each that ADDRESS means, one
 * after the other; without done it is a cast. Returns the exit status, the worst of all, after
 * having said why. */
int errand_run(struct cli *cli, errand_done *done, void *data);
/* Sends the same to another address than that of the command line, as a cast. */
int errand_send(struct cli *cli, const char *address);

#endif
