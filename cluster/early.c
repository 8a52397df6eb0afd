#include "early.h"

#include <string.h>

enum { EARLY_MAX = 64 << 10 }; /* bytes that wait */

int early_keep(struct buf *early, const uint8_t *bytes, size_t size)
{
    uint16_t length = (uint16_t)size;

    if (buf_length(early) > EARLY_MAX || buf_append(early, &length, sizeof length) < 0)
        return -1;
    return buf_append(early, bytes, size);
}

bool early_take(struct buf *early, const uint8_t **bytes, size_t *size)
{
    uint16_t length;

    if (!buf_length(early))
        return false;
    memcpy(&length, buf_front(early), sizeof length);
    *bytes = buf_front(early) + sizeof length;
    *size = length;
    return true;
}

void early_drop(struct buf *early, size_t size)
{
    buf_consume(early, sizeof(uint16_t) + size);
}
