/*
 * Mail: one message to an actor's mailbox, and the answer to it (PROTOCOL 1, 2; SEMANTICS 6). A
 * call waits for its answer; a cast until the other side has begun to listen and everything is
 * written. A mailbox whose actor is being restarted is waited for; what nobody has begun to handle
 * goes again. Every message has a connection of its own. Blocks, running the client's loop; prints
 * nothing.
 */
#ifndef TROUPE_CLI_MAIL_H
#define TROUPE_CLI_MAIL_H

#include "buf.h"
#include "client.h"

/* Where it goes. */
struct mailbox_address {
    char path[ADDR_PATH_MAX + 1]; /* a place */
    uint64_t incarnation;         /* that one and no other; 0: whichever is there */
    uint64_t seen; /* the one that its supervisor spoke of, for RAW, which says none; or 0 */
};

enum letter_style {
    LETTER_ENVELOPE, /* PAIR0: a message with a name and a payload */
    LETTER_RAW,      /* REQ or PUSH: the payload is the whole body, a line of text or bytes; within
                      * this node only */
};

struct letter {
    enum letter_style style;
    bool is_call;
    bool is_typed;    /* the payload is a tpl image; ENVELOPE only */
    bool is_harmless; /* may be handled twice: asked again when the actor ends meanwhile */
    char name[256];   /* "" when RAW */
    struct buf payload;
};

void letter_finish(struct letter *letter);

struct reply {
    char *failure;  /* NULL: it went well. Else a line by SEMANTICS 6: "timeout", "down exit:3",
                     * "noconnection" */
    bool is_denied; /* the socket may not be connected to */
    bool is_typed;
    struct buf body; /* a call's: the payload, or the raw body with its sign */
};

void reply_finish(struct reply *reply);

/* Sends the letter, and fills in reply. Ends at the deadline ("timeout") at the latest, but for one
 * second more in which the target's supervisor is asked how it ended. */
void mail_deliver(struct client *client, const struct mailbox_address *to,
                  const struct letter *letter, struct mono deadline, struct reply *reply);

#endif
