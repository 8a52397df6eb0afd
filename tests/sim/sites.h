/*
 * A simulated world of services: sites that run lease, membership and place as troupe-node does,
 * with clocks of different rates, instances under timers of the kernel, and messages to the store
 * and to each other that are late or lost. One seed, one course of things. Times of the world are
 * ms of no clock that anybody can read.
 */
#ifndef TROUPE_TESTS_SIM_SITES_H
#define TROUPE_TESTS_SIM_SITES_H

#include "agenda.h"
#include "registry.h"

#include <stdbool.h>

struct realm;

struct site {
    struct realm *realm;
    size_t index;
    uint64_t rate;       /* its clock's, in thousandths of the world's */
    int64_t offset_ms;   /* its clock's */
    bool is_up;          /* the host, and troupe-node on it */
    uint64_t generation; /* of the root */
    unsigned life;       /* of its troupe-node */
    int64_t paused_until_ms;
    bool is_cut_off; /* from the store */
    unsigned side;   /* of the partition between sites */
    bool is_leaving;
    struct lease lease;
    struct membership *membership;
    struct place places[IDS];
    uint64_t running[IDS]; /* the epoch of the instance; 0: none */
    int64_t fence_ms;      /* the kernel's timer, on its own clock */
    uint64_t old[64];      /* its generations that are over */
    size_t old_count;
};

struct realm {
    struct agenda agenda;
    struct chance chance;
    int64_t now_ms;
    struct registry registry;
    bool is_store_down; /* what reaches it is lost */
    int64_t store_paused_until_ms;
    bool is_calm; /* nothing is late or lost but by what the fields above say */
    struct site sites[SITES];
    uint64_t started[IDS]; /* the last epoch upon which one was started */
    uint64_t starts, here, elsewhere, refused, fenced, extended;
    char wrong[256]; /* what must not be; "" so far */
};

struct realm *realm_create(uint64_t seed);
void realm_destroy(struct realm *realm);
/* So many ms go by. */
void realm_run(struct realm *realm, int64_t ms);

/* A root of a new generation; has_lock: it knows that its older ones are gone. */
void site_start(struct site *site, bool has_lock);
/* All of it dies. */
void site_kill(struct site *site);
/* troupe-node dies and comes again; the instances stay. */
void site_restart_node(struct site *site);
void site_pause(struct site *site, int64_t ms);
void site_leave(struct site *site);
/* Somebody calls an actor here. */
void site_call(struct site *site, size_t id);
/* An instance ends by itself; it saves something. */
void site_end(struct site *site, size_t id);
void site_save(struct site *site, size_t id);
/* How many instances live now, in the whole realm. */
size_t realm_instances(struct realm *realm, size_t id);

#endif
