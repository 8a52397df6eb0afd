/*
 * What troupe-node is told: by its arguments, its environment, and the cookie file.
 *
 *   troupe-node [--cookie FILE] [--listen URL] [--advertise URL] [--peer URL]… [--isolated]
 *               [--ca FILE --cert FILE [--key FILE]] [--trusted-network] [--grant RIGHTS] [--uid N]…
 *               [--lease-ms N] [--max-memory PERCENT] [--max-load N]
 *               [--gateway URL [--gateway-grant RIGHTS] [--gateway-actor PATTERN]…
 *                              [--gateway-publisher PATH]…]
 *
 * Without a cookie it speaks to no other node, and keeps the groups of this one. --cert holds the key
 * as well where --key is not said. RIGHTS: words of look, send, control. --uid: who else may send.
 * --lease-ms: this node takes part in the running of services (services.h), by leases of that length;
 * --max-memory and --max-load: as long as the host is below that (host_load.h).
 * --gateway: where nng clients of other hosts are served (gateway.h), and what they may do.
 *
 * TROUPE_NODE is this node's name, TROUPE_GENERATION (hexadecimal) the root's random number,
 * TROUPE_CONTROL the control socket (PROTOCOL 4), LISTEN_FDS says whether descriptor 3 is its
 * mailbox, TROUPE_RUN where those of others are. Clear text (`tcp://`) beyond the loopback needs
 * --trusted-network: the cookie keeps strangers out and hides nothing.
 */
#ifndef TROUPE_CLUSTER_SETTINGS_H
#define TROUPE_CLUSTER_SETTINGS_H

#include "auth.h"
#include "cookie.h"
#include "error.h"
#include "host_load.h"

#include <stdbool.h>
#include <sys/types.h>

enum { SETTINGS_PEERS_MAX = 256, SETTINGS_UIDS_MAX = 256 };
enum { SETTINGS_GATEWAY_MAX = 256 /* patterns; publishers */ };

struct settings {
    const char *node, *path;
    uint64_t generation; /* 0: not said */
    bool has_mailbox;
    const char *run_dir;
    const char *cookie_file, *listen, *advertise, *ca, *cert, *key;
    char cert_and_key[64]; /* the name of a file with both; "": --cert is one */
    unsigned grant;        /* RIGHT_ bits */
    uid_t uids[SETTINGS_UIDS_MAX];
    size_t uid_count;
    const char *peers[SETTINGS_PEERS_MAX];
    size_t peer_count;
    const char *gateway;    /* NULL: none */
    unsigned gateway_grant; /* RIGHT_ bits */
    const char *actors[SETTINGS_GATEWAY_MAX], *publishers[SETTINGS_GATEWAY_MAX];
    size_t actor_count, publisher_count;
    bool is_isolated, is_trusted_network;
    int64_t lease_ms; /* 0: no services */
    struct cookie cookie;
    struct host_limits limits;
};

/* 0, or -1 with what is wrong. */
int settings_read(struct settings *settings, int argc, char **argv, struct error *err);

#endif
