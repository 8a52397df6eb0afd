/*
 * The command line's side of control requests (lib/control.h): dial a mailbox, ask, wait for the
 * answer; ask many at once. Owns its loop and its connections. Nothing here prints.
 */
#ifndef TROUPE_CLI_CLIENT_H
#define TROUPE_CLI_CLIENT_H

#include "addr.h"
#include "envelope.h"
#include "loop.h"
#include "mono.h"
#include "rundir.h"
#include "wire.h"

#include <stdbool.h>

struct client {
    struct ev_loop *loop;
    struct rundir dir;
    char self[64];
};

enum { MAILBOX_MAX = ADDR_PATH_MAX + 16 };

/* Makes the loop; dir is filled in by the caller. 0, or -1 with errno. */
int client_init(struct client *client);
void client_finish(struct client *client);

/* The mailbox of the supervisor at a place ("" is the root): "shop/.supervisor", or in another node
 * "shop/.supervisor@west". */
void client_supervisor(const char *place, char out[MAILBOX_MAX]);
/* Is there a socket at this mailbox of this node? What another node has is known only by asking. */
bool client_has_mailbox(const struct client *client, const char *mailbox);

enum answer_kind {
    ANSWER_NONE, /* silent until the time was up */
    ANSWER_WORDS,
    ANSWER_FACTS,
    ANSWER_ROWS,
    ANSWER_VALUES,
    ANSWER_ERROR,  /* head and text, as the other said */
    ANSWER_CLOSED, /* the connection failed or ended; text says why ("noproc": no such mailbox,
                    * "noconnection": no session to its node) */
};

struct answer {
    enum answer_kind kind;
    struct words words;
    struct facts facts;
    struct rows rows; /* their paths are places (place.h) */
    char format[WIRE_VALUES_MAX + 1];
    union wire_value *values; /* by format; NULL: none */
    char head[32];
    char *text; /* never NULL for ERROR and CLOSED */
};

void answer_finish(struct answer *answer);

/* One request on a connection of its own. The owner destroys it, also from within its handlers. */
struct exchange;

struct exchange_handlers {
    /* Exactly once: an answer, or the end of the connection before it. Never within
     * exchange_start(). The answer is owned by the exchange; move it out by copying and clearing.
     */
    void (*on_answer)(struct exchange *exchange, struct answer *answer);
    /* An EVENT with the request's ref; before or after the answer. May be NULL. */
    void (*on_event)(struct exchange *exchange, const struct envelope *env);
    /* The connection ended after the answer. May be NULL. */
    void (*on_end)(struct exchange *exchange);
};

/* NULL with errno. words may be NULL; they are copied. */
struct exchange *exchange_start(struct client *client, const char *mailbox, const char *verb,
                                const struct words *words, const struct exchange_handlers *handlers,
                                void *data);
void exchange_destroy(struct exchange *exchange); /* takes NULL */
/* One request more on the same connection, to which no answer is waited for. 0, or -1 with errno
 * (ENOTCONN: it has ended). */
int exchange_tell(struct exchange *exchange, const char *verb, const struct words *words);
/* Writes what is queued, as far as the socket takes it. */
void exchange_flush(struct exchange *exchange);
void *exchange_data(const struct exchange *exchange);
/* The node that is asked; "" is this one. */
const char *exchange_node(const struct exchange *exchange);

/* One of many requests. mailbox, verb and words are the asker's; answer is filled in. With a format, not
 * words but values are sent. */
struct ask {
    char mailbox[MAILBOX_MAX];
    const char *verb;
    struct words words;
    const char *format;
    const union wire_value *values;
    struct answer answer;
};

/* Asks all, at most `window` at a time, each for at most timeout_ms (0: as long as it takes);
 * what has not answered then is ANSWER_NONE. 0, or -1 with errno when no request could be made. */
int client_gather(struct client *client, struct ask *asks, size_t count, size_t window,
                  int64_t timeout_ms);
/* One request, one answer. */
int client_call(struct client *client, const char *mailbox, const char *verb,
                const struct words *words, int64_t timeout_ms, struct answer *answer);
/* The same with values, by their format. */
int client_call_values(struct client *client, const char *mailbox, const char *verb, const char *format,
                       const union wire_value *values, int64_t timeout_ms, struct answer *answer);
/* The same, asked of the supervisor of what stands at a place, with its name as the only word. */
int client_ask_about(struct client *client, const char *place, const char *verb, int64_t timeout_ms,
                     struct answer *answer);
/* Is this why a connection failed or ended: there is no session to the node that was meant? */
bool client_is_cut_off(const char *why);

#endif
