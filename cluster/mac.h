/*
 * Message authentication: HMAC-SHA256 over parts, each preceded by its length (32 bits,
 * little-endian), so that no two lists of parts look the same to it (CLUSTER 1). Pure. By
 * mbedcrypto.
 */
#ifndef TROUPE_CLUSTER_MAC_H
#define TROUPE_CLUSTER_MAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAC_SIZE = 32 };

struct mac_part {
    const void *at;
    size_t size;
};

void mac_make(const struct mac_part *key, const struct mac_part *parts, size_t n,
              uint8_t out[MAC_SIZE]);
/* Takes as long whichever bytes differ. */
bool mac_equals(const uint8_t a[MAC_SIZE], const uint8_t b[MAC_SIZE]);

#endif
