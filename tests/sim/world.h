/*
 * A simulated cluster: hosts that run the node's own code (peers, exchange, groups and all below
 * them) over streams with delay, that break, and are held up by partitions, as TCP is. One seed,
 * one course of things.
 */
#ifndef TROUPE_TESTS_SIM_WORLD_H
#define TROUPE_TESTS_SIM_WORLD_H

#include "../../cluster/exchange.h"
#include "../../cluster/groups.h"
#include "../../cluster/peers.h"
#include "agenda.h"

enum { ACTORS = 4, GROUPS = 3 };

struct world;
struct stream;

struct host {
    struct world *world;
    size_t index;
    bool is_up, is_liar; /* a liar knows no cookie and takes another's name */
    unsigned side;       /* of the partition */
    unsigned epoch;      /* its troupe-node's, here */
    struct auth_self self;
    bool is_transitive;
    size_t targets[4], target_count; /* whom its configuration names */
    struct peers *peers;
    struct groups *groups;
    struct exchange *exchange;
    unsigned joined[GROUPS][ACTORS]; /* by its own actors */
    int64_t tick_ms;                 /* planned; 0: none */
};

struct world {
    struct agenda agenda;
    struct chance chance;
    int64_t now_ms;
    struct host *hosts;
    size_t count;
    struct stream *streams;  /* all that ever were */
    struct stream_end *ends; /* the open ones, by host and connection */
    struct stream *current;  /* the one that delivers */
    uint64_t break_one_in;   /* packets */
    uint64_t sessions, handshakes_refused, packets, breaks;
    char wrong[256]; /* what must not be; "" so far */
};

struct world *world_create(uint64_t seed, size_t hosts);
void world_destroy(struct world *world);
void world_run(struct world *world, int64_t until_ms);
__attribute__((format(printf, 2, 3))) void world_complain(struct world *world, const char *format,
                                                          ...);

/* From its start on this host says it is the victim, without the cookie. */
void world_make_liar(struct host *host, const struct host *victim);

/* ---- hosts ---- */

/* troupe-node starts on a host, with the members that its actors have. */
void host_start(struct host *host);
/* It is killed: its streams end, as the kernel ends them. */
void host_kill(struct host *host);
/* The root is new: another generation, without members. */
void host_new_generation(struct host *host);
void host_join(struct host *host, unsigned group, unsigned actor);
void host_leave(struct host *host, unsigned group, unsigned actor);
/* After anything was done to its peers. */
void host_settle(struct host *host);
/* "n17" and sim://17 are host 17. */
size_t host_of_name(const char *name);
/* "app/a1#GENERATION" */
const char *host_address(const struct host *host, unsigned actor);

/* ---- the network ---- */

extern const struct peers_transport network_transport; /* its data is the host */
void network_forget(struct host *host);
/* Hosts of different sides do not hear each other, until all are of one side again. */
bool network_is_cut(const struct world *world, size_t a, size_t b);
/* Somebody without a cookie dials a host and says what was heard on another stream, or what that
 * host says. */
void network_replay(struct world *world, size_t victim, bool reflect);
/* Is it the attacker's words that are being handed over? */
bool network_is_attack(const struct world *world);
void network_finish(struct world *world);

#endif
