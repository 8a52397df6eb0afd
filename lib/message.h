/*
 * One message inside an actor: what came, and its arguments by the declared format. Also the answer of
 * a call, and an event, whose values are read by the same functions. Nothing here touches a socket:
 * mailbox.c and call.c make messages and carry the answers.
 *
 * A message is at first a view: body and chain are where they came, in a frame. message_settle() makes it
 * live on, at the same address.
 */
#ifndef TROUPE_MESSAGE_H
#define TROUPE_MESSAGE_H

#include "envelope.h"
#include "mono.h"
#include "sp.h"
#include "troupe.h"
#include "wire.h"

#include <sys/queue.h>
#include <uthash.h>

enum {
    MESSAGE_ARGUMENTS_MAX = WIRE_VALUES_MAX,
    MESSAGE_WHY_SIZE = 256,
    MESSAGE_INLINE = 8,      /* values that need no memory of their own */
};

enum message_origin {
    MESSAGE_RAW,       /* a line of text (PUSH, REQ) */
    MESSAGE_RAW_BYTES, /* the same with `raw: bytes`: untouched */
    MESSAGE_ENVELOPE,  /* PAIR0 */
    MESSAGE_ANSWER,    /* what became of a call of ours, or an event of a subscription */
};

struct channel;

struct troupe_message {
    struct troupe *self;
    struct channel *channel; /* NULL when the connection has ended */
    TAILQ_ENTRY(troupe_message) in_queue, in_channel;

    enum message_origin origin;
    bool is_call, wants_undelivered, is_typed;
    bool is_spare;                         /* lies in struct troupe */
    bool is_view;                          /* body and chain are in a frame */
    bool is_answered, is_kept, is_handled; /* is_handled: its handler runs */
    bool is_pending;                       /* a raw call that waits for its answer */
    bool is_forwarded;                     /* another is asked for the answer, and nobody else gives one */
    bool is_withheld, is_forgotten; /* its answer waits (withheld.h); and then it is to be freed */
    bool owns_values;                      /* their texts and bytes are on the heap */
    uint32_t uid;
    uint64_t ref;
    struct mono deadline; /* {0}: none */
    const struct troupe_handler *handler; /* NULL: fallback, or not parsed yet */
    const char *name, *from;
    const char *failure; /* of an answer; NULL: it is none */
    uint64_t sequence;   /* of an event; of a gap that of the last missing one */
    uint64_t lost;       /* how many a gap lacks */
    const uint64_t *blocked; /* the waits that this call is part of (PROTOCOL 2) */
    unsigned blocked_count;
    const char *format; /* of the arguments: the handler's, or own_format */
    union wire_value *values; /* NULL: none; few_values, or on the heap */
    unsigned count;

    size_t size; /* of the body, or payload */
    char *body;  /* of a raw line, body[size] is writable */

    void *own_body, *own_name; /* a settled view's; a long name's; or NULL */
    uint64_t *own_blocked;

    /* from here on, nothing is set before it is needed */
    UT_hash_handle hh; /* in channel->pending, by header */
    TAILQ_ENTRY(troupe_message) in_unanswered;
    unsigned header_size;
    uint8_t header[SP_REQUEST_HEADER_MAX];
    char name_room[64];
    char own_format[MESSAGE_ARGUMENTS_MAX + 1];
    union wire_value few_values[MESSAGE_INLINE];
};

/* A message with room for name, from and body (copied). NULL when memory is short. name may be
 * empty: a raw line carries it in its body. */
struct troupe_message *message_create(struct troupe *self, enum message_origin origin,
                                      const char *name, size_t name_length, const char *from,
                                      size_t from_length, const void *body, size_t size);
/* A view of an envelope: a request, or what became of a request of ours. remote, which must outlive the
 * view, is the sender. NULL when memory is short. */
struct troupe_message *message_view(struct troupe *self, enum message_origin origin,
                                    const struct envelope *env, const char *remote);
/* Copies what is borrowed. 0; or -1 (ENOMEM): it is a view still. */
int message_settle(struct troupe_message *message);
/* Frees; it must be in no list any more. Takes NULL. */
void message_destroy(struct troupe_message *message);

/* Has it been forwarded, so that only the answer that is awaited may be given? Sets ENOTCONN then. */
bool message_is_given_away(const struct troupe_message *message);

/* Finds the handler in the table (ends with {0}; may be NULL) and unpacks the arguments for it: a typed
 * payload of any format whose values fit the declared one is taken. Without a handler and with
 * has_fallback the arguments are as troupe.h says of `receive`. Returns 0; or -1 with why:
 * "unknown_message NAME", "bad_message …", ready to be sent. */
int message_parse(struct troupe_message *message, const struct troupe_handler *table,
                  bool has_fallback, char why[MESSAGE_WHY_SIZE]);
/* The same for an answer or an event: the payload says its format itself. 0, or -1 (EBADMSG, ENOMEM). */
int message_parse_answer(struct troupe_message *message);

#endif
