/*
 * Calls that this actor has made and that are not answered yet: each ends exactly once, with its answer
 * or a failure (SEMANTICS 6), by its deadline at the latest. Private to the runtime.
 */
#ifndef TROUPE_CALL_H
#define TROUPE_CALL_H

#include "contact.h"
#include "message.h"
#include "troupe.h"

enum { CALL_DEFAULT_MS = 5000, CALL_END_MS = 1000 /* for the reason of an end */ };

/* Hears the answer once. It may keep it by message_settle() and `*answer = NULL`; else it is freed. */
typedef void call_done(struct troupe *self, struct troupe_message **answer, void *data);

/* What is to be called, and who hears of it. */
struct call_request {
    const char *to, *name;
    const void *payload;
    size_t size;
    bool is_typed;
    bool is_control;             /* of control.h, not a message: its answer is a CONTROL_REPLY */
    bool blocks;                 /* the caller waits: it is added to the chain */
    const uint64_t *blocked;     /* the chain that it belongs to */
    unsigned blocked_count;
    struct mono deadline;        /* {0}: none */
    uint64_t *ref;               /* gets what pairs the answer with it, before done is called; or NULL */
    call_done *done;             /* the runtime's own: also called while the actor is busy or waits */
    troupe_on_answer *on_answer; /* or the author's, for whom the actor must be free */
    void *data;
    void (*drop)(void *data); /* frees it when the actor has ended before; or NULL */
};

struct calls {
    struct call **slots; /* by the index in ref */
    uint32_t count, size;
    uint32_t first_free; /* index + 1 of a free slot; 0: none */
    uint32_t generation;
    ev_timer timer; /* rings at the earliest deadline, or before */
    struct mono rings;
};

void calls_init(struct troupe *self);
void calls_finish(struct troupe *self);

/* Sends it. What can be said at once (deadlock, another node) is also told through done, later. 0; or -1
 * with errno: EINVAL, EAGAIN, EMSGSIZE, ENOMEM: then done is not called. */
int call_start(struct troupe *self, const struct call_request *request);
/* Is this a wait of ours, and do we wait in it still (PROTOCOL 2, `blocked`)? A call that lists such a one
 * would never be answered. */
bool call_is_waited_in(const struct troupe *self, uint64_t wait);
/* Puts it into the chain of the message that is being handled. */
void call_continue_chain(const struct troupe *self, struct call_request *request);
/* The caller no longer wants to hear of calls with this data. */
void call_forget(struct troupe *self, const void *data);
/* An answer that is a failure; never NULL. */
struct troupe_message *call_failed(struct troupe *self, const char *failure);
/* deadline of a timeout in ms; 0: the default. */
struct mono call_deadline(int64_t timeout_ms);

/* What contact.c reports. */
void call_on_answer(struct contact *contact, const struct envelope *env);
void call_fail_all(struct contact *contact, const char *failure);
/* The connection to `remote` (address with incarnation) ended: calls whose frames the kernel had taken
 * (up to `written`), and which have not come back, are failed with the reason of that end. */
void call_on_lost(struct contact *contact, uint64_t written, const char *remote);
/* Does this call still wait for an answer by this connection, and has not come back? */
bool call_is_out(const struct contact *contact, uint64_t ref);
/* The frame of one that does has come back, nobody took it: it stands among the first on the next
 * connection, ending at `place` counted from the first of them. */
void call_on_returned(struct contact *contact, uint64_t ref, uint64_t place);
/* The others have moved: what stood at place `from` stands at `to` now. */
void call_move(struct contact *contact, uint64_t from, uint64_t to);
/* The calls on one connection are another contact's now, before its own. */
void call_hand_over(struct contact *from, struct contact *to);
void call_abandon_all(struct contact *contact);

#endif
