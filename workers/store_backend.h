/*
 * What sys/store keeps, whichever store keeps it (CLUSTER 4): node rows, place rows, state rows,
 * reminders, and one counter of epochs. One interface, three backends: store_sqlite.c,
 * store_postgres.c, store_redis.c. Requests are answered by callbacks on one libev loop, each
 * exactly once, never before store_submit() has returned.
 *
 *   node   (name, generation): state (joining, alive, draining, dead), beat, url, services, load.
 *          Dead is for ever: no such row comes to life again, and only a dead one is removed.
 *   place  (service, id): node, generation, epoch. Gone when it is free: an id that nobody calls
 *          any more leaves nothing. Its epochs do not go back for that: a claim takes its epoch in
 *          the step in which it is made, from a counter that only grows. A save whose place is gone
 *          is fenced.
 *   state  (service, id, name): value, its schema, version, the epoch that saved it.
 *   reminder (service, id, name): when it is due, every how long, the message; version.
 *
 * Epochs are never reused, also not by a store that was killed or lost power. A version grows by
 * one with each save; a row that is made anew begins with a number that it never had.
 *
 * A write whose answer was lost with the connection goes again, and is recognised by its writer: it
 * is answered by what the store holds. Requests for one (service, id), and for one node row, are
 * carried out in the order in which they were submitted.
 */
#ifndef TROUPE_STORE_BACKEND_H
#define TROUPE_STORE_BACKEND_H

#include "error.h"
#include "loop.h"
#include "mono.h"
#include "wire.h"

enum store_op {
    STORE_STATE_GET,    /* service id name → value, schema, version, epoch, saved_us */
    STORE_STATE_PUT,    /* service id name, epoch, version, value, schema → version */
    STORE_STATE_REMOVE, /* service id name, epoch, version → */
    STORE_STATE_LIST,  /* service, after (id name), limit → rows ID NAME VERSION SIZE SAVED_US, by
                          id, name */
    STORE_EPOCH,       /* → epoch: a new one */
    STORE_PLACE_CLAIM, /* service id, node generation, epoch (the claimer's own, or 0) → epoch: a
                          new one */
    STORE_PLACE_FREE,  /* service id, epoch → */
    STORE_PLACE_READ,  /* service id → epoch, node, generation ("" "": free) */
    STORE_PLACE_LIST,  /* service (or ""), node generation (or "" ""), after (service) id, limit →
                          rows SERVICE ID NODE GENERATION EPOCH, by service, id */
    STORE_REMINDER_PUT,     /* service id name, epoch, version, due period message → version */
    STORE_REMINDER_REMOVE,  /* service id name, epoch, version → */
    STORE_REMINDER_DUE,     /* due (until then), limit → rows SERVICE ID NAME DUE PERIOD MESSAGE
                               VERSION, by due */
    STORE_REMINDER_ADVANCE, /* service id name, version, due (0: it is over) → version */
    STORE_NODE_INSERT,      /* node generation, state, url services load → */
    STORE_NODE_BEAT,        /* node generation, state, load → beat */
    STORE_NODE_SET,         /* node generation, state, beat (or STORE_ANY), wanted → */
    STORE_NODE_REMOVE,      /* node generation, which must be dead → */
    STORE_NODE_LIST, /* → rows NAME GENERATION STATE BEAT URL SERVICES LOAD, by name, generation */
};

enum store_status {
    STORE_OK,
    STORE_NOT_FOUND, /* the store has answered, and there is no such row */
    STORE_CONFLICT,  /* there is one, and it is not as the request says: see the answer */
    STORE_FENCED, /* the place row has not the saver's epoch: it is owner no more. A claimer's node
                   * row is dead, or there is none */
    STORE_UNREACHABLE, /* no answer. Of a write it is not known whether it was accepted if was_sent
                        */
    STORE_FAILED,      /* the store cannot do it (its disk is full, …): nothing was accepted */
};

enum {
    STORE_ANY = -1,        /* version: whatever there is; beat: whatever it is */
    STORE_NONE = 0,        /* version: only if there is no such row */
    STORE_NO_FENCE = 0,    /* epoch of a save: an administrator's, tested against nothing */
    STORE_LIST_MAX = 10000 /* rows of one answer */
};

/* Columns of the lists. */
enum {
    STORE_STATE_COLUMNS = 5,
    STORE_PLACE_COLUMNS = 5,
    STORE_REMINDER_COLUMNS = 7,
    STORE_NODE_COLUMNS = 7
};

struct store_answer {
    enum store_status status;
    bool was_sent;   /* unreachable: the store may have got it */
    char why[160];   /* for people: unreachable, failed */
    int64_t version; /* also of a conflict: what it is now; 0: there is none */
    int64_t epoch;   /* also of a claim's conflict */
    int64_t beat;
    int64_t schema;
    int64_t saved_us;              /* wall clock */
    char node[65], generation[65]; /* of a place; of a claim's conflict: who has it */
    char state[17];                /* node row: what it is in, also of a conflict */
    void *value;                   /* owned by the answer, NUL-terminated after its end */
    size_t value_size;
    struct words rows; /* owned by the answer */
};

typedef void store_answered(void *data, const struct store_answer *answer);

/* What an op does not name is NULL and 0. Texts are validated by whoever asks (store_serve.c). */
struct store_request {
    enum store_op op;
    struct mono deadline; /* {0}: STORE_DEADLINE_MS from now. By then it is answered */
    const char *service, *id, *name;
    const char *node, *generation;
    const char *state, *wanted;
    const char *url, *services, *load;
    const char *message, *after;
    const void *value;
    size_t value_size;
    int64_t epoch, version, beat;
    int64_t schema;      /* of the value: the saver's own matter */
    int64_t due, period; /* us: wall clock; 0: once */
    uint32_t limit;      /* 0: STORE_LIST_MAX */
    store_answered *on_answer;
    void *data;
};

enum {
    STORE_DEADLINE_MS = 5000,
    STORE_VALUE_MAX = 8 << 20,     /* bytes of one value */
    STORE_PENDING_MAX = 65536,     /* requests that wait for the store */
    STORE_PENDING_BYTES = 64 << 20 /* and what they hold */
};

struct store_config {
    const char *backend; /* sqlite, postgres, redis */
    const char *where;   /* sqlite: a directory; postgres (14 or later): a connection string; redis:
                            /SOCKET or   ADDRESS:PORT */
    const char *password; /* of postgres and redis; may be NULL */
    bool is_unsafe;       /* redis without appendonly and appendfsync always is taken as it is */
    int64_t again_max_ms; /* a server that is away is tried so often at least; 0: every 2 s */
    /* Tells of a change for people: NULL when the store answers, else why it does not. May be NULL.
     */
    void (*on_trouble)(void *data, const char *why);
    void *data;
};

struct store;

/* Returns at once; connecting, and migrating an older schema, go on in the loop. NULL with err: an
 * unknown backend, a `where` that cannot be meant. */
struct store *store_open(struct ev_loop *loop, const struct store_config *config,
                         struct error *err);
/* What is pending is not answered. Not within an answer's callback. Takes NULL. */
void store_close(struct store *store);

/* The request is copied. 0, or -1 with ENOMEM, EMSGSIZE (the value), EAGAIN (too many are pending):
 * then it is not answered. */
int store_submit(struct store *store, const struct store_request *request);

/* Requests that are not answered yet. */
size_t store_pending(const struct store *store);

#endif
