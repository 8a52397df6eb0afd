/*
 * What guests of the gateway may do (CLUSTER 2): by which pattern they may speak, and to whom. Who
 * is not open to them is `denied`, whether there is such an actor or not: they learn no names.
 * Pure.
 */
#ifndef TROUPE_CLUSTER_GATE_H
#define TROUPE_CLUSTER_GATE_H

#include "addr.h"

struct gate {
    const char *node;          /* ours; borrowed, as all here */
    unsigned grant;            /* RIGHT_SEND: to send and to call; RIGHT_LOOK: to subscribe */
    const char *const *actors; /* patterns of paths, a star within a part */
    size_t actor_count;        /* 0: all actors of applications */
};

/* The body of a guest's message, taken apart. */
struct gate_letter {
    char path[ADDR_PATH_MAX + 1]; /* of an actor that is open to them */
    const uint8_t *message;       /* what goes to its mailbox: MESSAGE, TAB, ARG… */
    size_t size;
};

/* Is this the number of a pattern that they may greet with (sp.h)? NULL; or why not. */
const char *gate_greet(const struct gate *gate, int protocol);

/* ADDRESS, TAB, MESSAGE… NULL; or why not, a word first that machines read (`denied`,
 * `bad_message`). letter->path is "" then, or the one that was meant. */
const char *gate_read(const struct gate *gate, const uint8_t *body, size_t size,
                      struct gate_letter *letter);

enum { GATE_HOST_MAX = 45 };
/* Whose guest is that, by its URL (tls+tcp://10.0.0.1:5000)? An IPv4 address; of IPv6 the first 64
 * bits, as a host that has one address of such a network has all of them. */
void gate_host(const char *remote, char out[GATE_HOST_MAX + 1]);

#endif
