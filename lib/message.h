/*
 * One message inside an actor: what came, its arguments by the declared format, and the values of
 * its answer. Nothing here touches a socket: mailbox.c makes messages and carries the answers.
 */
#ifndef TROUPE_MESSAGE_H
#define TROUPE_MESSAGE_H

#include "buf.h"
#include "mono.h"
#include "troupe.h"
#include "wire.h"

#include <sys/queue.h>
#include <uthash.h>

enum {
    MESSAGE_ARGUMENTS_MAX = WIRE_VALUES_MAX,
    MESSAGE_WHY_SIZE = 256,
    MESSAGE_HEADER_MAX = 32, /* bytes of REQ header words */
};

enum message_origin {
    MESSAGE_RAW,       /* a line of text (PUSH, REQ) */
    MESSAGE_RAW_BYTES, /* the same with `raw: bytes`: untouched */
    MESSAGE_ENVELOPE,  /* PAIR0 */
};

struct channel;

struct troupe_message {
    struct troupe *self;
    struct channel *channel; /* NULL when the connection has ended */
    TAILQ_ENTRY(troupe_message) in_queue, in_channel, in_unanswered;
    UT_hash_handle hh; /* in channel->pending, by header */

    enum message_origin origin;
    bool is_call, wants_undelivered, is_typed;
    bool is_answered, is_kept, is_handled; /* is_handled: its handler runs */
    bool is_pending;                       /* a raw call that waits for its answer */
    uint32_t uid;
    uint64_t ref;
    struct mono deadline; /* {0}: none */
    unsigned header_size;
    uint8_t header[MESSAGE_HEADER_MAX];

    const struct troupe_handler *handler; /* NULL: fallback, or not parsed yet */
    const char *name, *from;
    char *format; /* of the arguments; owned */
    union wire_value *values;
    unsigned count;

    size_t size; /* of the body, or payload */
    char *body;  /* inside this allocation; body[size] is writable */
};

/* A message with room for name, from and body (copied). NULL when memory is short. name may be
 * empty: a raw line carries it in its body. */
struct troupe_message *message_create(struct troupe *self, enum message_origin origin,
                                      const char *name, size_t name_length, const char *from,
                                      size_t from_length, const void *body, size_t size);
/* Frees; it must be in no list any more. */
void message_destroy(struct troupe_message *message);

/* Finds the handler in the table (ends with {0}; may be NULL) and unpacks the arguments for it.
 * Without a handler and with has_fallback the arguments are as troupe.h says of `receive`. Returns
 * 0; or -1 with why: "unknown_message NAME", "bad_message …", ready to be sent. */
int message_parse(struct troupe_message *message, const struct troupe_handler *table,
                  bool has_fallback, char why[MESSAGE_WHY_SIZE]);

/* Converts values (ends with type 0) to the declared format; format NULL takes them as they are.
 * Fills out[] and out_format, both for MESSAGE_ARGUMENTS_MAX values; texts and bytes are borrowed.
 * Returns the count; or -1 with why. */
int message_values_convert(const struct troupe_value *values, const char *format,
                           union wire_value *out, char *out_format, char why[MESSAGE_WHY_SIZE]);

/* Appends values to a raw line; a TAB goes before the first of them unless it is the line's first
 * field. 0 or -1 (ENOMEM). */
int message_values_append(struct buf *line, bool first, const char *format,
                          const union wire_value *values);

#endif
