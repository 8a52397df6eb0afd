#include "mac.h"

#include <endian.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>

/* mbedcrypto fails here only for want of memory. */
static void must(int result)
{
    if (result == 0)
        return;
    fprintf(stderr, "node: HMAC-SHA256 failed: -0x%04x\n", (unsigned)-result);
    exit(1);
}

void mac_make(const struct mac_part *key, const struct mac_part *parts, size_t n,
              uint8_t out[MAC_SIZE])
{
    mbedtls_md_context_t md;

    mbedtls_md_init(&md);
    must(mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1));
    must(mbedtls_md_hmac_starts(&md, key->at, key->size));
    for (size_t i = 0; i < n; i++) {
        uint32_t length = htole32((uint32_t)parts[i].size);

        must(mbedtls_md_hmac_update(&md, (const unsigned char *)&length, sizeof length));
        must(mbedtls_md_hmac_update(&md, parts[i].at, parts[i].size));
    }
    must(mbedtls_md_hmac_finish(&md, out));
    mbedtls_md_free(&md);
}

bool mac_equals(const uint8_t a[MAC_SIZE], const uint8_t b[MAC_SIZE])
{
    return mbedtls_ct_memcmp(a, b, MAC_SIZE) == 0;
}
