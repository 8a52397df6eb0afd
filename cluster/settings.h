/*
 * What troupe-node is told: by its arguments, its environment, and the cookie file.
 *
 *   troupe-node --cookie FILE [--listen URL] [--advertise URL] [--peer URL]… [--isolated]
 *               [--ca FILE --cert FILE] [--trusted-network]
 *
 * TROUPE_NODE is this node's name, TROUPE_GENERATION (hexadecimal) the root's random number,
 * TROUPE_CONTROL the control socket (PROTOCOL 4). Clear text (`tcp://`) beyond the loopback needs
 * --trusted-network: the cookie keeps strangers out and hides nothing.
 */
#ifndef TROUPE_CLUSTER_SETTINGS_H
#define TROUPE_CLUSTER_SETTINGS_H

#include "auth.h"
#include "error.h"

#include <stdbool.h>

enum { SETTINGS_COOKIE_MAX = 4096, SETTINGS_PEERS_MAX = 256 };

struct settings {
    const char *node, *path;
    uint64_t generation; /* 0: not said */
    int control_fd;      /* -1: none */
    const char *cookie_file, *listen, *advertise, *ca, *cert;
    const char *peers[SETTINGS_PEERS_MAX];
    size_t peer_count;
    bool is_isolated, is_trusted_network;
    uint8_t cookie[SETTINGS_COOKIE_MAX];
    size_t cookie_size;
};

/* 0, or -1 with what is wrong. */
int settings_read(struct settings *settings, int argc, char **argv, struct error *err);
/* Does this URL lead to this host's loopback, or is it by TLS? */
bool settings_is_private_url(const char *url);

#endif
