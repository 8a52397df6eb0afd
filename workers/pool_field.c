#include "pool_field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct troupe_bytes pool_field_text(const struct troupe_message *message, uint64_t field,
                                    char room[POOL_FIELD_ROOM])
{
    unsigned index = (unsigned)field - 1;

    switch (troupe_type(message, index)) {
    case 's':
    case 'B':
        return troupe_bytes(message, index);
    case 'i':
    case 'I':
        snprintf(room, POOL_FIELD_ROOM, "%" PRId64, troupe_int(message, index));
        break;
    case 'u':
    case 'U':
        snprintf(room, POOL_FIELD_ROOM, "%" PRIu64, troupe_uint(message, index));
        break;
    case 'f':
        snprintf(room, POOL_FIELD_ROOM, "%.17g", troupe_double(message, index));
        break;
    default:
        return troupe_bytes_of(NULL, 0);
    }
    return troupe_bytes_of(room, strlen(room));
}
