/* Any bytes: an error, or an envelope that encodes to the same bytes. */
#include "envelope.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t header[ENVELOPE_HEADER_MAX];
    struct envelope env;
    const char *why = NULL;
    size_t length;

    if (envelope_decode(data, size, &env, &why)) {
        if (!why)
            abort();
        return 0;
    }
    length = envelope_encode_header(&env, header);
    if (length + env.payload_size != size || memcmp(header, data, length))
        abort();
    if (env.payload_size && memcmp(env.payload, data + length, env.payload_size))
        abort();
    return 0;
}
