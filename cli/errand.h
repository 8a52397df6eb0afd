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

/* ADDRESS MESSAGE [ARG...], or with --raw ADDRESS [MESSAGE]. 0, or an exit status after having said
 * why. Either way the errand is to be finished. */
int errand_prepare(struct cli *cli, bool is_call, struct errand *errand);
/* Sends it. 0 and reply, which is to be finished; or an exit status after having said why. */
int errand_run(struct cli *cli, struct errand *errand, struct reply *reply);
void errand_finish(struct errand *errand);

#endif
