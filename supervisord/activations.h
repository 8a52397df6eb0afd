/*
 * Activations: what a service's supervisor does when somebody asks for an id (CLUSTER 4). service.c
 * decides; here children are made of the template, who asked waits until his is ready, and what has
 * ended starts again if somebody waits for it, or is gone with its mailbox. Only forks, never waits:
 * the slow init of one id holds up nobody else.
 */
#ifndef TROUPE_ACTIVATIONS_H
#define TROUPE_ACTIVATIONS_H

#include "claims.h"
#include "epochs.h"
#include "requests.h"
#include "service.h"

struct child;
struct facts;
struct awaited;

enum { ACTIVATION_SECONDS = 10 };

/* Of one shard, or of the whole service, since it began. In memory that the shards of a service and their front
 * share: each writes its own, and reads all. */
struct activation_counts {
    _Atomic uint64_t live, activations, idle_stops, failures, refused, overloaded;
    _Atomic int64_t second; /* that the last activation was in */
    _Atomic uint32_t by_second[ACTIVATION_SECONDS]; /* activations of the last seconds, by second % 10 */
};

struct activations {
    struct supervisor *supervisor;
    bool is_service; /* else nothing below is used */
    struct service service;
    struct epochs epochs; /* where nothing is kept in the store … */
    struct claims claims; /* … else */
    struct awaited *awaited; /* of those who wait, by id */
    struct activation_counts *counts; /* its own; not of a front */
};

/* After shards_init(). 0, or -1 with ENOMEM. */
int activations_init(struct activations *activations, struct supervisor *supervisor);
void activations_finish(struct activations *activations);

/* `activate ID`: answered ADDRESS#EPOCH when it is ready, or with an error by name. */
void activations_ask(const struct request *request);
/* Lets an asker go. */
void activations_drop_peer(struct activations *activations, const struct peer *peer);

/* Where services are shared (offers.h). Where that actor is: on that node; or why it cannot be had. */
void activations_on_place(struct activations *activations, const char *id, const char *node, const char *why);
/* It is to be started with that epoch; not when there is no lease. */
void activations_start(struct activations *activations, const char *id, uint64_t epoch, bool has_lease);

/* A child that was ended to be started again is. */
void activations_restart(struct child *child);

/* What its children report. on_end: of an incarnation, or a try to start one, that nobody had stopped. */
void activations_on_ready(struct child *child);
/* Nothing of an incarnation is left, whoever ended it. */
void activations_on_gone(struct child *child, const char *reason);
void activations_on_end(struct child *child, const char *reason);
/* epoch: of its last incarnation; 0: it had none. */
void activations_on_forget(struct supervisor *supervisor, const char *id, uint64_t epoch);

/* The number of a child's next incarnation: one more than the last; of a service's, an epoch. 0 with errno. */
uint64_t activations_number(const struct child *child);

/* `services`: what there is to tell of it. 0, or -1 (ENOMEM). */
int activations_facts(struct activations *activations, struct facts *facts);

#endif
