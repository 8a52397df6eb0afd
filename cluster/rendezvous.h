/*
 * Rendezvous hashing: every node has a weight for every key, and a key belongs to the node with the
 * highest (CLUSTER 4). When a node goes only its own keys move, and everybody who knows the same
 * nodes says the same without asking. Pure. By mbedcrypto.
 */
#ifndef TROUPE_CLUSTER_RENDEZVOUS_H
#define TROUPE_CLUSTER_RENDEZVOUS_H

#include <stdint.h>

/* The first 8 bytes, the highest first, of SHA-256 of the node's name, a 0, and "service/id". */
uint64_t rendezvous_weight(const char *node, const char *service, const char *id);

#endif
