#include "rendezvous.h"

#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* mbedcrypto fails here only for want of memory. */
static void must(int result)
{
    if (result == 0)
        return;
    fprintf(stderr, "node: SHA-256 failed: -0x%04x\n", (unsigned)-result);
    exit(1);
}

static void add(mbedtls_md_context_t *md, const char *text, size_t size)
{
    must(mbedtls_md_update(md, (const unsigned char *)text, size));
}

uint64_t rendezvous_weight(const char *node, const char *service, const char *id)
{
    mbedtls_md_context_t md;
    unsigned char digest[32];
    uint64_t weight = 0;

    mbedtls_md_init(&md);
    must(mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 0));
    must(mbedtls_md_starts(&md));
    add(&md, node, strlen(node) + 1);
    add(&md, service, strlen(service));
    add(&md, "/", 1);
    add(&md, id, strlen(id));
    must(mbedtls_md_finish(&md, digest));
    mbedtls_md_free(&md);
    for (size_t i = 0; i < sizeof weight; i++)
        weight = weight << 8 | digest[i];
    return weight;
}
