/*
 * Any frames of a proven peer (each: two length bytes, that many bytes): what is whole has the size
 * that was promised, and what is held is within its bounds.
 */
#include "../../cluster/chunks.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct chunks chunks;
    volatile uint8_t sum = 0;

    chunks_init(&chunks);
    while (size >= 2) {
        size_t n = (size_t)data[0] << 8 | data[1], message_size = 0;
        const uint8_t *message = NULL;
        uint8_t *body;
        int result;

        n = n < size - 2 ? n : size - 2;
        body = malloc(n ? n : 1); /* its own block: reading past it is seen */
        memcpy(body, data + 2, n);
        result = chunks_receive(&chunks, body, n, &message, &message_size);
        if (result == 1 && message_size > CHUNKS_MESSAGE_MAX)
            abort();
        for (size_t i = 0; result == 1 && i < message_size; i++)
            sum = (uint8_t)(sum + message[i]);
        if ((result == -1) != (chunks.why[0] != 0) || chunks.promised > CHUNKS_PROMISED_MAX)
            abort();
        free(body);
        data += 2 + n;
        size -= 2 + n;
    }
    chunks_finish(&chunks);
    return 0;
}
