/*
 * SP as nng speaks it over TCP and TLS: 8 bytes of greeting from each side (sp.h has them), then
 * messages, each behind its size in 8 bytes, big-endian. (On a Unix socket there is one byte more.)
 * Pure: a decoder is given bytes, and never reads past them.
 */
#ifndef TROUPE_CLUSTER_SPTCP_H
#define TROUPE_CLUSTER_SPTCP_H

#include <stddef.h>
#include <stdint.h>

enum { SPTCP_GREETING = 8, SPTCP_HEAD = 8 };

/* What lies before a body of that size. */
void sptcp_head(uint64_t size, uint8_t out[SPTCP_HEAD]);
/* The next message. 1: it is at + SPTCP_HEAD, *size bytes. 0: not all of it has come. -1: it would
 * have more than max bytes, *size; nothing of it needs to be kept to know that. */
int sptcp_next(const uint8_t *at, size_t have, size_t max, uint64_t *size);

#endif
