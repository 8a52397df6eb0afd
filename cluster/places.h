/*
 * Where service actors live (CLUSTER 4, L4): who asks for one is told on which node it is, once it
 * is ready there. place.h decides, sys/store has the rows (ledger.h), placement.h chooses the node
 * of one that lives nowhere; the chosen node claims the row for itself and has its service's
 * supervisor start the actor.
 *
 * A service is offered here by its supervisor. When that dies nothing of its actors is believed
 * ended before its next incarnation says what there is: until then their rows stay ours.
 */
#ifndef TROUPE_CLUSTER_PLACES_H
#define TROUPE_CLUSTER_PLACES_H

#include "placement.h"
#include "registry.h"

struct places;

enum { PLACES_WHY_MAX = 255 };

struct places_answer {
    const char *node; /* where it is; NULL: it could not be had */
    const char *why;  /* then: a failure by name ("overloaded …", "noproc …") */
};

typedef void places_answered(void *data, const struct places_answer *answer);

struct places_hooks {
    /* Has the supervisor, by its source, start that actor with that epoch: then comes
     * places_ready() or places_ended(). */
    void (*start)(void *data, uint64_t source, const char *id, uint64_t epoch);
    /* To that node; false: there is no session. */
    bool (*send)(void *data, const char *node, const void *bytes, size_t size);
};

/* The registry calls places_on_table(), places_on_silence() and places_on_fenced(); texts and hooks
 * are borrowed. */
struct places *places_create(const char *node, struct ledger *ledger, struct registry *registry,
                             const struct places_hooks *hooks, void *data);
/* What was asked is not answered any more. Takes NULL. */
void places_destroy(struct places *places);

/* ---- what is offered here ---- */

enum { PLACES_SHARDS_MAX = 4096 };

/* The supervisor of a service, or one of those that share it (shard.h), whose connection has this number. */
struct places_offer {
    uint64_t source;
    const char *service;
    unsigned shard, of;
    uint32_t max; /* instances of the service here */
    enum placement_strategy strategy;
};

/* It says what it offers and what lives under it; then comes places_offered(). False: with all that
 * is offered here already the node's row could not tell of it. */
bool places_offer(struct places *places, const struct places_offer *offer);
void places_offer_living(struct places *places, uint64_t source, const char *id, uint64_t epoch);
void places_offered(struct places *places, uint64_t source);
/* Its connection has ended. */
void places_withdraw(struct places *places, uint64_t source);
/* What its supervisor says of an actor; of an older epoch it says nothing. why: why it could not be
 * started, or NULL. */
void places_ready(struct places *places, uint64_t source, const char *id, uint64_t epoch);
void places_ended(struct places *places, uint64_t source, const char *id, uint64_t epoch,
                  const char *why);

/* For registry_hooks. */
size_t places_offers(const struct places *places, struct node_service *out);

/* ---- what is asked ---- */

/* Answered exactly once, perhaps at once. 0: it was; else a number to forget it by. */
uint64_t places_want(struct places *places, const char *service, const char *id,
                     places_answered *on_answer, void *data);
void places_forget(struct places *places, uint64_t number);

/* ---- what happens ---- */

/* PLACES_HOST and PLACES_HOSTED (exchange_wire.h). NULL; or why it is none. */
const char *places_message(struct places *places, const char *node, const uint8_t *bytes,
                           size_t size);
void places_on_table(struct places *places);
/* The store could not be asked for a table: who waits for one hears so. */
void places_on_silence(struct places *places);
void places_on_fenced(struct places *places);
void places_on_down(struct places *places, const char *node);
/* Does nothing live or begin here? */
bool places_are_idle(const struct places *places);

#endif
